//! `sort`: byte order (that of C and C.UTF-8), numbers, keys.

mod blanks;
mod key;
mod order;

use std::cmp::Ordering;

use curserve_text::quote;

use self::order::Order;
use crate::deadline::{Deadline, Watch};
use crate::input::{self, Operand};
use crate::{Call, Reason, Refusal};
use curserve_text::options::{both, long, other, Number, Style, Table, Takes};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// One that says how keys are compared, by its letter.
    Ordering(u8),
    Unique,
    Stable,
    By,
    Separator,
    Parallel,
}

/// For more, sort may not find the memory.
const THREADS: Number = Number::between(1, 64);

/// The options of `sort`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Ordering(b'n'), 'n', "numeric-sort", Takes::Nothing),
        both(Key::Ordering(b'r'), 'r', "reverse", Takes::Nothing),
        both(Key::Unique, 'u', "unique", Takes::Nothing),
        both(Key::Ordering(b'f'), 'f', "ignore-case", Takes::Nothing),
        both(
            Key::Ordering(b'b'),
            'b',
            "ignore-leading-blanks",
            Takes::Nothing,
        ),
        both(Key::Stable, 's', "stable", Takes::Nothing),
        both(Key::By, 'k', "key", Takes::Text),
        both(Key::Separator, 't', "field-separator", Takes::Text),
        long(Key::Parallel, "parallel", Takes::Number(&THREADS)),
        other('d', "dictionary-order", Takes::Nothing),
        other('g', "general-numeric-sort", Takes::Nothing),
        other('i', "ignore-nonprinting", Takes::Nothing),
        other('M', "month-sort", Takes::Nothing),
        other('h', "human-numeric-sort", Takes::Nothing),
        other('R', "random-sort", Takes::Nothing),
        other(' ', "random-source", Takes::Text),
        other(' ', "sort", Takes::Text),
        other('V', "version-sort", Takes::Nothing),
        other(' ', "batch-size", Takes::Text),
        other('c', "check", Takes::Maybe),
        other('C', "", Takes::Nothing),
        other(' ', "compress-program", Takes::Text),
        other(' ', "debug", Takes::Nothing),
        other(' ', "files0-from", Takes::Text),
        other('m', "merge", Takes::Nothing),
        other('o', "output", Takes::Text),
        other('S', "buffer-size", Takes::Text),
        other('T', "temporary-directory", Takes::Text),
        other('z', "zero-terminated", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
)
.with_plus();

