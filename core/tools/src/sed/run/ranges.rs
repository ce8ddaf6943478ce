//! Which lines a command applies to: its addresses, and how far its range has come.

use super::state::State;
use crate::sed::command::{Address, Command, End};
use crate::Refusal;

#[derive(Clone, Copy, PartialEq)]
enum Range {
    Inactive,
    /// Active until this line, or with `None` until its end address matches.
    Active(Option<u64>),
    /// A range from line 0 that has ended.
    Closed,
}

/// The range of each command, by the command's index.
pub struct Ranges(Vec<Range>);

impl Ranges {
    /// The ranges of so many commands, none of them begun.
    pub fn new(commands: usize) -> Self {
        Ranges(vec![Range::Inactive; commands])
    }

    /// Whether the range of the command `at` goes on behind this line.
    pub fn goes_on(&self, at: usize) -> bool {
        matches!(self.0[at], Range::Active(_))
    }

    /// Whether this line is one that `command`, the one `at`, is addressed to; its `!` is the caller's.
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
        if matches!(start, Address::Zero) && range == Range::Inactive {
            range = Range::Active(None);
        }
        // A range that starts at a line number or at 0 does so once.
        let done = match start {
            Address::Zero | Address::Line(_) => Range::Closed,
            _ => Range::Inactive,
        };
        let (selected, then) = match range {
            Range::Closed if matches!(start, Address::Line(n) if state.line == *n) => {
                return Err(Refusal::new("a range of sed on a line that comes again"))
            }
            Range::Closed => (false, Range::Closed),
            Range::Inactive => {
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
                (true, if one { done } else { Range::Active(until) })
            }
            Range::Active(Some(until)) if state.line < until => (true, range),
            Range::Active(Some(until)) if state.line == until => (true, done),
            Range::Active(Some(_)) => {
                return Err(Refusal::new("a range of sed whose last line was skipped"))
            }
            Range::Active(None) => {
                let End::At(end) = end else { return Ok(true) };
                (
                    true,
                    if matches(state, end)? {
                        done
                    } else {
                        Range::Active(None)
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
