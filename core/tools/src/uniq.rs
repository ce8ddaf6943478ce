//! `uniq`: runs of equal lines.

use curserve_text::quote;

use crate::deadline::Watch;
use crate::input::{self, Operand};
use crate::{Call, Refusal};
use curserve_text::options::{both, other, Style, Table, Takes, ANY};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Count,
    Repeated,
    Single,
    Fold,
    Fields,
    Chars,
    Width,
}

/// The options of `uniq`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Count, 'c', "count", Takes::Nothing),
        both(Key::Repeated, 'd', "repeated", Takes::Nothing),
        both(Key::Single, 'u', "unique", Takes::Nothing),
        both(Key::Fold, 'i', "ignore-case", Takes::Nothing),
        both(Key::Fields, 'f', "skip-fields", Takes::Number(&ANY)),
        both(Key::Chars, 's', "skip-chars", Takes::Number(&ANY)),
        both(Key::Width, 'w', "check-chars", Takes::Number(&ANY)),
        other('D', "", Takes::Nothing),
        other(' ', "all-repeated", Takes::Maybe),
        other(' ', "group", Takes::Maybe),
        other('z', "zero-terminated", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
)
.with_plus();

/// Runs `uniq` on at most one input (an output file is refused).
///
/// # Errors
/// Where an option is not done here, or the input is not in memory.
pub fn uniq(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let (mut count, mut repeated, mut single, mut fold) = (false, false, false, false);
    let (mut fields, mut chars, mut width) = (0, 0, usize::MAX);
    for given in &parsed.options {
        let number = given.number() as usize;
        match given.key {
            Key::Count => count = true,
            Key::Repeated => repeated = true,
            Key::Single => single = true,
            Key::Fold => fold = true,
            Key::Fields => fields = number,
            Key::Chars => chars = number,
            Key::Width => width = number,
        }
    }
    let operand = match parsed.operands.as_slice() {
        [] => &b"-"[..],
        [one] => one,
        _ => return Err(Refusal::new("uniq writes to a file")),
    };
    let content = match input::open(call, operand)? {
        Operand::Content(content) => content,
        Operand::Directory => {
            let name = quote::always(operand)?;
            call.complain(&[b"uniq: error reading ", &name[..], b"\n"].concat());
            return Ok(1);
        }
        Operand::Failed(reason) => {
            call.complain(&reason.complaint("uniq: ", &quote::bare(operand)?));
            return Ok(1);
        }
    };
    let key = |line: &[u8]| -> Vec<u8> {
        let mut rest = line;
        for _ in 0..fields {
            if rest.is_empty() {
                break;
            }
            let start = rest
                .iter()
                .position(|b| !matches!(b, b' ' | b'\t'))
                .unwrap_or(rest.len());
            rest = &rest[start..];
            let end = rest
                .iter()
                .position(|b| matches!(b, b' ' | b'\t'))
                .unwrap_or(rest.len());
            rest = &rest[end..];
        }
        rest = &rest[chars.min(rest.len())..];
        rest = &rest[..width.min(rest.len())];
        if fold {
            rest.to_ascii_lowercase()
        } else {
            rest.to_vec()
        }
    };
    let plain = fields == 0 && chars == 0 && width == usize::MAX && !fold;
    let same = |a: &[u8], b: &[u8]| if plain { a == b } else { key(a) == key(b) };
    let mut watch = Watch::new(call.deadline);
    let mut lines = input::lines(content).peekable();
    while let Some(first) = lines.next() {
        watch.pass(first.len())?;
        let mut n = 1u64;
        while lines.peek().is_some_and(|next| same(first, next)) {
            watch.pass(first.len())?;
            lines.next();
            n += 1;
        }
        if (repeated && n == 1) || (single && n > 1) {
            continue;
        }
        if call.out.full() {
            break;
        }
        if count {
            call.out.write(format!("{n:>7} ").as_bytes());
        }
        call.out.write(first);
        call.out.write(b"\n");
    }
    Ok(0)
}
