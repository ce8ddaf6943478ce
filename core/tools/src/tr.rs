//! `tr`: translates, squeezes and deletes bytes.

use crate::deadline::BETWEEN_LOOKS;
use crate::input;
use crate::{Call, Refusal};
use curserve_text::options::{both, letter, other, Style, Table, Takes};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Complement,
    Delete,
    Squeeze,
    Truncate,
}

/// The options of `tr`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::GnuFirst,
    &[
        both(Key::Complement, 'c', "complement", Takes::Nothing),
        letter(Key::Complement, 'C', Takes::Nothing),
        both(Key::Delete, 'd', "delete", Takes::Nothing),
        both(Key::Squeeze, 's', "squeeze-repeats", Takes::Nothing),
        both(Key::Truncate, 't', "truncate-set1", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// Runs `tr`.
///
/// # Errors
/// Where a set is not done here, or its characters depend on the locale.
pub fn tr(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let complement = parsed.has(Key::Complement);
    let (delete, squeeze) = (parsed.has(Key::Delete), parsed.has(Key::Squeeze));
    let sets: Vec<Set> = parsed
        .operands
        .iter()
        .map(|o| parse_set(o))
        .collect::<Result<_, _>>()?;
    let mut member = [false; 256];
    let Some(first) = sets.first() else {
        return Err(Refusal::new("tr without a set"));
    };
    for &b in &first.bytes {
        member[b as usize] = true;
    }
    if complement {
        member.iter_mut().for_each(|m| *m = !*m);
    }
    let mut map: [u8; 256] = std::array::from_fn(|i| i as u8);
    let mut squeezed = [false; 256];
    let mut drop = [false; 256];
    match (delete, squeeze, sets.as_slice()) {
        (true, false, [_]) => drop = member,
        (true, true, [_, second]) => {
            drop = member;
            second
                .bytes
                .iter()
                .for_each(|&b| squeezed[b as usize] = true);
        }
        (false, true, [_]) => squeezed = member,
        (false, _, [_, second]) => {
            if parsed.has(Key::Truncate)
                || first.classes > 0 && second.classes > 0 && !is_case_pair(first, second)
            {
                return Err(Refusal::new("a translation of tr with classes"));
            }
            if complement && first.classes > 0 && second.bytes.len() > 1 {
                return Err(Refusal::new(
                    "a complemented class of tr that becomes several",
                ));
            }
            if second.classes > 0 && first.classes == 0 {
                return Err(Refusal::new("a class as the second set of tr"));
            }
            let from: Vec<u8> = if complement {
                (0..=255u8).filter(|&b| member[b as usize]).collect()
            } else {
                first.bytes.clone()
            };
            let Some(&last) = second.bytes.last() else {
                return Err(Refusal::new("an empty second set of tr"));
            };
            for (i, &b) in from.iter().enumerate() {
                map[b as usize] = *second.bytes.get(i).unwrap_or(&last);
            }
            if squeeze {
                second
                    .bytes
                    .iter()
                    .for_each(|&b| squeezed[b as usize] = true);
            }
        }
        _ => return Err(Refusal::new("a use of tr not known here")),
    }
    let text = input::stdin(call);
    let _held = call.memory.hold(text.len())?;
    let mut out = Vec::with_capacity(text.len());
    let mut last = None;
    for part in text.chunks(BETWEEN_LOOKS) {
        call.deadline.check()?;
        for &b in part.iter().filter(|&&b| !drop[b as usize]) {
            let b = map[b as usize];
            if squeezed[b as usize] && last == Some(b) {
                continue;
            }
            out.push(b);
            last = Some(b);
        }
    }
    call.out.write(&out);
    Ok(0)
}

struct Set {
    bytes: Vec<u8>,
    classes: usize,
    names: Vec<Vec<u8>>,
}

fn is_case_pair(a: &Set, b: &Set) -> bool {
    let pair = |x: &[u8], y: &[u8]| a.names == [x.to_vec()] && b.names == [y.to_vec()];
    let only = a.bytes.len() == 26 && b.bytes.len() == 26;
    only && (pair(b"lower", b"upper") || pair(b"upper", b"lower"))
}

fn parse_set(text: &[u8]) -> Result<Set, Refusal> {
    let mut set = Set {
        bytes: Vec::new(),
        classes: 0,
        names: Vec::new(),
    };
    let mut i = 0;
    while i < text.len() {
        if text[i] == b'[' && matches!(text.get(i + 1), Some(b'=')) {
            return Err(Refusal::new("an equivalence class in a set of tr"));
        }
        if text[i] == b'[' && text.get(i + 1) == Some(&b':') {
            let Some(end) = memchr::memmem::find(&text[i + 2..], b":]") else {
                return Err(Refusal::new("an unfinished class in a set of tr"));
            };
            let name = &text[i + 2..i + 2 + end];
            let is: fn(u8) -> bool = match name {
                b"alpha" => |b| b.is_ascii_alphabetic(),
                b"digit" => |b| b.is_ascii_digit(),
                b"alnum" => |b| b.is_ascii_alphanumeric(),
                b"upper" => |b| b.is_ascii_uppercase(),
                b"lower" => |b| b.is_ascii_lowercase(),
                b"punct" => |b| b.is_ascii_punctuation(),
                b"space" => |b| matches!(b, b' ' | 9..=13),
                b"blank" => |b| matches!(b, b' ' | b'\t'),
                b"xdigit" => |b| b.is_ascii_hexdigit(),
                b"cntrl" => |b| b.is_ascii_control(),
                b"print" => |b| (32..127).contains(&b),
                b"graph" => |b| b.is_ascii_graphic(),
                _ => return Err(Refusal::new("a class of tr not known here")),
            };
            set.bytes.extend((0..=255u8).filter(|&b| is(b)));
            set.classes += 1;
            set.names.push(name.to_vec());
            i += end + 4;
            continue;
        }
        if text[i] == b'[' && text.get(i + 2) == Some(&b'*') {
            return Err(Refusal::new("a repeat in a set of tr"));
        }
        let (low, used) = one(text, i)?;
        i += used;
        if text.get(i) == Some(&b'-') && i + 1 < text.len() {
            let (high, used) = one(text, i + 1)?;
            if high < low {
                return Err(Refusal::new("a range of tr that runs backwards"));
            }
            set.bytes.extend(low..=high);
            i += 1 + used;
        } else {
            set.bytes.push(low);
        }
    }
    Ok(set)
}

fn one(text: &[u8], i: usize) -> Result<(u8, usize), Refusal> {
    if text[i] != b'\\' {
        return Ok((text[i], 1));
    }
    let refusal = || Refusal::new("an escape of tr not known here");
    let c = *text.get(i + 1).ok_or_else(refusal)?;
    let b = match c {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'\\' => b'\\',
        b'0'..=b'7' => {
            let digits = text[i + 1..]
                .iter()
                .take(3)
                .take_while(|b| (b'0'..=b'7').contains(b))
                .count();
            let value = text[i + 1..i + 1 + digits]
                .iter()
                .fold(0u32, |n, b| n * 8 + u32::from(b - b'0'));
            return Ok((u8::try_from(value).map_err(|_| refusal())?, 1 + digits));
        }
        c if c.is_ascii_alphanumeric() => return Err(refusal()),
        c => c,
    };
    Ok((b, 2))
}
