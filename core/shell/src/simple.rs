//! Simple commands: words, redirections and assignments, and what they name: a builtin here or a program.

use brush_parser::ast::{
    AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem as Item, SimpleCommand,
    SourceLocation,
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
                _ => return Err(Refusal::new("a process substitution")),
            }
        }
        for item in suffix {
            match item {
                Item::IoRedirect(redirect) => redirects.push(redirect),
                Item::Word(word) | Item::AssignmentWord(_, word) => {
                    self.fields(&word.value, io, &mut words)?
                }
                Item::ProcessSubstitution(..) => {
                    return Err(Refusal::new("a process substitution"))
                }
            }
        }
        let Some(io) = self.redirect(io, redirects)? else {
            self.vars.status = 1;
            return Ok(Flow::On);
        };
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
            values.push((name.as_str(), self.single(&word.value, &io)?));
        }
        if words.is_empty() {
            for (name, value) in values {
                self.set(name, Some(value))?;
            }
            self.vars.status = self.substituted.unwrap_or(0);
            return Ok(Flow::On);
        }
        let empty_ifs = values.iter().any(|(n, v)| *n == "IFS" && v.is_empty());
        let reads = words[0] == b"read";
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
        if in_c {
            let world = self.world.in_c();
            self.vars.status = self.program_in(&world, &words, &io)?;
            return Ok(Flow::On);
        }
        self.run_words(&words, &io, empty_ifs)
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

    /// Runs the program that `words` name, be it by a path or behind another.
    fn program_in(&mut self, world: &World, words: &[Vec<u8>], io: &Io) -> Result<i32, Refusal> {
        let Named {
            name, at, by_path, ..
        } = named(words);
        if !by_path {
            return self.tool(world, &words[at..], io, false);
        }
        if !is_the_pinned(world, &words[at], name) {
            let path = String::from_utf8_lossy(&words[at]);
            return Err(Refusal::new(format!("no tool {path}")));
        }
        let mut words = words[at..].to_vec();
        words[0] = name.to_vec();
        self.tool(world, &words, io, true)
    }
}

/// Whether a word of it holds a newline: which of its lines bash then names is not known here.
fn spans_lines(command: &SimpleCommand) -> bool {
    let prefix = command.prefix.iter().flat_map(|p| &p.0);
    let suffix = command.suffix.iter().flat_map(|s| &s.0);
    let name = command.word_or_name.iter();
    name.map(|word| word.value.as_str())
        .chain(prefix.chain(suffix).filter_map(|item| match item {
            Item::Word(word) | Item::AssignmentWord(_, word) => Some(word.value.as_str()),
            _ => None,
        }))
        .any(|text| text.contains('\n'))
}
