//! Simple commands: words, redirections and assignments, and what they name: a builtin here or a program.

use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item,
    IoFileRedirectTarget, IoRedirect, SimpleCommand, SourceLocation, Word,
};
use curserve_tools::World;

use crate::exec::Flow;
use crate::named::{is_the_pinned, named, Named};
use crate::state::{Shell, Within};
use crate::streams::Io;
use crate::Refusal;

impl Shell<'_> {
    /// Runs a simple command; files that it writes are closed when it has ended.
    pub(crate) fn simple(&mut self, command: &SimpleCommand, io: &Io) -> Result<Flow, Refusal> {
        let mark = self.files.len();
        let flow = self.simple_command(command, io)?;
        self.finish_files(mark)?;
        Ok(flow)
    }

    fn simple_command(&mut self, command: &SimpleCommand, io: &Io) -> Result<Flow, Refusal> {
        let name = command.word_or_name.as_ref();
        let place = name.map_or_else(|| command.location(), SourceLocation::location);
        if let (Some(place), Within::Nothing) = (place, self.substitution) {
            self.line = (!spans_lines(command)).then_some(place.start.line);
        }
        self.substituted = None;
        let prefix = command.prefix.as_ref().map_or(&[][..], |p| p.0.as_slice());
        let suffix = command.suffix.as_ref().map_or(&[][..], |s| s.0.as_slice());
        let mut words = Vec::with_capacity(suffix.len() + 1);
        if let Some(name) = &command.word_or_name {
            self.fields(&name.value, io, &mut words)?;
        }
        let mut redirects = Vec::new();
        let mut assignments = Vec::new();
        for item in prefix {
            match item {
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::AssignmentWord(assignment, _) => assignments.push(assignment),
                Item::Word(_) | Item::ProcessSubstitution(..) => {
                    return Err(Refusal::new("a process substitution"))
                }
            }
        }
        for item in suffix {
            match item {
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::AssignmentWord(_, word)
                    if words.iter().take(2).any(|name| name == b"export")
                        && word.value.contains(['$', '`', '{', '*', '?', '[']) =>
                {
                    return Err(Refusal::new(
                        "export of a value that is expanded in its own way",
                    ))
                }
                Item::Word(word) | Item::AssignmentWord(_, word) => {
                    self.fields(&word.value, io, &mut words)?
                }
                Item::ProcessSubstitution(..) => {
                    return Err(Refusal::new("a process substitution"))
                }
            }
        }
        // bash expands values before it opens files.
        let expands = |assignment: &&Assignment| assignment.value.to_string().contains(['$', '`']);
        let apart = !words.is_empty() && !assignments.iter().any(expands);
        if !apart && !assignments.is_empty() && !redirects.is_empty() {
            return Err(Refusal::new("an assignment beside a redirection"));
        }
        let lasts = words.is_empty();
        let values = self.assignments(&assignments, lasts, io)?;
        if !values.is_empty() && !heeds_no_variable(&words) {
            return Err(Refusal::new("a variable set for a builtin"));
        }
        let empty_ifs = values.iter().any(|(n, v)| *n == "IFS" && v.is_empty());
        let reads = words.first().is_some_and(|word| word == b"read");
        let mut in_c = false;
        for (name, value) in values {
            if name == "LC_ALL" {
                in_c = match value.as_slice() {
                    b"C" | b"POSIX" => true,
                    b"C.UTF-8" | b"C.utf8" => false,
                    _ => return Err(Refusal::new("a locale that is not pinned")),
                };
            } else if !(self.is_outranked(name) || reads && name == "IFS" && value.is_empty()) {
                // Programs see it in their environment; those here look at none that `set` lets pass.
                let saved = self.vars.set.clone();
                self.set(name, Some(value))?;
                self.vars.set = saved;
            }
        }
        let Some(io) = self.redirect(io, redirects)? else {
            self.vars.status = 1;
            return Ok(Flow::On);
        };
        if lasts {
            self.vars.status = self.substituted.unwrap_or(0);
            return Ok(Flow::On);
        }
        if in_c {
            let world = self.world.in_c();
            self.vars.status = self.program_in(&world, &words, &io)?;
            return Ok(Flow::On);
        }
        self.run_words(&words, &io, empty_ifs)
    }

    /// The values of assignments before a command; those without one last, and each sees those before it.
    fn assignments<'a>(
        &mut self,
        assignments: &[&'a Assignment],
        lasts: bool,
        io: &Io,
    ) -> Result<Vec<(&'a str, Vec<u8>)>, Refusal> {
        let mut values = Vec::new();
        for assignment in assignments {
            let (AssignmentName::VariableName(name), AssignmentValue::Scalar(word), false) =
                (&assignment.name, &assignment.value, assignment.append)
            else {
                return Err(Refusal::new("an array, or an assignment that appends"));
            };
            if word.value.contains(":~") {
                return Err(Refusal::new("a tilde within an assignment"));
            }
            let value = self.single(&word.value, io)?;
            match lasts {
                true => self.set(name, Some(value))?,
                false if !values.is_empty() && word.value.contains('$') => {
                    return Err(Refusal::new("an assignment that may see the one before it"));
                }
                false => values.push((name.as_str(), value)),
            }
        }
        Ok(values)
    }

    fn run_words(&mut self, words: &[Vec<u8>], io: &Io, empty_ifs: bool) -> Result<Flow, Refusal> {
        let named = named(words);
        if named.at == 0 && !named.program {
            if let Some(flow) = self.builtin(words, io, empty_ifs)? {
                return Ok(flow);
            }
        } else if !named.program {
            return self.run_words(&words[named.at..], io, empty_ifs);
        }
        self.vars.status = self.program_in(self.world, words, io)?;
        Ok(Flow::On)
    }

    /// Runs the program that `words` name, by a path or behind another.
    fn program_in(&mut self, world: &World, words: &[Vec<u8>], io: &Io) -> Result<i32, Refusal> {
        let Named {
            name, at, by_path, ..
        } = named(words);
        if !by_path {
            return self.tool(world, &words[at..], io, false);
        }
        if !is_the_pinned(world, &words[at], name) {
            let path = String::from_utf8_lossy(&words[at]);
            return Err(Refusal::UnknownProgram(format!("no tool {path}")));
        }
        let mut words = words[at..].to_vec();
        words[0] = name.to_vec();
        self.tool(world, &words, io, true)
    }
}

