//! `wc`: counts of lines, words, characters, bytes, and the longest line.

use curserve_text::quote;

use crate::deadline::{Deadline, Watch, BETWEEN_LOOKS};
use crate::input::{self, Operand};
use crate::{Call, Reason, Refusal};
use curserve_text::options::{both, other, Style, Table, Takes};

/// What there is to count, in the order in which it prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Lines,
    Words,
    Characters,
    Bytes,
    Longest,
}

/// The options of `wc`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Lines, 'l', "lines", Takes::Nothing),
        both(Key::Words, 'w', "words", Takes::Nothing),
        both(Key::Characters, 'm', "chars", Takes::Nothing),
        both(Key::Bytes, 'c', "bytes", Takes::Nothing),
        both(Key::Longest, 'L', "max-line-length", Takes::Nothing),
        other(' ', "files0-from", Takes::Text),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// Counts in the order in which they print: lines, words, characters, bytes, longest line.
type Counts = [u64; 5];

/// Runs `wc`.
///
/// # Errors
/// Where an option is not done here, characters depend on the locale, or an operand is not in memory.
pub fn wc(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let mut wanted = [false; 5];
    for given in &parsed.options {
        wanted[given.key as usize] = true;
    }
    if wanted == [false; 5] {
        wanted = [true, true, false, true, false];
    }
    let named = !parsed.operands.is_empty();
    let operands = if named {
        parsed.operands
    } else {
        vec![&b"-"[..]]
    };
    let width = width(call, &operands, wanted)?;
    let (mut status, mut total) = (0, Counts::default());
    for &operand in &operands {
        let counts = match input::open_once(call, operand)? {
            Operand::Content(content) => count(content, wanted, call.deadline)?,
            Operand::Directory => {
                call.complain(&Reason::IS_DIRECTORY.complaint("wc: ", &quote::bare(operand)?));
                status = 1;
                Counts::default()
            }
            Operand::Failed(reason) => {
                if operand.is_empty() {
                    call.complain(b"wc: invalid zero-length file name\n");
                } else {
                    call.complain(&reason.complaint("wc: ", &quote::bare(operand)?));
                }
                status = 1;
                continue;
            }
        };
        for (t, c) in total.iter_mut().zip(counts).take(4) {
            *t += c;
        }
        total[4] = total[4].max(counts[4]);
        if operand.contains(&b'\n') {
            return Err(Refusal::new("wc on a name with a newline"));
        }
        line(
            call,
            counts,
            wanted,
            width,
            if named { operand } else { b"" },
        );
    }
    if operands.len() > 1 {
        line(call, total, wanted, width, b"total");
    }
    Ok(status)
}

/// How wide each column is. Seen: a single number of a single operand is not padded; else a column has room for the size
/// of all files together, and for seven digits if anything but a file is among the operands.
fn width(call: &mut Call, operands: &[&[u8]], wanted: [bool; 5]) -> Result<usize, Refusal> {
    let mut sizes = Vec::with_capacity(operands.len());
    for &operand in operands {
        sizes.push(input::size_ahead(call, operand)?);
    }
    let numbers = wanted.iter().filter(|wanted| **wanted).count();
    if let ([_], 1) = (sizes.as_slice(), numbers) {
        return Ok(1);
    }
    let all: u64 = sizes
        .iter()
        .map(|size| match size {
            input::Ahead::File(size) => *size,
            _ => 0,
        })
        .sum();
    let has_other = sizes.iter().any(|size| matches!(size, input::Ahead::Other));
    let least = if has_other { 7 } else { 1 };
    Ok(all.to_string().len().max(least))
}

fn line(call: &mut Call, counts: Counts, wanted: [bool; 5], width: usize, name: &[u8]) {
    let mut text = Vec::new();
    for (count, _) in counts.iter().zip(wanted).filter(|(_, w)| *w) {
        if !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(format!("{count:>width$}").as_bytes());
    }
    if !name.is_empty() {
        text.push(b' ');
        text.extend_from_slice(name);
    }
    text.push(b'\n');
    call.out.write(&text);
}

fn count(text: &[u8], wanted: [bool; 5], deadline: Deadline) -> Result<Counts, Refusal> {
    let lines = memchr::memchr_iter(b'\n', text).count() as u64;
    let mut counts = [lines, 0, 0, text.len() as u64, 0];
    if !(wanted[1] || wanted[2] || wanted[4]) {
        return Ok(counts);
    }
    let ascii = text.is_ascii();
    if wanted[1] {
        counts[1] = if ascii {
            words_ascii(text, deadline)?
        } else {
            words(text, deadline)?
        };
    }
    if wanted[2] {
        counts[2] = match std::str::from_utf8(text) {
            Ok(s) => s.chars().count() as u64,
            Err(_) => return Err(Refusal::new("wc -m on text that is not UTF-8")),
        };
    }
    if wanted[4] {
        if !ascii || text.iter().any(|b| matches!(b, 0..=8 | 11..=31 | 127)) {
            return Err(Refusal::new("wc -L beyond printable ASCII"));
        }
        let width = |l: &[u8]| {
            l.iter()
                .fold(0u64, |n, &b| if b == b'\t' { n / 8 * 8 + 8 } else { n + 1 })
        };
        let mut watch = Watch::new(deadline);
        for line in text.split(|&b| b == b'\n') {
            watch.pass(line.len())?;
            counts[4] = counts[4].max(width(line));
        }
    }
    Ok(counts)
}

/// Words in ASCII: a printing character starts one, white space ends it, control characters do neither.
fn words_ascii(text: &[u8], deadline: Deadline) -> Result<u64, Refusal> {
    let (mut n, mut within) = (0, false);
    for part in text.chunks(BETWEEN_LOOKS) {
        deadline.check()?;
        for &b in part {
            if matches!(b, b' ' | 9..=13) {
                n += u64::from(within);
                within = false;
            } else if b.is_ascii_graphic() {
                within = true;
            }
        }
    }
    Ok(n + u64::from(within))
}

fn words(text: &[u8], deadline: Deadline) -> Result<u64, Refusal> {
    let refusal = || Refusal::new("wc -w on characters that need tables");
    let text = std::str::from_utf8(text).map_err(|_| refusal())?;
    let (mut n, mut within) = (0, false);
    for (at, c) in text.chars().enumerate() {
        if at % BETWEEN_LOOKS == 0 {
            deadline.check()?;
        }
        if matches!(c, ' ' | '\t'..='\r') {
            n += u64::from(within);
            within = false;
        } else if c.is_ascii_graphic() || clearly_prints(c) {
            within = true;
        } else if !c.is_ascii() {
            return Err(refusal());
        }
    }
    Ok(n + u64::from(within))
}

/// Characters that print in every table of characters: letters of old, common punctuation, arrows, boxes.
pub fn clearly_prints(c: char) -> bool {
    matches!(c, '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{17f}' | '\u{391}'..='\u{3a1}' | '\u{3b1}'..='\u{3c9}'
        | '\u{410}'..='\u{44f}' | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{2190}'..='\u{21ff}'
        | '\u{2200}'..='\u{22ff}' | '\u{2500}'..='\u{25ff}' | '\u{4e00}'..='\u{9fa5}' | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fa}' | '\u{ac00}'..='\u{d7a3}')
}

#[cfg(test)]
mod tests {
    use super::{words_ascii, Deadline};

    #[test]
    fn control_characters_neither_start_nor_end_a_word() {
        let words = |text| words_ascii(text, Deadline::default()).unwrap();
        assert_eq!(words(b"a\x01b c"), 2);
        assert_eq!(words(b"\x01 \x02"), 0);
    }
}
