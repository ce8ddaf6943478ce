//! The shell around the tools: parses a command line and runs what it understands exactly; refuses the rest.
//!
//! [`run`] answers a whole command line, as `bash -c` in the pinned world would, from one [`Snapshot`]. Parsing is
//! brush-parser's; expansion, control flow and redirections are here, since they must be bash's to the byte; programs
//! are [`curserve_tools`]. The rule throughout: an answer is exact, or it is a [`Refusal`] with a reason, and the
//! caller runs the real thing.
//!
//! ```text
//! syntax    guards and calls the parser        check     looks at what is never reached
//!                                              expand    words → fields: braces, $…, splitting, globs
//! exec      programs, lists, pipelines         params    ${…}          arith   $((…))     glob   pathnames
//! compound  if, for, while, case, ( ), { }     builtins  cd, echo, test, read, …
//! simple    a command: its words, and > and =  named     /usr/bin/grep, command grep
//! tool      one tool on its streams            state     folder, status, limits    variables  $NAME
//! pipeline  a | b | head, part by part         part      … what is known of each before it runs
//! deaths    … who stops whom                   prefix    … and how far a search has to go
//! redirect  2>&1, <file, here-documents        streams   what its descriptors are
//! outputs   streams and files, opened and closed
//! quick     what takes microseconds            conditional  [[ … ]]
//! called    … of shells that others started    dash      … which is not bash    names  … that programs heed
//! ```

mod arith;
mod braces;
mod builtins;
mod called;
mod check;
mod compound;
mod conditional;
mod dash;
mod deaths;
mod documents;
mod exec;
mod expand;
mod glob;
mod named;
mod names;
mod outputs;
mod params;
mod part;
mod pipeline;
mod prefix;
mod quick;
mod redirect;
mod simple;
mod state;
mod streams;
mod syntax;
mod tool;
mod variables;

pub use called::{run_called, Called, Caller};
use curserve_corpus::Snapshot;
use curserve_tools::{stack, CALL};
pub use curserve_tools::{Deadline, How, Refusal, World, Write, Writes};
pub use names::{HEEDED, MADE_BY_BASH};
pub use quick::is_quick;
pub use tool::leaves_input;

/// What one command line may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of standard output, or of any pipe within.
    pub output: usize,
    /// Commands executed, loops included.
    pub steps: u32,
    /// When the line gives up.
    pub deadline: Deadline,
    /// Bytes of all values, streams and lists of words together.
    pub memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            output: 64 << 20,
            steps: 10_000,
            deadline: Deadline::default(),
            memory: CALL,
        }
    }
}

/// What `bash -c` would have given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit status, 0 to 255.
    pub exit_code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Answers `command` as `bash -c` would in `cwd` (absolute), from `snapshot`, in `world`.
///
/// # Errors
/// Where the answer is not known exactly, needs what is not in memory, or passes one of `limits`; nothing has happened then.
pub fn run_in(
    world: &World,
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
) -> Result<Answer, Refusal> {
    deep_enough(command, || {
        is_known(world)?;
        let program = check::parse(command)?;
        let mut shell = state::Shell::new(world, snapshot, cwd, limits)?;
        shell.many_lines = command.contains('\n');
        let exit_code = shell.program(&program)?;
        shell.answer(exit_code)
    })
}

/// Refuses all of a line where the machine's shell is another version than the one that is here.
fn is_known(world: &World) -> Result<(), Refusal> {
    match world.refuses(b"bash") {
        Some(why) => Err(Refusal::new(why)),
        None => Ok(()),
    }
}

/// Runs `answer`, which parses `command`, on a stack that is long enough for it.
fn deep_enough<T>(command: &str, answer: impl FnOnce() -> T) -> T {
    match syntax::is_flat(command) {
        true => answer(),
        false => stack::on_a_long_one(answer),
    }
}

/// What a line gave, and what it leaves to its caller.
#[derive(Debug)]
pub struct Outcome {
    /// The answer.
    pub answer: Answer,
    /// What the line writes, in order; it has still to be written.
    pub writes: Vec<Write>,
    /// The folder that a shell that lasts is in now, if the line went to one.
    pub folder: Option<Vec<u8>>,
}

/// As [`run_in`], for a line that may write files; without an answer nothing is to be written.
///
/// `lasting`: the shell lasts from call to call. What it carries on beside its folder (variables, its status, its
/// options) is refused then, as is what depends on it, and so are its own messages, which name the file that it reads
/// the line from.
///
/// # Errors
/// As [`run_in`], and where a write could be seen by what comes after it.
pub fn run_writing(
    world: &World,
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
    lasting: bool,
) -> Result<Outcome, Refusal> {
    let writes = Writes::new();
    let (answer, folder) = deep_enough(command, || {
        is_known(world)?;
        let program = check::parse(command)?;
        let mut shell = state::Shell::new(world, snapshot, cwd, limits)?;
        shell.writes = Some(&writes);
        shell.lasting = lasting;
        shell.many_lines = command.contains('\n');
        let exit_code = shell.program(&program)?;
        if lasting && !shell.vars.set.is_empty() {
            return Err(Refusal::new("a variable that the shell keeps"));
        }
        let folder = shell.vars.old_cwd.is_some().then(|| shell.vars.cwd.clone());
        Ok((shell.answer(exit_code)?, folder))
    })?;
    Ok(Outcome {
        answer,
        writes: writes.into_list(),
        folder,
    })
}

/// As [`run_in`], in the pinned world.
///
/// # Errors
/// As [`run_in`].
pub fn run(
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
) -> Result<Answer, Refusal> {
    static PINNED: std::sync::OnceLock<World> = std::sync::OnceLock::new();
    run_in(
        PINNED.get_or_init(World::pinned),
        snapshot,
        command,
        cwd,
        limits,
    )
}

/// Whether the parser takes `command` at all; for fuzzers, which need no tree.
pub fn parses(command: &str) -> bool {
    deep_enough(command, || check::parse(command).is_ok())
}
