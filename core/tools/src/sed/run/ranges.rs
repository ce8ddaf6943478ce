//! Which lines a command applies to: its addresses, and how far its range has come.

use super::state::State;
use crate::sed::command::{Address, Command, End};
use crate::Refusal;

/// How far the range of a command has come.
#[derive(Clone, Copy, PartialEq)]
enum Progress {
    NotBegun,
    /// It goes on to this line, or with `None` to where its end address matches.
    Until(Option<u64>),
    /// It does not begin again: its first line was given by number, 0 among them.
    Over,
}

/// The range of each command, by the command's index.
pub struct Ranges(Vec<Progress>);

impl Ranges {
    /// The ranges of so many commands, none of them begun.
    pub fn new(commands: usize) -> Self {
        Ranges(vec![Progress::NotBegun; commands])
    }

    /// Whether the range of the command `at` goes on behind this line.
    pub fn goes_on(&self, at: usize) -> bool {
        matches!(self.0[at], Progress::Until(_))
    }

    /// Whether this line is one that `command`, the one `at`, is addressed to; its `!` is the caller's.
    ///
    /// # Errors
    /// Where the first line of its range was skipped or comes again, or an expression cannot tell.
    pub fn select<'a>(
        &mut self,
        state: &mut State<'a, '_, '_>,
        at: usize,
        command: &'a Command,
    ) -> Result<bool, Refusal> {
        let Some(start) = &command.start else {
            return Ok(true);
        };
        let Some(end) = &command.end else {
            return matches(state, start);
        };
        let mut range = self.0[at];
        if matches!(start, Address::Zero) && range == Progress::NotBegun {
            range = Progress::Until(None);
        }
        // A range that starts at a line number or at 0 does so once.
        let done = match start {
            Address::Zero | Address::Line(_) => Progress::Over,
            _ => Progress::NotBegun,
        };
        let (selected, then) = match range {
            Progress::Over if matches!(start, Address::Line(n) if state.line == *n) => {
                return Err(Refusal::new("a range of sed on a line that comes again"))
            }
            Progress::Over => (false, Progress::Over),
            Progress::NotBegun => {
                if matches!(start, Address::Line(n) if state.line > *n) {
                    return Err(Refusal::new("a range of sed whose first line was skipped"));
                }
                if !matches(state, start)? {
                    return Ok(false);
                }
                let far = || Refusal::new("a range of sed beyond the last number");
                let until = match end {
                    End::At(Address::Line(n)) => Some(*n),
                    End::Plus(n) => Some(state.line.checked_add(*n).ok_or_else(far)?),
                    End::Multiple(0) => Some(state.line),
                    End::Multiple(n) if state.line.is_multiple_of(*n) => {
                        return Err(Refusal::new("a range of sed from a multiple to the next"))
                    }
                    End::Multiple(n) => {
                        Some(state.line.div_ceil(*n).checked_mul(*n).ok_or_else(far)?)
                    }
                    End::At(_) => None,
                };
                let one = until.is_some_and(|u| u <= state.line);
                (true, if one { done } else { Progress::Until(until) })
            }
            Progress::Until(Some(until)) if state.line < until => (true, range),
            Progress::Until(Some(until)) if state.line == until => (true, done),
            Progress::Until(Some(_)) => {
                return Err(Refusal::new("a range of sed whose last line was skipped"))
            }
            Progress::Until(None) => {
                let End::At(end) = end else { return Ok(true) };
                (
                    true,
                    if matches(state, end)? {
                        done
                    } else {
                        Progress::Until(None)
                    },
                )
            }
        };
        self.0[at] = then;
        Ok(selected)
    }
}

fn matches<'a>(state: &mut State<'a, '_, '_>, address: &'a Address) -> Result<bool, Refusal> {
    Ok(match address {
        Address::Line(n) => state.line == *n,
        Address::Last => state.inputs.at_end(),
        Address::Regex(regex) => state.regex(Some(regex))?.is_match(&state.space)?,
        Address::LastRegex => state.regex(None)?.is_match(&state.space)?,
        Address::Step(first, 0) => state.line == *first,
        Address::Step(first, step) => {
            state.line >= *first && (state.line - first).is_multiple_of(*step)
        }
        Address::Zero => false,
    })
}