/// Whether it stands on several lines: which of them bash then names is not known here.
fn spans_lines(command: &SimpleCommand) -> bool {
    let prefix = command.prefix.iter().flat_map(|p| &p.0);
    let suffix = command.suffix.iter().flat_map(|s| &s.0);
    let words = prefix.chain(suffix).filter_map(|item| match item {
        Item::Word(word)
        | Item::AssignmentWord(_, word)
        | Item::IoRedirect(
            IoRedirect::File(
                _,
                _,
                IoFileRedirectTarget::Filename(word) | IoFileRedirectTarget::Duplicate(word),
            )
            | IoRedirect::HereString(_, word)
            | IoRedirect::OutputAndError(word, _),
        ) => Some(word),
        Item::IoRedirect(IoRedirect::HereDocument(..) | IoRedirect::File(..))
        | Item::ProcessSubstitution(..) => None,
    });
    let mut words = command.word_or_name.iter().chain(words);
    let first = command.location().map(|place| place.start.line);
    let elsewhere = |word: &Word| {
        let place = word.loc.as_ref();
        let line = |line| Some(line) == first;
        place.is_none_or(|place| !line(place.start.line) || !line(place.end.line))
    };
    words.any(|word| word.value.contains('\n') || elsewhere(word))
}

/// Whether a command surely does the same with a variable of ours set for it: programs, and builtins that print.
fn heeds_no_variable(words: &[Vec<u8>]) -> bool {
    match words[0].as_slice() {
        b"read" => true, // of IFS, `read` itself knows
        b"echo" | b"printf" | b"test" | b"[" | b"true" | b"false" | b":" | b"pwd" => true,
        name => curserve_tools::is_tool(name) || name.contains(&b'/') || name == b"timeout",
    }
}
