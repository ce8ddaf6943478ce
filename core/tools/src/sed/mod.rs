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
use crate::intake::{of_operands, Intake};
use crate::{Call, Reason, Refusal};
use command::{Action, Command};
use curserve_text::options::{both, letter, long, other, Given, Style, Table, Takes, Value};

pub(crate) use regex::first_match;

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Quiet,
    Expression,
    Extended,
    Separate,
    NullData,
    InPlace,
}

/// The options of `sed`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Quiet, 'n', "quiet", Takes::Nothing),
        both(Key::Quiet, 'n', "silent", Takes::Nothing),
        both(Key::Expression, 'e', "expression", Takes::Text),
        both(Key::Extended, 'E', "regexp-extended", Takes::Nothing),
        letter(Key::Extended, 'r', Takes::Nothing),
        both(Key::Separate, 's', "separate", Takes::Nothing),
        both(Key::NullData, 'z', "null-data", Takes::Nothing),
        long(Key::NullData, "zero-terminated", Takes::Nothing),
        both(Key::InPlace, 'i', "in-place", Takes::Attached),
        other(' ', "debug", Takes::Nothing),
        other('f', "file", Takes::Text),
        other(' ', "follow-symlinks", Takes::Nothing),
        other('l', "line-length", Takes::Text),
        other(' ', "posix", Takes::Nothing),
        other(' ', "sandbox", Takes::Nothing),
        other('u', "unbuffered", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// Runs `sed`.
///
/// # Errors
/// Where the script or an option is not done here, or an operand is not in memory.
pub fn sed(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let in_place = parsed.has(Key::InPlace);
    let (quiet, extended) = (parsed.has(Key::Quiet), parsed.has(Key::Extended));
    let mut pieces: Vec<&[u8]> = Vec::new();
    for given in &parsed.options {
        match (given.key, given.value) {
            (Key::Expression, Value::Text(script)) => pieces.push(script),
            (Key::InPlace, Value::Text(_)) => {
                return Err(Refusal::new("sed -i that makes backups"));
            }
            _ => {}
        }
    }
    let (separate, nul) = (parsed.has(Key::Separate), parsed.has(Key::NullData));
    let mut operands = parsed.operands;
    if pieces.is_empty() {
        if operands.is_empty() {
            return Err(Refusal::new("sed without a script"));
        }
        pieces.push(operands.remove(0));
    }
    if operands.is_empty() {
        operands.push(b"-");
    }
    input::named_once(call, &operands)?;
    let commands = script::parse(&pieces.join(&b"\n"[..]), extended)?;
    if nul && (in_place || !commands.iter().all(Command::heeds_no_newline)) {
        return Err(Refusal::new("sed -z with more than s, p and d"));
    }
    if in_place {
        return in_place::edit(call, &commands, &operands, quiet);
    }
    if separate && commands.iter().any(Command::outlasts_a_file) {
        return Err(Refusal::new("sed -s with a hold space or q"));
    }
    let how = How {
        quiet,
        separate,
        end: if nul { 0 } else { b'\n' },
    };
    print(call, &commands, &operands, how)
}

/// How far `sed` with these arguments reads standard input.
pub(crate) fn intake<A: AsRef<[u8]>>(args: &[A]) -> Intake {
    let Ok(parsed) = TABLE.parse(args) else {
        return Intake::Unknown;
    };
    let scripts = parsed
        .options
        .iter()
        .filter(|given| given.key == Key::Expression);
    let mut scripts: Vec<&[u8]> = scripts.map(Given::text).collect();
    let mut operands = parsed.operands.as_slice();
    if let (true, Some((script, rest))) = (scripts.is_empty(), operands.split_first()) {
        scripts.push(script);
        operands = rest;
    }
    let quits = |script: &&[u8]| script.iter().any(|b| matches!(b, b'q' | b'Q'));
    match of_operands(operands.iter().copied()) {
        Intake::All if scripts.is_empty() || scripts.iter().any(quits) => Intake::Unknown,
        intake => intake,
    }
}

/// How the lines of the operands are read and printed.
#[derive(Clone, Copy)]
struct How {
    /// `-n`: the end of a cycle prints nothing.
    quiet: bool,
    /// `-s`: each operand is a text of its own.
    separate: bool,
    /// What ends a line.
    end: u8,
}

/// Prints what the script makes of the operands; the exit status.
fn print(
    call: &mut Call,
    commands: &[Command],
    operands: &[&[u8]],
    how: How,
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
                let line = Reason::IS_DIRECTORY.complaint("sed: read error on ", operand);
                call.complain_early(&line);
                return Ok(4);
            }
            Operand::Directory => return Err(Refusal::new("sed on a folder among files")),
            Operand::Failed(reason) => {
                call.complain_early(&reason.complaint("sed: can't read ", operand));
                status = 2;
            }
        }
    }
    let plain = how.quiet && how.end == b'\n';
    if let (true, [command], [content]) = (plain, commands, inputs.as_slice()) {
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
    if how.separate {
        let (_, others) = inputs.split_last().unwrap_or((&&b""[..], &[]));
        if others
            .iter()
            .any(|text| text.last().is_some_and(|&b| b != how.end))
        {
            return Err(Refusal::new(
                "sed -s on a file without a newline at its end",
            ));
        }
        for input in inputs {
            run::run(call, commands, &[input], how)?;
        }
        return Ok(status);
    }
    let quit = run::run(call, commands, &inputs, how)?;
    Ok(if quit != 0 { quit } else { status })
}
