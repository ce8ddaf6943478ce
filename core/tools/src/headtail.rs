//! `head` and `tail`: the first and last lines or bytes of files.

use curserve_text::quote;

use crate::input::{self, Operand};
use crate::intake::{of_operands, Intake};
use crate::{Call, Reason, Refusal};
use curserve_text::options::{both, other, Count, Given, Number, Style, Table, Takes, Value};

/// How much of an input to keep.
#[derive(Clone, Copy)]
struct Want {
    count: u64,
    bytes: bool,
    /// `head -n -N`: all but the last; `tail -n +N`: from that one on.
    other_end: bool,
}

/// The offset after the `n`th line of `text`, or its end.
fn after_lines(text: &[u8], n: u64) -> usize {
    if n == 0 {
        return 0;
    }
    match memchr::memchr_iter(b'\n', text).nth((n - 1).min(usize::MAX as u64) as usize) {
        Some(i) => i + 1,
        None => text.len(),
    }
}

/// The offset where the last `n` lines of `text` begin; an unfinished last line is a line.
fn last_lines(text: &[u8], n: u64) -> usize {
    if n == 0 || text.is_empty() {
        return text.len();
    }
    let body = text.strip_suffix(b"\n").unwrap_or(text);
    match memchr::memrchr_iter(b'\n', body).nth((n - 1).min(usize::MAX as u64) as usize) {
        Some(i) => i + 1,
        None => 0,
    }
}

fn head_part(text: &[u8], want: Want) -> &[u8] {
    let len = text.len() as u64;
    let end = match (want.bytes, want.other_end) {
        (true, false) => want.count.min(len) as usize,
        (true, true) => len.saturating_sub(want.count) as usize,
        (false, false) => after_lines(text, want.count),
        (false, true) => last_lines(text, want.count),
    };
    &text[..end]
}

fn tail_part(text: &[u8], want: Want) -> &[u8] {
    let len = text.len() as u64;
    let start = match (want.bytes, want.other_end) {
        (true, false) => len.saturating_sub(want.count) as usize,
        (true, true) => want.count.saturating_sub(1).min(len) as usize,
        (false, false) => last_lines(text, want.count),
        (false, true) => after_lines(text, want.count.saturating_sub(1)),
    };
    &text[start..]
}

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Lines,
    Bytes,
    Quiet,
    Verbose,
}

/// How many lines or bytes: with a sign, either end.
const COUNT: Number = Number::between(0, u64::MAX).signed(b"+-").in_units(&[
    ("b", 512),
    ("kB", 1000),
    ("k", 1 << 10),
    ("K", 1 << 10),
    ("MB", 1_000_000),
    ("M", 1 << 20),
]);

/// The options of `head`.
pub(crate) const HEAD: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Lines, 'n', "lines", Takes::Number(&COUNT)),
        both(Key::Bytes, 'c', "bytes", Takes::Number(&COUNT)),
        both(Key::Quiet, 'q', "quiet", Takes::Nothing),
        both(Key::Quiet, 'q', "silent", Takes::Nothing),
        both(Key::Verbose, 'v', "verbose", Takes::Nothing),
        other('z', "zero-terminated", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// The options of `tail`.
pub(crate) const TAIL: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Lines, 'n', "lines", Takes::Number(&COUNT)),
        both(Key::Bytes, 'c', "bytes", Takes::Number(&COUNT)),
        both(Key::Quiet, 'q', "quiet", Takes::Nothing),
        both(Key::Quiet, 'q', "silent", Takes::Nothing),
        both(Key::Verbose, 'v', "verbose", Takes::Nothing),
        other('f', "follow", Takes::Maybe),
        other('F', "", Takes::Nothing),
        other(' ', "max-unchanged-stats", Takes::Text),
        other(' ', "pid", Takes::Text),
        other(' ', "retry", Takes::Nothing),
        other('s', "sleep-interval", Takes::Text),
        other('z', "zero-terminated", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
)
.with_plus();

