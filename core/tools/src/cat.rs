//! `cat`, with the flags that number and show.

use curserve_text::quote;

use crate::deadline::Watch;
use crate::decimal::push_number;
use crate::input::{self, Operand};
use crate::{Call, Reason, Refusal};
use curserve_text::options::{both, letter, other, Style, Table, Takes};

#[derive(Default, Clone, Copy)]
struct Flags {
    number: bool,
    number_full: bool,
    ends: bool,
    tabs: bool,
    nonprinting: bool,
    squeeze: bool,
}

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    All,
    NumberFull,
    EndsVisibly,
    Ends,
    Number,
    Squeeze,
    TabsVisibly,
    Tabs,
    Ignored,
    Nonprinting,
}

/// The options of `cat`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::All, 'A', "show-all", Takes::Nothing),
        both(Key::NumberFull, 'b', "number-nonblank", Takes::Nothing),
        letter(Key::EndsVisibly, 'e', Takes::Nothing),
        both(Key::Ends, 'E', "show-ends", Takes::Nothing),
        both(Key::Number, 'n', "number", Takes::Nothing),
        both(Key::Squeeze, 's', "squeeze-blank", Takes::Nothing),
        letter(Key::TabsVisibly, 't', Takes::Nothing),
        both(Key::Tabs, 'T', "show-tabs", Takes::Nothing),
        letter(Key::Ignored, 'u', Takes::Nothing),
        both(Key::Nonprinting, 'v', "show-nonprinting", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// What goes on from one file to the next.
struct State {
    line: u64,
    blank_lines: u32,
    at_start: bool,
}

/// Runs `cat`.
///
/// # Errors
/// Where an option is not done here, or an operand is neither a file nor in memory.
pub fn cat(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let mut flags = Flags::default();
    for given in &parsed.options {
        match given.key {
            Key::All => (flags.nonprinting, flags.ends, flags.tabs) = (true, true, true),
            Key::EndsVisibly => (flags.nonprinting, flags.ends) = (true, true),
            Key::TabsVisibly => (flags.nonprinting, flags.tabs) = (true, true),
            Key::NumberFull => (flags.number, flags.number_full) = (true, true),
            Key::Number => flags.number = true,
            Key::Ends => flags.ends = true,
            Key::Tabs => flags.tabs = true,
            Key::Nonprinting => flags.nonprinting = true,
            Key::Squeeze => flags.squeeze = true,
            Key::Ignored => {}
        }
    }
    let plain = !(flags.number || flags.ends || flags.tabs || flags.nonprinting || flags.squeeze);
    let others =
        flags.number_full || flags.ends || flags.tabs || flags.nonprinting || flags.squeeze;
    let numbers_only = flags.number && !others;
    let mut operands = parsed.operands;
    if operands.is_empty() {
        operands.push(b"-");
    }
    let mut status = 0;
    let mut state = State {
        line: 0,
        blank_lines: 0,
        at_start: true,
    };
    for operand in operands {
        // Also when nobody reads on: it may still complain of one.
        let reason = match input::open_once(call, operand)? {
            Operand::Content(content) if plain => {
                call.out.write(content);
                continue;
            }
            Operand::Content(content) if numbers_only => {
                number(content, &mut state, call)?;
                continue;
            }
            Operand::Content(content) => {
                show(content, flags, &mut state, call)?;
                continue;
            }
            Operand::Directory => Reason::IS_DIRECTORY,
            Operand::Failed(reason) => reason,
        };
        let name = quote::bare(operand)?;
        call.complain(&reason.complaint("cat: ", &name));
        status = 1;
    }
    Ok(status)
}

/// `cat -n`, which agents ask for whole files: written in large pieces.
fn number(content: &[u8], state: &mut State, call: &mut Call) -> Result<(), Refusal> {
    const PIECE: usize = 32 << 10;
    let mut piece = Vec::with_capacity(PIECE.min(content.len() * 2) + 4096);
    let mut from = 0;
    while from < content.len() && !call.out.full() {
        call.deadline.check()?;
        piece.clear();
        while from < content.len() && piece.len() < PIECE {
            if state.at_start {
                state.line += 1;
                push_padded(&mut piece, state.line);
            }
            let end = memchr::memchr(b'\n', &content[from..]);
            let to = end.map_or(content.len(), |end| from + end + 1);
            piece.extend_from_slice(&content[from..to]);
            state.at_start = end.is_some();
            from = to;
        }
        call.out.write(&piece);
    }
    Ok(())
}

fn show(content: &[u8], flags: Flags, state: &mut State, call: &mut Call) -> Result<(), Refusal> {
    let mut watch = Watch::new(call.deadline);
    let mut line_out = Vec::new();
    let mut rest = content;
    while !rest.is_empty() && !call.out.full() {
        let end = memchr::memchr(b'\n', rest);
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = &rest[end.map_or(rest.len(), |e| e + 1)..];
        watch.pass(line.len())?;
        line_out.clear();
        let blank = state.at_start && line.is_empty() && end.is_some();
        if blank {
            state.blank_lines += 1;
            if flags.squeeze && state.blank_lines > 1 {
                continue;
            }
        } else {
            state.blank_lines = 0;
        }
        if state.at_start && flags.number && !(flags.number_full && blank) {
            state.line += 1;
            push_padded(&mut line_out, state.line);
        }
        for (i, &b) in line.iter().enumerate() {
            // A carriage return before the newline shows as ^M under -E.
            let return_at_end = b == b'\r' && i + 1 == line.len() && end.is_some();
            if flags.ends && return_at_end {
                line_out.extend_from_slice(b"^M");
            } else {
                show_byte(b, flags, &mut line_out);
            }
        }
        if end.is_some() {
            line_out.extend_from_slice(if flags.ends { b"$\n" } else { b"\n" });
        }
        state.at_start = end.is_some();
        call.out.write(&line_out);
    }
    Ok(())
}

/// `%6d` and a tab.
fn push_padded(out: &mut Vec<u8>, number: u64) {
    let digits = number.checked_ilog10().unwrap_or(0) as usize + 1;
    out.extend_from_slice(&b"      "[digits.min(6)..]);
    push_number(out, number);
    out.push(b'\t');
}

fn show_byte(b: u8, flags: Flags, out: &mut Vec<u8>) {
    if b == b'\t' {
        out.extend_from_slice(if flags.tabs { b"^I" } else { b"\t" });
        return;
    }
    if !flags.nonprinting {
        out.push(b);
        return;
    }
    let low = b & 0x7f;
    if b >= 128 {
        out.extend_from_slice(b"M-");
    }
    match low {
        0x7f => out.extend_from_slice(b"^?"),
        0..=31 => out.extend_from_slice(&[b'^', low + 64]),
        _ => out.push(low),
    }
}
