//! `cut`: fields, bytes (its characters are bytes as well).

use crate::deadline::Watch;
use crate::{input, Call, Refusal};
use curserve_text::options::{both, letter, long, other, Number, Style, Table, Takes};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Bytes,
    Fields,
    Delimiter,
    Ignored,
    OnlyDelimited,
    Joiner,
    Complement,
}

/// The options of `cut`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Bytes, 'b', "bytes", Takes::Text),
        both(Key::Bytes, 'c', "characters", Takes::Text),
        both(Key::Delimiter, 'd', "delimiter", Takes::Text),
        both(Key::Fields, 'f', "fields", Takes::Text),
        letter(Key::Ignored, 'n', Takes::Nothing),
        both(Key::OnlyDelimited, 's', "only-delimited", Takes::Nothing),
        long(Key::Joiner, "output-delimiter", Takes::Text),
        long(Key::Complement, "complement", Takes::Nothing),
        other('z', "zero-terminated", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// A place in a line; of more, cut was seen to lose fields.
const PLACE: Number = Number::between(1, i32::MAX as u64);

/// Runs `cut`.
///
/// # Errors
/// Where an option or a list is not done here, or an operand is not in memory.
pub fn cut(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let (mut list, mut by_fields, mut delimiter) = (None, false, None);
    let (mut only, mut joiner, mut complement) = (false, None, false);
    for given in &parsed.options {
        match (given.key, given.text()) {
            (Key::Bytes | Key::Fields, text) => {
                if list.replace(parse_list(text)?).is_some() {
                    return Err(Refusal::new("cut with two lists"));
                }
                by_fields = given.key == Key::Fields;
            }
            (Key::Delimiter, [byte]) => delimiter = Some(*byte),
            (Key::Delimiter, _) => {
                return Err(Refusal::new("a delimiter of cut that is not one byte"))
            }
            (Key::OnlyDelimited, _) => only = true,
            (Key::Joiner, []) => {
                return Err(Refusal::new("an empty joiner of cut, which is a NUL"))
            }
            (Key::Joiner, text) => joiner = Some(text),
            (Key::Complement, _) => complement = true,
            (Key::Ignored, _) => {}
        }
    }
    let Some(list) = list else {
        return Err(Refusal::new("cut without a list"));
    };
    if !by_fields && (delimiter.is_some() || only || joiner.is_some()) {
        return Err(Refusal::new("cut of bytes with a delimiter"));
    }
    let delimiter = delimiter.unwrap_or(b'\t');
    if delimiter == b'\n' {
        return Err(Refusal::new("cut on newlines"));
    }
    let own = [delimiter];
    let joiner = joiner.unwrap_or(&own);
    let list = joined(list);
    let chosen = |n: usize| {
        let before = list.partition_point(|&(a, _)| a <= n);
        (before > 0 && n <= list[before - 1].1) != complement
    };
    let mut out = Vec::new();
    let mut watch = Watch::new(call.deadline);
    input::each(call, "cut", parsed.operands, |call, content| {
        for line in input::lines(content) {
            if call.out.full() {
                break;
            }
            watch.pass(line.len())?;
            out.clear();
            if !by_fields {
                out.extend(
                    line.iter()
                        .enumerate()
                        .filter(|(i, _)| chosen(i + 1))
                        .map(|(_, b)| *b),
                );
            } else if memchr::memchr(delimiter, line).is_none() {
                if only {
                    continue;
                }
                out.extend_from_slice(line);
            } else {
                let mut first = true;
                for (i, field) in line.split(|&b| b == delimiter).enumerate() {
                    if chosen(i + 1) {
                        if !first {
                            out.extend_from_slice(joiner);
                        }
                        out.extend_from_slice(field);
                        first = false;
                    }
                }
            }
            out.push(b'\n');
            call.out.write(&out);
        }
        Ok(())
    })
}

/// `1,3-5,7-` as inclusive ranges, counted from one.
fn parse_list(text: &[u8]) -> Result<Vec<(usize, usize)>, Refusal> {
    text.split(|&b| b == b',')
        .map(|part| {
            let range = match memchr::memchr(b'-', part) {
                None => {
                    let n = place(part)?;
                    (n, n)
                }
                Some(_) if part.len() == 1 => {
                    return Err(Refusal::new("a range of cut with no end"))
                }
                Some(0) => (1, place(&part[1..])?),
                Some(i) if i + 1 == part.len() => (place(&part[..i])?, usize::MAX),
                Some(i) => (place(&part[..i])?, place(&part[i + 1..])?),
            };
            if range.0 == 0 || range.0 > range.1 {
                return Err(Refusal::new("a list of cut that is not one"));
            }
            Ok(range)
        })
        .collect()
}

fn place(text: &[u8]) -> Result<usize, Refusal> {
    Ok(PLACE.read(text)?.number as usize)
}

/// Ranges in their order, those that overlap as one: a line of many fields asks for each of them.
fn joined(mut ranges: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    ranges.sort_unstable();
    let mut joined: Vec<(usize, usize)> = Vec::new();
    for (start, end) in ranges {
        match joined.last_mut().filter(|last| start <= last.1) {
            Some(last) => last.1 = last.1.max(end),
            None => joined.push((start, end)),
        }
    }
    joined
}