/// Rewrites `-20` to `-n20`, which is how both programs read it as their first word.
fn modern<'a>(args: &[&'a [u8]], plus: bool) -> Result<Vec<std::borrow::Cow<'a, [u8]>>, Refusal> {
    let mut words: Vec<std::borrow::Cow<[u8]>> = args.iter().map(|a| (*a).into()).collect();
    for (i, word) in args.iter().enumerate() {
        let obsolete = match word {
            [b'-', d, ..] => d.is_ascii_digit(),
            [b'+', d, ..] => plus && i == 0 && d.is_ascii_digit(),
            _ => false,
        };
        if !obsolete || i > 0 && takes_value(args[i - 1]) {
            continue;
        }
        let digits = if word[0] == b'-' { &word[1..] } else { word };
        let plain = digits
            .iter()
            .skip(usize::from(word[0] == b'+'))
            .all(u8::is_ascii_digit);
        // Both programs take the old form as their first word only, and complain about it behind another.
        if !plain || i > 0 {
            return Err(Refusal::new("an old-style count with more beside it"));
        }
        if plus && args.len() > 2 {
            return Err(Refusal::new("an old-style count with several files"));
        }
        words[i] = [b"-n", digits].concat().into();
    }
    Ok(words)
}

fn takes_value(word: &[u8]) -> bool {
    matches!(word, b"-n" | b"-c" | b"--lines" | b"--bytes")
}

/// Bytes from the other end that every file system can seek to; farther, the programs may say that it cannot be done.
const FARTHEST: u64 = 1 << 40;

fn want(given: &Given<'_, Key>, other_end: u8) -> Result<Want, Refusal> {
    let Value::Number(Count { sign, number }) = given.value else {
        return Err(Refusal::new("a count that is none"));
    };
    let (bytes, other_end) = (given.key == Key::Bytes, sign == Some(other_end));
    if bytes && other_end && number > FARTHEST {
        return Err(Refusal::new("an extreme count of bytes"));
    }
    Ok(Want {
        count: number,
        bytes,
        other_end,
    })
}

/// How far `head` with these arguments reads standard input.
pub(crate) fn head_intake<A: AsRef<[u8]>>(args: &[A]) -> Intake {
    let args: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
    let Ok(words) = modern(&args, false) else {
        return Intake::Unknown;
    };
    let Ok(parsed) = HEAD.parse(&words) else {
        return Intake::Unknown;
    };
    let wanted = match parsed.options.as_slice() {
        [] => Some(10),
        [given] if given.key == Key::Lines => want(given, b'-')
            .ok()
            .filter(|want| !want.other_end && want.count > 0)
            .map(|want| want.count),
        _ => None,
    };
    match (of_operands(parsed.operands.into_iter()), wanted) {
        (Intake::All, Some(lines)) => Intake::Lines(lines),
        (Intake::All, None) => Intake::Unknown,
        (other, _) => other,
    }
}

/// How far `tail` with these arguments reads standard input.
pub(crate) fn tail_intake<A: AsRef<[u8]>>(args: &[A]) -> Intake {
    let args: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
    let Ok(words) = modern(&args, true) else {
        return Intake::Unknown;
    };
    match TAIL.parse(&words) {
        Ok(parsed) => of_operands(parsed.operands.into_iter()),
        Err(_) => Intake::Unknown,
    }
}

/// Runs `head`.
///
/// # Errors
/// Where an option is not done here, or an operand is neither a file nor in memory.
pub fn head(call: &mut Call) -> Result<i32, Refusal> {
    run(call, false)
}

/// Runs `tail` (`-f` is refused).
///
/// # Errors
/// Where an option is not done here, or an operand is neither a file nor in memory.
pub fn tail(call: &mut Call) -> Result<i32, Refusal> {
    run(call, true)
}

