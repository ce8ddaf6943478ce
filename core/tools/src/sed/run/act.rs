//! What each command does to the state, and where the cycle goes from there.

use super::ranges::Ranges;
use super::replace::replace;
use super::state::{State, SPACE};
use crate::sed::command::{Action, Address, Command};
use crate::Refusal;

/// What a command asks of the cycle.
pub enum Step {
    /// The next command.
    Next,
    /// The command of this index; past the last one, the end of the cycle.
    Goto(usize),
    /// The end of the cycle, which prints nothing.
    EndSilently,
    /// A new cycle on what the pattern space holds.
    Restart,
    /// The end of it all with this exit status; the pattern space is printed first, or not.
    Quit(i32, bool),
}

/// Does what `command`, the one `at`, says.
///
/// # Errors
/// Where a space grows beyond its limit, or GNU sed may do otherwise.
pub fn act<'a>(
    state: &mut State<'a, '_, '_>,
    ranges: &Ranges,
    at: usize,
    command: &'a Command,
) -> Result<Step, Refusal> {
    match &command.action {
        Action::Block(_) | Action::Nothing => {}
        Action::Print => state.print_space(),
        Action::PrintFirst => {
            let end = memchr::memchr(b'\n', &state.space);
            let first = state.space[..end.unwrap_or(state.space.len())].to_vec();
            state.write(&first, end.is_some() || state.newline);
        }
        Action::Delete => return Ok(Step::EndSilently),
        Action::DeleteFirst => {
            let Some(end) = memchr::memchr(b'\n', &state.space) else {
                return Ok(Step::EndSilently);
            };
            state.space.drain(..=end);
            return Ok(Step::Restart);
        }
        Action::Quit(status) => {
            if !state.quiet {
                state.print_space();
            }
            state.flush_after();
            // Unlike the end of the input, this ends the last line.
            state.settle();
            return Ok(Step::Quit(*status, false));
        }
        Action::QuitSilently(status) => return Ok(Step::Quit(*status, false)),
        Action::Number => state.write(state.line.to_string().as_bytes(), true),
        Action::Next | Action::Append if state.inputs.at_end() => return Ok(Step::Quit(0, true)),
        Action::Next => {
            if !state.quiet {
                state.print_space();
            }
            state.flush_after();
            state.read();
        }
        Action::Append => {
            state.flush_after();
            state.read_behind();
        }
        Action::Hold => {
            state.hold.clone_from(&state.space);
            state.hold_newline = state.newline;
        }
        Action::HoldAppend => {
            state.hold_newline = state.newline;
            state.hold.push(b'\n');
            state.hold.extend_from_slice(&state.space);
        }
        Action::Get => {
            state.space.clone_from(&state.hold);
            state.newline = state.hold_newline;
        }
        Action::GetAppend => {
            state.newline = state.hold_newline;
            state.space.push(b'\n');
            state.space.extend_from_slice(&state.hold);
        }
        Action::Exchange => {
            std::mem::swap(&mut state.space, &mut state.hold);
            std::mem::swap(&mut state.newline, &mut state.hold_newline);
        }
        Action::Substitute(s) => {
            if replace(state, s)? {
                state.replaced = true;
                if s.print {
                    state.print_space();
                }
            }
        }
        Action::Map(map) => state.space.iter_mut().for_each(|b| *b = map[*b as usize]),
        Action::After(text) => state.append(text)?,
        Action::Before(text) => state.write_text(text),
        Action::Change(_)
            if command.end.is_some() && matches!(command.start, Some(Address::Last)) =>
        {
            return Err(Refusal::new("c of sed over a range from the last line"))
        }
        Action::Change(text) => {
            let last = command.end.is_none() || !ranges.goes_on(at);
            if last {
                state.write_text(text);
            }
            return Ok(Step::EndSilently);
        }
        Action::Branch(to) => return Ok(Step::Goto(*to)),
        Action::BranchIf(to) | Action::BranchUnless(to) => {
            let wanted = matches!(command.action, Action::BranchIf(_));
            if std::mem::take(&mut state.replaced) == wanted {
                return Ok(Step::Goto(*to));
            }
        }
    }
    if state.space.len() > SPACE || state.hold.len() > SPACE {
        return Err(Refusal::new("a pattern space of sed beyond 16 MiB"));
    }
    Ok(Step::Next)
}
