//! What `sort` compares lines by: keys, orders and numbers, as sort.c reads them.

use std::cmp::Ordering;

use super::CHECK;
use crate::{opts, Refusal};

/// How a key compares, and at which of its ends blanks do not count.
#[derive(Clone, Copy, Default)]
pub(super) struct Order {
    numeric: bool,
    pub(super) reverse: bool,
    fold: bool,
    blanks_start: bool,
    blanks_end: bool,
}

impl Order {
    pub(super) fn is_default(self) -> bool {
        !(self.numeric || self.reverse || self.fold || self.blanks_start || self.blanks_end)
    }
}

/// A key: first field and character, last field and character (0: its end), counted from one; its order.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) first: (usize, usize),
    pub(super) last: Option<(usize, usize)>,
    pub(super) order: Order,
}

/// Notes the letter of an order; `b` is about the start of a key, its end, or both.
pub(super) fn set_order(
    order: &mut Order,
    letter: u8,
    start: bool,
    end: bool,
) -> Result<(), Refusal> {
    match letter {
        b'n' => order.numeric = true,
        b'r' => order.reverse = true,
        b'f' => order.fold = true,
        b'b' => {
            order.blanks_start |= start;
            order.blanks_end |= end;
        }
        CHECK => {}
        _ => return Err(Refusal::new("an order of sort not known here")),
    }
    Ok(())
}

/// The value of `-k`.
pub(super) fn parse_key(text: &[u8]) -> Result<Key, Refusal> {
    let mut order = Order::default();
    let mut parts = text.split(|&b| b == b',');
    let mut position = |text: &[u8], is_start: bool| -> Result<(usize, usize), Refusal> {
        let letters = text
            .iter()
            .rposition(|b| !b.is_ascii_lowercase())
            .map_or(0, |i| i + 1);
        for &l in &text[letters..] {
            set_order(&mut order, l, is_start, !is_start)?;
        }
        let mut numbers = text[..letters].split(|&b| b == b'.');
        let field = opts::number(numbers.next().unwrap_or(b""))? as usize;
        let character = match numbers.next() {
            Some(c) => opts::number(c)? as usize,
            None => usize::from(is_start),
        };
        if field == 0 || numbers.next().is_some() || (is_start && character == 0) {
            return Err(Refusal::new("a key of sort not known here"));
        }
        Ok((field, character))
    };
    let first = position(parts.next().unwrap_or(b""), true)?;
    let last = parts.next().map(|p| position(p, false)).transpose()?;
    if parts.next().is_some() {
        return Err(Refusal::new("a key of sort with two commas"));
    }
    Ok(Key { first, last, order })
}

fn is_blank(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n')
}

/// Skips `n` whole fields, as sort.c's `begfield` does: with a separator one past it, else to the next blanks.
fn skip_fields(
    line: &[u8],
    mut i: usize,
    n: usize,
    separator: Option<u8>,
    keep_separator: bool,
) -> usize {
    for round in 0..n {
        match separator {
            Some(s) => {
                while i < line.len() && line[i] != s {
                    i += 1;
                }
                if i < line.len() && !(keep_separator && round + 1 == n) {
                    i += 1;
                }
            }
            None => {
                while i < line.len() && is_blank(line[i]) {
                    i += 1;
                }
                while i < line.len() && !is_blank(line[i]) {
                    i += 1;
                }
            }
        }
    }
    i
}

fn key_part<'a>(line: &'a [u8], key: &Key, separator: Option<u8>) -> &'a [u8] {
    let skip_blanks = |mut i: usize| {
        while i < line.len() && is_blank(line[i]) {
            i += 1;
        }
        i
    };
    let mut start = skip_fields(line, 0, key.first.0 - 1, separator, false);
    if key.order.blanks_start {
        start = skip_blanks(start);
    }
    start = (start + key.first.1 - 1).min(line.len());
    let end = match key.last {
        None => line.len(),
        Some((field, 0)) => skip_fields(line, 0, field, separator, true),
        Some((field, character)) => {
            let mut at = skip_fields(line, 0, field - 1, separator, false);
            if key.order.blanks_end {
                at = skip_blanks(at);
            }
            (at + character).min(line.len())
        }
    };
    &line[start..end.max(start)]
}

/// Compares two lines, key by key.
pub(super) fn compare(a: &[u8], b: &[u8], keys: &[Key], separator: Option<u8>) -> Ordering {
    if keys.is_empty() {
        return a.cmp(b);
    }
    for key in keys {
        let (x, y) = (key_part(a, key, separator), key_part(b, key, separator));
        let order = if key.order.numeric {
            numeric(x, y)
        } else if key.order.fold {
            x.iter()
                .map(u8::to_ascii_uppercase)
                .cmp(y.iter().map(u8::to_ascii_uppercase))
        } else {
            x.cmp(y)
        };
        let order = if key.order.reverse {
            order.reverse()
        } else {
            order
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    Ordering::Equal
}

/// A number as `sort -n` reads it: blanks, a minus, digits, a fraction; anything else is zero.
fn split_number(text: &[u8]) -> (bool, &[u8], &[u8]) {
    let start = text
        .iter()
        .position(|&b| !is_blank(b))
        .unwrap_or(text.len());
    let text = &text[start..];
    let (negative, text) = match text.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let zeros = text.iter().position(|&b| b != b'0').unwrap_or(text.len());
    let text = &text[zeros..];
    let digits = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let (whole, rest) = text.split_at(digits);
    let fraction = match rest.strip_prefix(b".") {
        Some(f) => {
            &f[..f
                .iter()
                .position(|b| !b.is_ascii_digit())
                .unwrap_or(f.len())]
        }
        None => b"",
    };
    let trimmed = fraction
        .iter()
        .rposition(|&b| b != b'0')
        .map_or(0, |i| i + 1);
    (
        negative && !(whole.is_empty() && trimmed == 0),
        whole,
        &fraction[..trimmed],
    )
}

fn numeric(a: &[u8], b: &[u8]) -> Ordering {
    let ((na, wa, fa), (nb, wb, fb)) = (split_number(a), split_number(b));
    match (na, nb) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (negative, _) => {
            let order = wa
                .len()
                .cmp(&wb.len())
                .then_with(|| wa.cmp(wb))
                .then_with(|| fa.cmp(fb));
            if negative {
                order.reverse()
            } else {
                order
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        assert_eq!(numeric(b"10", b"9"), Ordering::Greater);
        assert_eq!(numeric(b" -1", b"0"), Ordering::Less);
        assert_eq!(numeric(b"-0", b"x"), Ordering::Equal);
        assert_eq!(numeric(b"1.50", b"1.5"), Ordering::Equal);
        assert_eq!(numeric(b"007", b"7"), Ordering::Equal);
    }
}