fn run(call: &mut Call, tail: bool) -> Result<i32, Refusal> {
    let name = if tail { "tail" } else { "head" };
    let args: Vec<&[u8]> = input::args(call);
    if let ([[b'-', digit @ b'0'..=b'9', ..], second, _, ..], true) = (args.as_slice(), tail) {
        // `tail` takes the old form with one file only, and looks no further.
        if *second != b"--" {
            let digit = [*digit];
            let text: [&[u8]; 3] = [b"tail: option used in invalid context -- ", &digit, b"\n"];
            call.complain(&text.concat());
            return Ok(1);
        }
    }
    let words = modern(&args, tail)?;
    let table = if tail { TAIL } else { HEAD };
    let parsed = table.parse(&words)?;
    let mut want = Want {
        count: 10,
        bytes: false,
        other_end: false,
    };
    let (mut quiet, mut verbose) = (false, false);
    let other_end = if tail { b'+' } else { b'-' };
    for given in &parsed.options {
        match given.key {
            Key::Quiet => (quiet, verbose) = (true, false),
            Key::Verbose => (quiet, verbose) = (false, true),
            // A sign was seen to hold for the counts behind it, too.
            Key::Lines | Key::Bytes if want.other_end => {
                return Err(Refusal::new("a second count of head or tail"))
            }
            Key::Lines | Key::Bytes => want = self::want(given, other_end)?,
        }
    }
    let mut operands = parsed.operands;
    if operands.is_empty() {
        operands.push(b"-");
    }
    input::named_once(call, &operands)?;
    let headers = verbose || (operands.len() > 1 && !quiet);
    if tail && want.count == 0 && !want.other_end {
        return Err(Refusal::new(
            "tail that wants nothing does not even open its files",
        ));
    }
    let (mut status, mut first) = (0, true);
    let last = operands.len() - 1;
    for (i, operand) in operands.into_iter().enumerate() {
        // Also when nobody reads on: it may still complain of one.
        let shown = if operand == b"-" {
            b"standard input"
        } else {
            operand
        };
        let opened = input::open(call, operand)?;
        if let Operand::Failed(reason) = &opened {
            let quoted = [&quote::always(shown)?[..], b" for reading"].concat();
            call.complain(&reason.complaint(&format!("{name}: cannot open "), &quoted));
            status = 1;
            continue;
        }
        if headers {
            call.out.write(if first { b"==> " } else { b"\n==> " });
            call.out.write(shown);
            call.out.write(b" <==\n");
            first = false;
        }
        match &opened {
            // `head` that wants nothing does not read.
            Operand::Directory if !tail && want.count == 0 && !want.other_end => {}
            Operand::Directory => {
                if tail && (want.bytes || want.other_end) && i < last {
                    return Err(Refusal::new(
                        "a folder where tail ends or goes on, by the file system",
                    ));
                }
                let head = format!("{name}: error reading ");
                call.complain(&Reason::IS_DIRECTORY.complaint(&head, &quote::always(shown)?));
                status = 1;
            }
            Operand::Content(content) => {
                let part = if tail {
                    tail_part(content, want)
                } else {
                    head_part(content, want)
                };
                call.out.write(part);
            }
            Operand::Failed(_) => {}
        }
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_bytes_than_a_file_can_have_are_left_to_the_program() {
        let read = |key, text: &[u8], other_end| {
            let value = Value::Number(COUNT.read(text).ok()?);
            want(&Given { key, value }, other_end).ok()
        };
        assert!(read(Key::Bytes, b"-1099511627776", b'-').is_some());
        assert!(read(Key::Bytes, b"-9223372036854775808", b'-').is_none());
        assert!(read(Key::Lines, b"-9223372036854775808", b'-').is_some());
        assert!(read(Key::Bytes, b"9223372036854775808", b'-').is_some());
        assert!(read(Key::Bytes, b"-9223372036854775808", b'+').is_some()); // of tail
        assert!(read(Key::Bytes, b"+9223372036854775808", b'+').is_none());
    }

    #[test]
    fn lines_are_counted_from_both_ends() {
        assert_eq!(after_lines(b"a\nb\nc", 2), 4);
        assert_eq!(after_lines(b"a\nb\nc", 9), 5);
        assert_eq!(last_lines(b"a\nb\nc", 1), 4);
        assert_eq!(last_lines(b"a\nb\nc\n", 1), 4);
        assert_eq!(last_lines(b"a\nb\n", 5), 0);
        assert_eq!(last_lines(b"\n\n", 1), 1);
    }
}
