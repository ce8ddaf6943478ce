//! `sort`: byte order (that of C and C.UTF-8), numbers, keys.

mod key;

use std::cmp::Ordering;

use self::key::{compare, parse_key, set_order, Key, Order};
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
}
