//! `sort`: byte order (that of C and C.UTF-8), numbers, keys.

use std::cmp::Ordering;

use crate::deadline::{Deadline, Watch};
use crate::input::{self, Operand};
use crate::opts::{self, Takes};
use crate::{quote, Call, Refusal};

const CHECK: u8 = 200;

const KNOWN: &[opts::Known] = &[
    (b'n', "numeric-sort", Takes::Nothing),
    (b'r', "reverse", Takes::Nothing),
    (b'u', "unique", Takes::Nothing),
    (b'f', "ignore-case", Takes::Nothing),
    (b'b', "ignore-leading-blanks", Takes::Nothing),
    (b's', "stable", Takes::Nothing),
    (b'k', "key", Takes::Value),
    (b't', "field-separator", Takes::Value),
    (CHECK, "parallel", Takes::Value),
];

#[derive(Clone, Copy, Default)]
struct Order {
    numeric: bool,
    reverse: bool,
    fold: bool,
    blanks_start: bool,
    blanks_end: bool,
}

impl Order {
    fn is_default(self) -> bool {
        !(self.numeric || self.reverse || self.fold || self.blanks_start || self.blanks_end)
    }
}

/// A key: first field and character, last field and character (0: its end), counted from one; its order.
#[derive(Clone, Copy)]
struct Key {
    first: (usize, usize),
    last: Option<(usize, usize)>,
    order: Order,
}

/// Runs `sort`.
pub fn sort(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = opts::parse(KNOWN, &args, false)?;
    let mut global = Order::default();
    let (mut unique, mut stable, mut separator) = (false, false, None);
    let mut keys = Vec::new();
    for &(key, value) in &parsed.options {
        match (key, value) {
            (b'u', _) => unique = true,
            (b's', _) => stable = true,
            (b'k', Some(v)) => keys.push(parse_key(v)?),
            (b't', Some([c])) => separator = Some(*c),
            (b't', Some(b"\\0")) => separator = Some(0),
            (b't', _) => {
                return Err(Refusal::new(
                    "a field separator of sort that is not one byte",
                ))
            }
            (letter, _) => set_order(&mut global, letter, true, true)?,
        }
    }
    for key in &mut keys {
        if key.order.is_default() {
            key.order = global;
        }
    }
    if keys.is_empty() && !global.is_default() {
        keys.push(Key {
            first: (1, 1),
            last: None,
            order: global,
        });
    }
    let mut operands = parsed.operands;
    if operands.is_empty() {
        operands.push(b"-");
    }
    // sort looks whether it may read all of them before it reads the first.
    let mut opened = Vec::with_capacity(operands.len());
    for operand in operands {
        opened.push((operand, input::open(call, operand)?));
    }
    opened.sort_by_key(|(_, found)| !matches!(found, Operand::Failed(_)));
    let mut inputs = Vec::new();
    for (operand, found) in opened {
        match found {
            Operand::Content(content) => inputs.push(content),
            Operand::Directory => {
                input::complain(
                    call,
                    &[
                        b"sort: read failed: ",
                        &quote::bare(operand)?,
                        b": Is a directory\n",
                    ],
                );
                return Ok(2);
            }
            Operand::Failed(reason) => {
                let name = quote::bare(operand)?;
                input::complain(
                    call,
                    &[
                        b"sort: cannot read: ",
                        &name,
                        b": ",
                        reason.as_bytes(),
                        b"\n",
                    ],
                );
                return Ok(2);
            }
        }
    }
    let mut lines: Vec<&[u8]> = inputs.iter().flat_map(|i| input::lines(i)).collect();
    let deadline = call.deadline;
    let by_keys = |a: &&[u8], b: &&[u8]| compare(a, b, &keys, separator);
    let reverse = global.reverse;
    if keys.is_empty() && (unique || !stable) {
        in_order(&mut lines, |a, b| a.cmp(b), deadline)?;
    } else if unique || stable {
        in_order(&mut lines, by_keys, deadline)?;
    } else {
        let by_all = |a: &&[u8], b: &&[u8]| {
            by_keys(a, b).then_with(|| if reverse { b.cmp(a) } else { a.cmp(b) })
        };
        in_order(&mut lines, by_all, deadline)?;
    }
    deadline.check()?;
    if unique {
        lines.dedup_by(|b, a| {
            if keys.is_empty() {
                a == b
            } else {
                by_keys(a, b) == Ordering::Equal
            }
        });
    }
    let mut watch = Watch::new(deadline);
    for line in lines {
        if call.out.full() {
            break;
        }
        watch.pass(line.len())?;
        call.out.write(line);
        call.out.write(b"\n");
    }
    Ok(0)
}

/// Sorts `lines`, equal ones staying in their order: runs by themselves, and then two and two of them into one, since
/// within the library's sort nobody could look at the clock.
fn in_order<'l>(
    lines: &mut Vec<&'l [u8]>,
    compare: impl Fn(&&'l [u8], &&'l [u8]) -> Ordering,
    deadline: Deadline,
) -> Result<(), Refusal> {
    /// Lines of a run; what agents sort is shorter.
    const RUN: usize = 8192;
    for run in lines.chunks_mut(RUN) {
        run.sort_by(&compare);
        deadline.check()?;
    }
    let mut watch = Watch::new(deadline);
    let mut run = RUN;
    while run < lines.len() {
        let mut merged = Vec::with_capacity(lines.len());
        for pair in lines.chunks(2 * run) {
            let (mut left, mut right) = pair.split_at(run.min(pair.len()));
            while let ([a, more @ ..], [b, others @ ..]) = (left, right) {
                watch.pass(a.len().min(b.len()))?;
                if compare(b, a) == Ordering::Less {
                    merged.push(*b);
                    right = others;
                } else {
                    merged.push(*a);
                    left = more;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *lines = merged;
        run *= 2;
    }
    Ok(())
}

fn set_order(order: &mut Order, letter: u8, start: bool, end: bool) -> Result<(), Refusal> {
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

fn parse_key(text: &[u8]) -> Result<Key, Refusal> {
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

fn compare(a: &[u8], b: &[u8], keys: &[Key], separator: Option<u8>) -> Ordering {
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
    fn many_lines_are_sorted_as_few_are() {
        let held: Vec<String> = (0..50_001u64)
            .map(|n| format!("{} {n}", n.wrapping_mul(0x9E37_79B9) >> 7 & 0x3FF))
            .collect();
        let first = |line: &&[u8]| line.split(|&b| b == b' ').next().map(<[u8]>::to_vec);
        let by_first = |a: &&[u8], b: &&[u8]| first(a).cmp(&first(b));
        for length in [0, 1, 8191, 8192, 8193, 16_384, 16_385, 24_577, 50_001] {
            let lines = || held[..length].iter().map(String::as_bytes);
            let (mut ours, mut theirs): (Vec<_>, Vec<_>) = (lines().collect(), lines().collect());
            in_order(&mut ours, by_first, Deadline::default()).unwrap();
            theirs.sort_by(by_first);
            assert!(ours == theirs, "{length}");
        }
    }

    #[test]
    fn numbers_compare_by_value() {
        assert_eq!(numeric(b"10", b"9"), Ordering::Greater);
        assert_eq!(numeric(b" -1", b"0"), Ordering::Less);
        assert_eq!(numeric(b"-0", b"x"), Ordering::Equal);
        assert_eq!(numeric(b"1.50", b"1.5"), Ordering::Equal);
        assert_eq!(numeric(b"007", b"7"), Ordering::Equal);
    }
}
