//! `sed`: reading, and `-i` on plain files; no `w`, no `e`.
//!
//! The way of a call: options and operands here, the script by [`script`] into the commands of [`command`], their
//! expressions by [`regex`]. Then [`span`] cuts out a range of lines, or [`run`] lets the commands act line by line;
//! [`in_place`] does so for `-i`.

mod command;
mod in_place;
mod regex;
mod run;
mod script;
mod span;

use crate::input::{self, Operand};
use crate::opts::{self, Takes};
use crate::{Call, Refusal};
use command::{Action, Command};

pub(crate) use regex::first_match;

const KNOWN: &[opts::Known] = &[
    (b'n', "quiet", Takes::Nothing),
    (b'n', "silent", Takes::Nothing),
    (b'e', "expression", Takes::Value),
    (b'E', "regexp-extended", Takes::Nothing),
    (b'r', "", Takes::Nothing),
    // With a suffix, which makes backups, it does not parse: -i takes no letters behind it.
    (b'i', "in-place", Takes::Last),
];

/// Runs `sed`.
pub fn sed(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = opts::parse(KNOWN, &args, false)?;
    let in_place = parsed.options.iter().any(|o| o.0 == b'i');
    let mut operands = parsed.operands;
    let quiet = parsed.options.iter().any(|o| o.0 == b'n');
    let extended = parsed.options.iter().any(|o| matches!(o.0, b'E' | b'r'));
    let mut pieces: Vec<&[u8]> = parsed.options.iter().filter_map(|o| o.1).collect();
    if pieces.is_empty() {
        if operands.is_empty() {
            return Err(Refusal::new("sed without a script"));
        }
        pieces.push(operands.remove(0));
    }
    if operands.is_empty() {
        operands.push(b"-");
    }
    let commands = script::parse(&pieces.join(&b"\n"[..]), extended)?;
    if in_place {
        return in_place::edit(call, &commands, &operands, quiet);
    }
    print(call, &commands, &operands, quiet)
}

/// Prints what the script makes of the operands; the exit status.
fn print(
    call: &mut Call,
    commands: &[Command],
    operands: &[&[u8]],
    quiet: bool,
) -> Result<i32, Refusal> {
    if call.writes.is_some_and(crate::Writes::pending) {
        return Err(Refusal::new("sed that may read what was written before it"));
    }
    let mut inputs = Vec::new();
    let mut status = 0;
    for &operand in operands {
        match input::open(call, operand)? {
            Operand::Content(content) => inputs.push(content),
            Operand::Directory if operands.len() == 1 => {
                input::complain_unflushed(
                    call,
                    &[b"sed: read error on ", operand, b": Is a directory\n"],
                );
                return Ok(4);
            }
            Operand::Directory => return Err(Refusal::new("sed on a folder among files")),
            Operand::Failed(reason) => {
                input::complain_unflushed(
                    call,
                    &[
                        b"sed: can't read ",
                        operand,
                        b": ",
                        reason.as_bytes(),
                        b"\n",
                    ],
                );
                status = 2;
            }
        }
    }
    if let (true, [command], [content]) = (quiet, commands, inputs.as_slice()) {
        if let Some((first, last)) = span::printed(command) {
            call.out.write(span::cut(content, first, last));
            return Ok(status);
        }
    }
    if status != 0
        && commands
            .iter()
            .any(|c| matches!(c.action, Action::Quit(_) | Action::QuitSilently(_)))
    {
        return Err(Refusal::new("sed that may quit before a missing file"));
    }
    let quit = run::run(call, commands, &inputs, quiet)?;
    Ok(if quit != 0 { quit } else { status })
}
