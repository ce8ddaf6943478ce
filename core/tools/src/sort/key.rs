//! The keys of `sort` (`-k`): where in a line they lie, and in which order they put lines.
//!
//! POSIX has the form, `F[.C][letters][,F[.C][letters]]`, and the manual the rest: a field begins with the blanks before it,
//! or behind a separator (`-t`); a key may reach over fields; one that would begin after its end is empty. Places were
//! looked at with `sort --debug`, which underlines them.

use std::ops::Range;

use curserve_text::options::Number;

use super::blanks::{blanks, is_blank};
use super::order::Order;
use crate::Refusal;

/// A part of each line, and an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    start: Place,
    /// None: at the end of the line.
    end: Option<End>,
    pub(super) order: Order,
}

/// A character's place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Fields before its own.
    fields: usize,
    /// Blanks that begin its field do not count.
    without_blanks: bool,
    /// Bytes before it in its field.
    bytes: usize,
}

/// Where a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Before this place.
    Before(Place),
    /// With the field that comes after so many.
    OfField(usize),
}

impl Key {
    /// All of a line.
    pub(super) fn of_lines(order: Order) -> Key {
        let start = Place {
            fields: 0,
            without_blanks: order.start_blanks,
            bytes: 0,
        };
        Key {
            start,
            end: None,
            order,
        }
    }

    /// The value of a `-k`; `global` is the order of keys that name none.
    pub(super) fn parse(text: &[u8], global: Order) -> Result<Key, Refusal> {
        let (first, second) = match text.iter().position(|&byte| byte == b',') {
            Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
            None => (text, None),
        };
        let mut order = Order::default();
        let start = Written::parse(first)?;
        order.start_blanks |= order.add_all(start.letters)?;
        let end = second.map(Written::parse).transpose()?;
        if let Some(end) = &end {
            order.end_blanks |= order.add_all(end.letters)?;
        }
        if order == Order::default() {
            order = global;
        }
        let place = |written: &Written<'_>, bytes, without_blanks| Place {
            fields: written.field - 1,
            without_blanks,
            bytes,
        };
        let Some(first) = start.character.unwrap_or(1).checked_sub(1) else {
            return Err(Refusal::new("a key of sort that begins before its field"));
        };
        Ok(Key {
            start: place(&start, first, order.start_blanks),
            end: end.map(|end| match end.character.unwrap_or(0) {
                0 => End::OfField(end.field - 1),
                last => End::Before(place(&end, last, order.end_blanks)),
            }),
            order,
        })
    }

    /// Where the key lies in `line`.
    #[inline]
    pub(super) fn range(&self, line: &[u8], separator: Option<u8>) -> Range<usize> {
        let start = self.start.find(line, separator);
        let end = match self.end {
            None => line.len(),
            Some(End::Before(place)) => place.find(line, separator),
            Some(End::OfField(fields)) => {
                let begin = skip_fields(line, fields, separator);
                begin + field_length(&line[begin..], separator)
            }
        };
        start..end.max(start)
    }
}

impl Place {
    #[inline]
    fn find(self, line: &[u8], separator: Option<u8>) -> usize {
        let mut at = skip_fields(line, self.fields, separator);
        if self.without_blanks {
            at += blanks(&line[at..]);
        }
        at.saturating_add(self.bytes).min(line.len())
    }
}

/// Half of a `-k`, as it is written.
struct Written<'t> {
    field: usize,
    character: Option<usize>,
    letters: &'t [u8],
}

impl Written<'_> {
    fn parse(text: &[u8]) -> Result<Written<'_>, Refusal> {
        let (field, rest) = number(text)?;
        if field == 0 {
            return Err(Refusal::new("a key of sort in field 0"));
        }
        let (character, letters) = match rest {
            [b'.', rest @ ..] => {
                let (character, rest) = number(rest)?;
                (Some(character), rest)
            }
            rest => (None, rest),
        };
        Ok(Written {
            field,
            character,
            letters,
        })
    }
}

/// The number that `text` begins with, and what comes after it.
fn number(text: &[u8]) -> Result<(usize, &[u8]), Refusal> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(digits);
    Ok((PLACE.read(digits)?.number as usize, rest))
}

/// Of a field or a character. Of more, sort was seen to make something else.
const PLACE: Number = Number::between(0, i64::MAX as u64);

/// Where the field begins that comes after so many; the end of the line where there are fewer.
#[inline]
fn skip_fields(line: &[u8], fields: usize, separator: Option<u8>) -> usize {
    let mut at = 0;
    for _ in 0..fields {
        at += field_length(&line[at..], separator);
        if at == line.len() {
            break;
        }
        at += usize::from(separator.is_some());
    }
    at
}

/// How long the field is that `text` begins with.
#[inline]
fn field_length(text: &[u8], separator: Option<u8>) -> usize {
    match separator {
        Some(separator) => memchr::memchr(separator, text).unwrap_or(text.len()),
        None => {
            let blanks = blanks(text);
            let word = text[blanks..].iter().position(|&byte| is_blank(byte));
            word.map_or(text.len(), |word| blanks + word)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(key: &str, separator: Option<u8>, line: &'static str) -> Option<&'static str> {
        let key = Key::parse(key.as_bytes(), Order::default()).ok()?;
        Some(&line[key.range(line.as_bytes(), separator)])
    }

    #[test]
    fn keys_lie_where_sort_debug_underlines_them() {
        for (key, blank, colon) in [
            ("2", "  cd ef", "ab::cd:e"),
            ("2,2", "  cd", "ab"),
            ("2.2", " cd ef", "b::cd:e"),
            ("2b,2", "cd", "ab"),
            ("2.2b,2.3", "", "b:"),
            ("2,2.1b", "  c", "a"),
            ("2,3.0", "  cd ef", "ab:"),
            ("1.9,2.2", "", ""),
            ("3", " ef", ":cd:e"),
            ("2b,2.1b", "c", "a"),
            ("2.3,2.1", "", ""),
            ("3,2", "", ""),
            ("1.2,2.2b", " ab  cd", "ab"),
            ("9", "", ""),
        ] {
            assert_eq!(part(key, None, "  ab  cd ef"), Some(blank), "{key}");
            assert_eq!(part(key, Some(b':'), ":ab::cd:e"), Some(colon), "{key}");
        }
    }

    #[test]
    fn what_sort_complains_about_is_refused() {
        for key in [
            "",
            "0",
            "1.0",
            "1,0",
            "a",
            "1.",
            "1,",
            "1.1.1",
            "1,1,1",
            "1x",
            ".1",
            "-1",
            "+1",
            "1n.1",
            "99999999999999999999",
        ] {
            assert_eq!(part(key, None, "a"), None, "{key}");
        }
    }
}
