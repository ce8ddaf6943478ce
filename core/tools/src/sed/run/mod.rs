//! Runs a script over the operands: the cycle that reads a line, lets every command act that is addressed to it, and
//! prints what is left.

mod act;
mod inputs;
mod ranges;
mod replace;
mod state;

use super::command::{Action, Command};
use super::How;
use crate::input::Content;
use crate::{Call, Refusal};
use act::{act, Step};
use ranges::Ranges;
use state::State;

/// How many commands a script may run: one that branches in circles would never end.
const FUEL: u64 = 50_000_000;
/// On a pattern space of this length a single command takes longer than a look at the clock; else one in many asks for it.
const LONG: usize = 16 << 10;

/// Runs `commands` over `contents` as over one text; the exit status.
///
/// # Errors
/// As [`act::act`], and where it runs long.
pub fn run(
    call: &mut Call,
    commands: &[Command],
    contents: &[Content],
    how: How,
) -> Result<i32, Refusal> {
    let quiet = how.quiet;
    let mut state = State::new(call, contents, how);
    let mut ranges = Ranges::new(commands.len());
    let mut fuel = FUEL;
    let mut fresh = true;
    loop {
        if state.call.out.full() {
            return Ok(0);
        }
        if fresh && !state.read() {
            return Ok(0);
        }
        fresh = true;
        let mut at = 0;
        let mut silent = quiet;
        while let Some(command) = commands.get(at) {
            fuel = fuel
                .checked_sub(1)
                .ok_or_else(|| Refusal::new("a script of sed that runs long"))?;
            if fuel.is_multiple_of(1024) || state.space.len() > LONG {
                state.call.deadline.check()?;
            }
            if ranges.select(&mut state, at, command)? == command.negated {
                at = match command.action {
                    Action::Block(end) => end + 1,
                    _ => at + 1,
                };
                continue;
            }
            match act(&mut state, &ranges, at, command)? {
                Step::Next => at += 1,
                Step::Goto(to) => at = to,
                Step::EndSilently => {
                    silent = true;
                    break;
                }
                Step::Restart => {
                    if !state.after.is_empty() {
                        return Err(Refusal::new("D of sed with text still to append"));
                    }
                    silent = true;
                    fresh = false;
                    break;
                }
                Step::Quit(status, print) => {
                    if print && !quiet {
                        state.print_space();
                    }
                    state.flush_after();
                    return Ok(status);
                }
            }
        }
        if !silent {
            state.print_space();
        }
        state.flush_after();
    }
}
