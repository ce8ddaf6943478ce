//! `cut`: fields, bytes (its characters are bytes as well).

use crate::deadline::Watch;
use crate::opts::{self, Takes};
use crate::{input, Call, Refusal};

const OUTPUT: u8 = 200;
const COMPLEMENT: u8 = 201;

const KNOWN: &[opts::Known] = &[
    (b'b', "bytes", Takes::Value),
    (b'c', "characters", Takes::Value),
    (b'd', "delimiter", Takes::Value),
    (b'f', "fields", Takes::Value),
    (b'n', "", Takes::Nothing),
    (b's', "only-delimited", Takes::Nothing),
    (OUTPUT, "output-delimiter", Takes::Value),
    (COMPLEMENT, "complement", Takes::Nothing),
];

/// Runs `cut`.
pub fn cut(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = opts::parse(KNOWN, &args, false)?;
    let (mut list, mut by_fields, mut delimiter) = (None, false, None);
    let (mut only, mut joiner, mut complement) = (false, None, false);
    for &(key, value) in &parsed.options {
        match (key, value) {
            (b'b' | b'c' | b'f', Some(v)) => {
                if list.replace(parse_list(v)?).is_some() {
                    return Err(Refusal::new("cut with two lists"));
                }
                by_fields = key == b'f';
            }
            (b'd', Some([d])) => delimiter = Some(*d),
            (b's', _) => only = true,
            (OUTPUT, Some(v)) => joiner = Some(v),
            (COMPLEMENT, _) => complement = true,
            (b'n', _) => {}
            _ => return Err(Refusal::new("a delimiter of cut that is not one byte")),
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
    let chosen = |n: usize| list.iter().any(|&(a, b)| a <= n && n <= b) != complement;
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
                    let n = opts::number(part)? as usize;
                    (n, n)
                }
                Some(_) if part.len() == 1 => {
                    return Err(Refusal::new("a range of cut with no end"))
                }
                Some(0) => (1, opts::number(&part[1..])? as usize),
                Some(i) if i + 1 == part.len() => (opts::number(&part[..i])? as usize, usize::MAX),
                Some(i) => (
                    opts::number(&part[..i])? as usize,
                    opts::number(&part[i + 1..])? as usize,
                ),
            };
            if range.0 == 0 || range.0 > range.1 {
                return Err(Refusal::new("a list of cut that is not one"));
            }
            Ok(range)
        })
        .collect()
}
