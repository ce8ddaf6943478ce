//! grep, rg, cat, sed, find, ls and the others, answered from the corpus, equal to the real programs to the byte.
//!
//! [`run`] is the one entry: it looks the name up in a table with one module per tool. A tool either answers as the
//! real program would, errors and exit code included, or refuses.

mod awk;
mod batch;
mod call;
mod cat;
mod cut;
mod deadline;
mod decimal;
mod diff;
mod find;
#[doc(hidden)]
pub mod fuzzing;
mod grep;
mod headtail;
pub mod imitated;
mod input;
mod intake;
mod intakes;
mod locale;
mod ls;
mod memory;
mod nl;
mod out;
pub mod printf;
mod reason;
mod rg;
mod sed;
mod sort;
pub mod stack;
mod streams;
mod tac;
pub mod test;
mod times;
mod tr;
mod tree;
mod uniq;
mod walks;
mod wc;
pub mod words;
mod world;
mod writes;
mod xargs;

pub use batch::fits;
pub use call::{Call, Stdin};
pub use curserve_text::Refusal;
pub use deadline::{Deadline, Watch};
pub use grep::Facts as GrepFacts;
pub use intake::Intake;
pub use memory::{Held, Memory, CALL};
pub use out::{Mark, Out, Span};
pub use reason::Reason;
pub use walks::walks;
pub use world::World;
pub use writes::{How, Target, Write, Writes};

/// A tool: writes to `call.out` and `call.err` and returns the exit code.
pub type Tool = fn(&mut Call<'_>) -> Result<i32, Refusal>;

/// Every tool, by name. One line a tool.
const TOOLS: &[(&str, Tool)] = &[
    ("[", test::bracket),
    ("awk", awk::awk),
    ("basename", words::basename),
    ("cat", cat::cat),
    ("cut", cut::cut),
    ("diff", diff::diff),
    ("dirname", words::dirname),
    ("echo", words::echo_program),
    ("egrep", grep::egrep),
    ("false", words::no),
    ("fgrep", grep::fgrep),
    ("find", find::find),
    ("grep", grep::grep),
    ("head", headtail::head),
    ("ls", ls::ls),
    ("nl", nl::nl),
    ("printf", printf::printf_program),
    ("rg", rg::rg),
    ("sed", sed::sed),
    ("seq", words::seq),
    ("sort", sort::sort),
    ("tac", tac::tac),
    ("tail", headtail::tail),
    ("test", test::test),
    ("tr", tr::tr),
    ("tree", tree::tree),
    ("true", words::yes),
    ("uniq", uniq::uniq),
    ("wc", wc::wc),
    ("xargs", xargs::xargs),
];

/// The options of the tools that read them by a table, for tests.
#[doc(hidden)]
pub fn tables() -> Vec<curserve_text::options::Described> {
    vec![
        cat::TABLE.described("cat"),
        cut::TABLE.described("cut"),
        grep::TABLE.described("grep"),
        headtail::HEAD.described("head"),
        headtail::TAIL.described("tail"),
        ls::TABLE.described("ls"),
        nl::TABLE.described("nl"),
        rg::TABLE.described("rg"),
        sed::TABLE.described("sed"),
        sort::TABLE.described("sort"),
        tr::TABLE.described("tr"),
        tree::TABLE.described("tree"),
        uniq::TABLE.described("uniq"),
        wc::TABLE.described("wc"),
        xargs::TABLE.described("xargs"),
    ]
}

/// Whether there is a tool of this name.
pub fn is_tool(name: &[u8]) -> bool {
    look_up(name).is_some()
}

/// Runs the tool `name`.
///
/// # Errors
/// Where there is no such tool, or it refuses; what it has written until then does not count.
pub fn run(name: &[u8], call: &mut Call<'_>) -> Result<i32, Refusal> {
    if call.writes.is_some_and(Writes::pending) && !Writes::harmless(call.args) {
        return Err(Refusal::new(
            "a program that may read what was written before it",
        ));
    }
    if let Some(why) = call.world.refuses(name) {
        return Err(Refusal::new(why));
    }
    call.deadline.check()?;
    stack::check()?; // `xargs xargs …` and `find -exec` come here again
    match look_up(name) {
        Some(tool) if call.world.is_c() => {
            locale::same_before(name, call)?;
            let from = (call.out.as_bytes().len(), call.err.as_bytes().len());
            let status = tool(call)?;
            locale::same_after(name, call, from)?;
            Ok(status)
        }
        Some(tool) => tool(call),
        None => Err(Refusal::UnknownProgram(format!(
            "no tool {}",
            String::from_utf8_lossy(name)
        ))),
    }
}

fn look_up(name: &[u8]) -> Option<Tool> {
    TOOLS
        .iter()
        .find(|(known, _)| known.as_bytes() == name)
        .map(|(_, tool)| *tool)
}
