//! Programs, lists, pipelines and commands: what runs, in which order, and where a jump leads.

use brush_parser::ast::{
    AndOr, AndOrList, Command, CommandPrefixOrSuffixItem as Item, CompoundList, Pipeline, Program,
    SeparatorOperator,
};

use curserve_tools::stack;

use crate::state::Shell;
use crate::streams::{Io, Sink, Source, STDERR, STDOUT};
use crate::Refusal;

/// How a command ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    /// The next one runs.
    On,
    /// `break N`.
    Break(u32),
    /// `continue N`.
    Continue(u32),
    /// `exit`.
    Exit,
}

impl<'s> Shell<'s> {
    /// Runs a whole program on the shell's own streams; returns its exit status.
    ///
    /// # Errors
    /// Where a command of it is refused, or a limit is passed.
    pub fn program(&mut self, program: &Program) -> Result<i32, Refusal> {
        let io = Io {
            stdin: match self.sealed {
                true => Source::Unknown,
                false => Source::Null,
            },
            out: Sink::Stream(STDOUT),
            err: Sink::Stream(if self.merged { STDOUT } else { STDERR }),
        };
        self.lists(program, &io)?;
        Ok(self.vars.status)
    }

    fn lists(&mut self, program: &Program, io: &Io) -> Result<(), Refusal> {
        for list in &program.complete_commands {
            if self.list(list, io)? != Flow::On {
                break;
            }
        }
        Ok(())
    }

    /// Runs a program as a subshell, its output captured.
    ///
    /// # Errors
    /// As [`Shell::program`], and where its output is beyond the limit.
    pub fn capture(&mut self, program: &Program, io: &Io) -> Result<(Vec<u8>, i32), Refusal> {
        let saved = self.vars.clone();
        let n = self.open_stream();
        let inner = Io {
            out: Sink::Stream(n),
            ..io.clone()
        };
        let loops = std::mem::take(&mut self.loops);
        match read_file_only(program) {
            Some(word) => {
                let path = self.single(word, io)?;
                match self.open_input(&path)? {
                    Ok(Source::File(file)) => {
                        self.write(Sink::Stream(n), &file.borrow().bytes);
                    }
                    Ok(_) => {}
                    Err(_) => return Err(Refusal::new("$(<file) of a file that is not there")),
                }
                self.vars.status = 0;
            }
            None if program.complete_commands.is_empty() => self.vars.status = 0,
            None => self.lists(program, &inner)?,
        }
        self.loops = loops;
        let output = self.close_stream(n)?;
        let status = self.vars.status;
        self.vars = saved;
        Ok((output.into_bytes(), status))
    }

    /// Runs a list.
    ///
    /// # Errors
    /// As [`Shell::program`].
    pub fn list(&mut self, list: &CompoundList, io: &Io) -> Result<Flow, Refusal> {
        for item in &list.0 {
            if matches!(item.1, SeparatorOperator::Async) {
                return Err(Refusal::new("a command in the background"));
            }
            let flow = self.and_or(&item.0, io)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn and_or(&mut self, list: &AndOrList, io: &Io) -> Result<Flow, Refusal> {
        let mut flow = self.pipeline(&list.first, io)?;
        for next in &list.additional {
            if flow != Flow::On {
                return Ok(flow);
            }
            flow = match (next, self.vars.status) {
                (AndOr::And(pipeline), 0) => self.pipeline(pipeline, io)?,
                (AndOr::And(_), _) | (AndOr::Or(_), 0) => Flow::On,
                (AndOr::Or(pipeline), _) => self.pipeline(pipeline, io)?,
            };
        }
        Ok(flow)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, io: &Io) -> Result<Flow, Refusal> {
        if pipeline.timed.is_some() {
            return Err(Refusal::new("time"));
        }
        self.unopened = false;
        let flow = match pipeline.seq.as_slice() {
            [] => return Err(Refusal::new("a pipeline without a command")), // a bare `!`
            [command] => self.command(command, io)?,
            commands => {
                self.pipe(commands, io)?;
                Flow::On
            }
        };
        match (pipeline.bang, flow) {
            (false, _) => {}
            (true, Flow::On) if self.unopened => {
                return Err(Refusal::new("a redirection that fails behind !"))
            }
            (true, Flow::On) => self.vars.status = i32::from(self.vars.status == 0),
            (true, Flow::Break(_) | Flow::Continue(_) | Flow::Exit) => {
                return Err(Refusal::new("a jump behind !"))
            }
        }
        Ok(flow)
    }

    /// Runs one command in this shell.
    ///
    /// # Errors
    /// Where it is none that is understood exactly, or a limit is passed.
    pub fn command(&mut self, command: &Command, io: &Io) -> Result<Flow, Refusal> {
        self.step()?;
        stack::check()?;
        let mark = self.held;
        let flow = self.run_command(command, io)?;
        self.release(mark);
        Ok(flow)
    }

    fn run_command(&mut self, command: &Command, io: &Io) -> Result<Flow, Refusal> {
        self.substituted = None;
        match command {
            Command::Simple(simple) => self.simple(simple, io),
            Command::Compound(compound, redirects) => {
                let redirects = redirects.as_ref().map_or(&[][..], |r| r.0.as_slice());
                let mark = self.files.len();
                if self.many_lines && !redirects.is_empty() {
                    self.line = None; // of the last of its own
                }
                let flow = match self.redirect(io, redirects)? {
                    Some(io) => self.compound(compound, &io)?,
                    None => {
                        self.vars.status = 1;
                        Flow::On
                    }
                };
                self.finish_files(mark)?;
                Ok(flow)
            }
            Command::ExtendedTest(test, None) => {
                let around = std::mem::take(&mut self.depth);
                self.vars.status = i32::from(!self.extended_test(&test.expr, io)?);
                self.depth = around;
                Ok(Flow::On)
            }
            Command::ExtendedTest(..) => Err(Refusal::new("a redirection of [[ ]]")),
            Command::Function(_) => Err(Refusal::new("a function")),
        }
    }
}

/// The file of `$(<FILE)`.
fn read_file_only(program: &Program) -> Option<&str> {
    use brush_parser::ast::{IoFileRedirectKind, IoFileRedirectTarget, IoRedirect};
    let [list] = program.complete_commands.as_slice() else {
        return None;
    };
    let [item] = list.0.as_slice() else {
        return None;
    };
    let [Command::Simple(simple)] = item.0.first.seq.as_slice() else {
        return None;
    };
    if simple.word_or_name.is_some() || simple.suffix.is_some() || !item.0.additional.is_empty() {
        return None;
    }
    match simple.prefix.as_ref()?.0.as_slice() {
        [Item::IoRedirect(IoRedirect::File(
            None,
            IoFileRedirectKind::Read,
            IoFileRedirectTarget::Filename(word),
        ))] => Some(&word.value),
        _ => None,
    }
}
