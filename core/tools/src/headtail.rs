//! `head` and `tail`: the first and last lines or bytes of files.

use curserve_text::quote;

use crate::input::{self, Operand};
use crate::opts::{self, Takes};
use crate::{Call, Refusal};

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

fn parse_count(text: &[u8], bytes: bool, other_end: u8) -> Result<Want, Refusal> {
    let (sign, digits) = match text.split_first() {
        Some((&s @ (b'-' | b'+'), rest)) => (s, rest),
        _ => (0, text),
    };
    let (count, other_end) = (opts::number(digits)?, sign == other_end);
    if bytes && other_end && count > FARTHEST {
        return Err(Refusal::new("an extreme count of bytes"));
    }
    Ok(Want {
        count,
        bytes,
        other_end,
    })
}

/// Lines that `head` with these arguments takes from standard input, when that is all it does.
/// The shell tells the program before it in the pipeline that no more will be read.
pub fn lines_wanted(args: &[&[u8]]) -> Option<u64> {
    let words = modern(args, false).ok()?;
    let parsed = opts::parse(HEAD, &words, false).ok()?;
    if !parsed.operands.is_empty() {
        return None;
    }
    match parsed.options.as_slice() {
        [] => Some(10),
        [(b'n', Some(v))] => opts::number(v).ok().filter(|&n| n > 0),
        _ => None,
    }
}

const HEAD: &[opts::Known] = &[
    (b'n', "lines", Takes::Value),
    (b'c', "bytes", Takes::Value),
    (b'q', "quiet", Takes::Nothing),
    (b'q', "silent", Takes::Nothing),
    (b'v', "verbose", Takes::Nothing),
];

/// Runs `head`.
pub fn head(call: &mut Call) -> Result<i32, Refusal> {
    run(call, false)
}

/// Runs `tail` (`-f` is refused).
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
            input::complain(call, &text);
            return Ok(1);
        }
    }
    let words = modern(&args, tail)?;
    let parsed = opts::parse(HEAD, &words, false)?;
    let mut want = Want {
        count: 10,
        bytes: false,
        other_end: false,
    };
    let (mut quiet, mut verbose) = (false, false);
    let other_end = if tail { b'+' } else { b'-' };
    for &(key, value) in &parsed.options {
        match (key, value) {
            (b'q', _) => (quiet, verbose) = (true, false),
            (b'v', _) => (quiet, verbose) = (false, true),
            (key, Some(v)) => want = parse_count(v, key == b'c', other_end)?,
            _ => {}
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
            let text = [
                name.as_bytes(),
                b": cannot open ",
                &quote::always(shown)?,
                b" for reading: ",
            ]
            .concat();
            input::complain(call, &[&text, reason.as_bytes(), b"\n"]);
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
                let text = [name.as_bytes(), b": error reading ", &quote::always(shown)?].concat();
                input::complain(call, &[&text, b": Is a directory\n"]);
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
    use super::{after_lines, last_lines, parse_count};

    #[test]
    fn more_bytes_than_a_file_can_have_are_left_to_the_program() {
        assert!(parse_count(b"-1099511627776", true, b'-').is_ok());
        assert!(parse_count(b"-9223372036854775808", true, b'-').is_err());
        assert!(parse_count(b"-9223372036854775808", false, b'-').is_ok());
        assert!(parse_count(b"9223372036854775808", true, b'-').is_ok());
        assert!(parse_count(b"-9223372036854775808", true, b'+').is_ok()); // of tail
        assert!(parse_count(b"+9223372036854775808", true, b'+').is_err());
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
