//! Runs rules on lines.

use super::machine::Machine;
use super::program::{Expression, Rule, Statement, When};
use super::refuse::refuse;
use crate::{Call, Refusal};

/// A formatted text longer than this is refused.
const LONGEST_FORMATTED: usize = 4096;

/// How a rule ended.
enum Flow {
    On,
    Next,
    Exit,
}

impl<'a> Machine<'a> {
    /// Runs the actions of `rules`, one after another.
    pub(super) fn run<'r>(
        &mut self,
        call: &mut Call<'_>,
        rules: impl Iterator<Item = &'r Rule>,
    ) -> Result<(), Refusal> {
        for rule in rules {
            if !self.is_going() {
                break;
            }
            match self.statements(call, &rule.action)? {
                Flow::On => {}
                Flow::Exit => self.going = false,
                Flow::Next => return refuse("next outside of the lines"),
            }
        }
        Ok(())
    }

    /// Gives a line to the rules.
    pub(super) fn record(
        &mut self,
        call: &mut Call<'_>,
        rules: &[Rule],
        record: &'a [u8],
    ) -> Result<(), Refusal> {
        self.watch.pass(record.len())?;
        self.records += 1;
        self.file_records += 1;
        self.record = record;
        self.fields = None;
        for (at, rule) in rules.iter().enumerate() {
            let chosen = match &rule.when {
                When::Begin | When::End => false,
                When::Always => true,
                When::Is(condition) => self.is_true(call, condition)?,
                When::Range(first, last) => {
                    let chosen = self.within[at] || self.is_true(call, first)?;
                    self.within[at] = chosen && !self.is_true(call, last)?;
                    chosen
                }
            };
            if !chosen {
                continue;
            }
            match self.statements(call, &rule.action)? {
                Flow::On => {}
                Flow::Next => break,
                Flow::Exit => {
                    self.going = false;
                    break;
                }
            }
        }
        Ok(())
    }

    fn statements(
        &mut self,
        call: &mut Call<'_>,
        statements: &[Statement],
    ) -> Result<Flow, Refusal> {
        for statement in statements {
            let flow = match statement {
                Statement::Print(list) => self.print(call, list)?,
                Statement::Format(format, list) => self.format(call, format, list)?,
                Statement::If(condition, then, otherwise) => {
                    let chosen = if self.is_true(call, condition)? {
                        then
                    } else {
                        otherwise
                    };
                    self.statements(call, chosen)?
                }
                Statement::While(condition, body, step) => {
                    self.repeat(call, condition, body, step.as_ref())?
                }
                Statement::Next => Flow::Next,
                Statement::Exit(status) => {
                    if let Some(status) = status {
                        self.status = self.value(call, status)?.whole()?;
                    }
                    Flow::Exit
                }
                Statement::Do(expression) => {
                    self.value(call, expression)?;
                    Flow::On
                }
            };
            if !matches!(flow, Flow::On) {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn repeat(
        &mut self,
        call: &mut Call<'_>,
        condition: &Expression,
        body: &[Statement],
        step: Option<&Expression>,
    ) -> Result<Flow, Refusal> {
        while self.is_true(call, condition)? {
            self.watch.pass(0)?;
            match self.statements(call, body)? {
                Flow::On => {}
                other => return Ok(other),
            }
            if let Some(step) = step {
                self.value(call, step)?;
            }
        }
        Ok(Flow::On)
    }

    fn print(&mut self, call: &mut Call<'_>, list: &[Expression]) -> Result<Flow, Refusal> {
        let mut text = Vec::new();
        match list {
            [] => text.extend_from_slice(self.record),
            list => {
                for (at, expression) in list.iter().enumerate() {
                    let value = self.value(call, expression)?.text()?;
                    if at > 0 {
                        text.extend_from_slice(&self.output_separator);
                    }
                    text.extend_from_slice(&value);
                }
            }
        }
        text.push(b'\n');
        self.watch.pass(text.len())?;
        call.out.write(&text);
        Ok(Flow::On)
    }

    fn format(
        &mut self,
        call: &mut Call<'_>,
        format: &[u8],
        list: &[Expression],
    ) -> Result<Flow, Refusal> {
        let mut values = Vec::with_capacity(list.len());
        for expression in list {
            values.push(self.value(call, expression)?);
        }
        let text = super::format::formatted(format, &values)?;
        if text.len() > LONGEST_FORMATTED {
            return refuse("a long formatted text");
        }
        call.out.write(&text);
        Ok(Flow::On)
    }
}
