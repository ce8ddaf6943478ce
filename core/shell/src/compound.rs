//! Compound commands: `if`, `for`, `while`, `case`, `( )` and `{ }`, from whose loops `break` and `continue` jump.

use brush_parser::ast::{CaseClauseCommand, CaseItemPostAction, CompoundCommand, CompoundList};
use curserve_text::fnmatch::Pattern;

use crate::exec::Flow;
use crate::state::Shell;
use crate::streams::Io;
use crate::Refusal;

impl Shell<'_> {
    /// Runs a compound command, whose redirections are in `io`.
    pub(crate) fn compound(&mut self, command: &CompoundCommand, io: &Io) -> Result<Flow, Refusal> {
        match command {
            CompoundCommand::BraceGroup(group) => self.list(&group.list, io),
            CompoundCommand::Subshell(subshell) => {
                let saved = self.vars.clone();
                let loops = std::mem::take(&mut self.loops);
                self.list(&subshell.list, io)?;
                let status = self.vars.status;
                self.vars = saved;
                self.loops = loops;
                self.vars.status = status;
                Ok(Flow::On)
            }
            CompoundCommand::ForClause(clause) => {
                let Some(words) = &clause.values else {
                    return Err(Refusal::new("for without words"));
                };
                let mut values = Vec::new();
                for word in words {
                    self.fields(&word.value, io, &mut values)?;
                }
                // The body finds the status of what was before, or of the last substitution among the words.
                if values.is_empty() {
                    self.vars.status = 0;
                }
                for value in values {
                    self.set(&clause.variable_name, Some(value))?;
                    match self.body(&clause.body.list, io)? {
                        Flow::On => {}
                        Flow::Break(_) => break,
                        flow => return Ok(flow),
                    }
                }
                Ok(Flow::On)
            }
            CompoundCommand::WhileClause(clause) => {
                self.loop_until(&clause.0, &clause.1.list, true, io)
            }
            CompoundCommand::UntilClause(clause) => {
                self.loop_until(&clause.0, &clause.1.list, false, io)
            }
            CompoundCommand::IfClause(clause) => {
                let flow = self.list(&clause.condition, io)?;
                if flow != Flow::On {
                    return Ok(flow);
                }
                if self.vars.status == 0 {
                    return self.list(&clause.then, io);
                }
                for other in clause.elses.iter().flatten() {
                    if let Some(condition) = &other.condition {
                        let flow = self.list(condition, io)?;
                        if flow != Flow::On {
                            return Ok(flow);
                        }
                        if self.vars.status != 0 {
                            continue;
                        }
                    }
                    return self.list(&other.body, io);
                }
                self.vars.status = 0;
                Ok(Flow::On)
            }
            CompoundCommand::Arithmetic(command) => {
                let text = self.arithmetic_text(&command.expr.value, io)?;
                self.vars.status = i32::from(self.arithmetic(&text)? == 0);
                Ok(Flow::On)
            }
            CompoundCommand::CaseClause(clause) => self.case(clause, io),
            CompoundCommand::ArithmeticForClause(_) | CompoundCommand::Coprocess(_) => {
                Err(Refusal::new("coproc or an arithmetic loop"))
            }
        }
    }

    /// `case`: the first list with a pattern that matches the whole word.
    fn case(&mut self, clause: &CaseClauseCommand, io: &Io) -> Result<Flow, Refusal> {
        let value = self.case_word(&clause.value.value, io, Self::single)?;
        for item in &clause.cases {
            if !matches!(item.post_action, CaseItemPostAction::ExitCase) {
                return Err(Refusal::new("a case that goes on behind its list"));
            }
            for word in &item.patterns {
                let pattern = self.case_word(&word.value, io, Self::pattern)?;
                if !Pattern::of_bash(&pattern, false)?.matches(&value)? {
                    continue;
                }
                if let Some(list) = &item.cmd {
                    return self.list(list, io);
                }
                self.vars.status = 0;
                return Ok(Flow::On);
            }
        }
        self.vars.status = 0;
        Ok(Flow::On)
    }

    /// A word of `case`, whose substitutions leave their status in `$?`.
    fn case_word(
        &mut self,
        word: &str,
        io: &Io,
        expand: impl Fn(&mut Self, &str, &Io) -> Result<Vec<u8>, Refusal>,
    ) -> Result<Vec<u8>, Refusal> {
        self.substituted = None;
        let value = expand(self, word, io)?;
        if let Some(status) = self.substituted {
            self.vars.status = status;
        }
        Ok(value)
    }

    /// The body of a loop; levels of `break` and `continue` that lie further out come back as they are.
    fn body(&mut self, list: &CompoundList, io: &Io) -> Result<Flow, Refusal> {
        self.step()?;
        self.loops += 1;
        let flow = self.list(list, io);
        self.loops -= 1;
        match flow? {
            Flow::Continue(1) => Ok(Flow::On),
            Flow::Break(n) | Flow::Continue(n) if n > 1 => {
                Err(Refusal::new("break or continue of several loops"))
            }
            flow => Ok(flow),
        }
    }

    fn loop_until(
        &mut self,
        condition: &CompoundList,
        body: &CompoundList,
        expected: bool,
        io: &Io,
    ) -> Result<Flow, Refusal> {
        let mut status = 0;
        loop {
            self.loops += 1;
            let flow = self.list(condition, io);
            self.loops -= 1;
            if flow? != Flow::On {
                return Err(Refusal::new("a jump out of a condition"));
            }
            if (self.vars.status == 0) != expected {
                break;
            }
            match self.body(body, io)? {
                Flow::On => status = self.vars.status,
                Flow::Break(_) => {
                    status = self.vars.status;
                    break;
                }
                flow => return Ok(flow),
            }
        }
        self.vars.status = status;
        Ok(Flow::On)
    }
}