/// Runs `sort`.
///
/// # Errors
/// Where an order, a key or another option is not done here, or an operand is not in memory.
pub fn sort(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let mut global = Order::default();
    let (mut unique, mut stable, mut separator) = (false, false, None);
    let mut written = Vec::new();
    for option in &parsed.options {
        match option.key {
            Key::Ordering(letter) => global.add_global(letter)?,
            Key::Unique => unique = true,
            Key::Stable => stable = true,
            Key::By => written.push(option.text()),
            Key::Separator => {
                let given = field_separator(option.text())?;
                if separator.is_some_and(|other| other != given) {
                    return Err(Refusal::new("two field separators of sort"));
                }
                separator = Some(given);
            }
            Key::Parallel => {}
        }
    }
    let mut keys = Vec::new();
    for key in written {
        keys.push(key::Key::parse(key, global)?);
    }
    if keys.is_empty() && global != Order::default() {
        keys.push(key::Key::of_lines(global));
    }
    let mut operands = parsed.operands;
    if operands.is_empty() {
        operands.push(b"-");
    }
    input::named_once(call, &operands)?;
    // Seen: `sort FIFO nosuch` complains of the second, and does not wait for the first.
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
                let name = quote::bare(operand)?;
                call.complain(&Reason::IS_DIRECTORY.complaint("sort: read failed: ", &name));
                return Ok(2);
            }
            Operand::Failed(reason) => {
                let name = quote::bare(operand)?;
                call.complain(&reason.complaint("sort: cannot read: ", &name));
                return Ok(2);
            }
        }
    }
    // A slice a line, and what it is ranked by; twice, while runs are merged.
    let width = match keys.is_empty() {
        true => 2 * size_of::<&[u8]>(),
        false => size_of::<&[u8]>() + 2 * size_of::<Ranked<'_>>(),
    };
    let count: usize = inputs
        .iter()
        .map(|i| memchr::memchr_iter(b'\n', i).count() + 1)
        .sum();
    let _held = call.memory.hold(count.saturating_mul(width))?;
    let mut lines: Vec<&[u8]> = Vec::with_capacity(count);
    lines.extend(inputs.iter().flat_map(|i| input::lines(i)));
    let deadline = call.deadline;
    let length = |line: &&[u8]| line.len();
    if keys.is_empty() {
        in_order(&mut lines, |a, b| a.cmp(b), length, deadline)?;
        deadline.check()?;
        if unique {
            lines.dedup();
        }
    } else {
        let keys = Keys { keys, separator };
        let mut watch = Watch::new(deadline);
        let mut ranked = Vec::with_capacity(lines.len());
        for line in &lines {
            watch.pass(line.len())?;
            ranked.push(keys.rank(line));
        }
        let length = |line: &Ranked<'_>| line.text.len();
        if unique || stable {
            in_order(&mut ranked, |a, b| keys.compare(a, b), length, deadline)?;
        } else {
            let whole =
                |a: &Ranked<'_>, b: &Ranked<'_>| global_order(a.text, b.text, global.reverse);
            let by_all = |a: &_, b: &_| keys.compare(a, b).then_with(|| whole(a, b));
            in_order(&mut ranked, by_all, length, deadline)?;
        }
        deadline.check()?;
        if unique {
            ranked.dedup_by(|b, a| keys.compare(a, b) == Ordering::Equal);
        }
        lines = ranked.into_iter().map(|line| line.text).collect();
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

/// The byte that separates fields.
fn field_separator(value: &[u8]) -> Result<u8, Refusal> {
    match value {
        [byte] => Ok(*byte),
        b"\\0" => Ok(0),
        _ => Err(Refusal::new(
            "a field separator of sort that is not one byte",
        )),
    }
}

/// Which of two lines with the same keys comes first.
fn global_order(a: &[u8], b: &[u8], reverse: bool) -> Ordering {
    match reverse {
        true => b.cmp(a),
        false => a.cmp(b),
    }
}

/// The keys of a call, at least one.
struct Keys {
    keys: Vec<key::Key>,
    separator: Option<u8>,
}

/// A line with what is asked of it again and again.
#[derive(Clone, Copy)]
struct Ranked<'l> {
    text: &'l [u8],
    /// Its first key.
    key: &'l [u8],
    rank: u64,
}

impl Keys {
    fn rank<'l>(&self, text: &'l [u8]) -> Ranked<'l> {
        let key = &text[self.keys[0].range(text, self.separator)];
        let rank = self.keys[0].order.rank(key);
        Ranked { text, key, rank }
    }

    /// Which line comes first, by the first key that tells.
    #[inline]
    fn compare(&self, a: &Ranked<'_>, b: &Ranked<'_>) -> Ordering {
        let first = self.keys[0].order;
        if a.rank != b.rank {
            return first.directed(a.rank.cmp(&b.rank));
        }
        let mut order = first.compare(a.key, b.key);
        let mut rest = self.keys[1..].iter();
        while let (Ordering::Equal, Some(key)) = (order, rest.next()) {
            let in_a = &a.text[key.range(a.text, self.separator)];
            let in_b = &b.text[key.range(b.text, self.separator)];
            order = key.order.compare(in_a, in_b);
        }
        order
    }
}

/// Sorts lines, equal ones staying in their order: runs by themselves, and then two and two of them into one, since
/// within the library's sort nobody could look at the clock.
fn in_order<L: Copy>(
    lines: &mut Vec<L>,
    compare: impl Fn(&L, &L) -> Ordering,
    length: impl Fn(&L) -> usize,
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
                watch.pass(length(a).min(length(b)))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_lines_are_sorted_as_few_are() {
        let held: Vec<String> = (0..50_001u64)
            .map(|n| format!("{} {n}", n.wrapping_mul(0x9E37_79B9) >> 7 & 0x3FF))
            .collect();
        let first = |line: &&[u8]| line.split(|&b| b == b' ').next().map(<[u8]>::to_vec);
        let by_first = |a: &&'_ [u8], b: &&'_ [u8]| first(a).cmp(&first(b));
        for length in [0, 1, 8191, 8192, 8193, 16_384, 16_385, 24_577, 50_001] {
            let lines = || held[..length].iter().map(String::as_bytes);
            let (mut ours, mut theirs): (Vec<_>, Vec<_>) = (lines().collect(), lines().collect());
            in_order(&mut ours, by_first, |line| line.len(), Deadline::default()).unwrap();
            theirs.sort_by(by_first);
            assert!(ours == theirs, "{length}");
        }
    }
}
