//! `nl`: numbers lines.

use crate::deadline::Watch;
use crate::opts::{self, Takes};
use crate::{input, Call, Refusal};

const KNOWN: &[opts::Known] = &[
    (b'b', "body-numbering", Takes::Value),
    (b'w', "number-width", Takes::Value),
    (b's', "number-separator", Takes::Value),
    (b'v', "starting-line-number", Takes::Value),
    (b'i', "line-increment", Takes::Value),
    (b'n', "number-format", Takes::Value),
];

/// Runs `nl` (header and footer sections are refused).
pub fn nl(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = opts::parse(KNOWN, &args, false)?;
    let (mut all, mut none, mut width, mut line, mut step) = (false, false, 6usize, 1i64, 1i64);
    let (mut separator, mut format) = (&b"\t"[..], &b"rn"[..]);
    for &(key, value) in &parsed.options {
        let value = value.unwrap_or(b"");
        match key {
            b'b' if value == b"a" => (all, none) = (true, false),
            b'b' if value == b"t" => (all, none) = (false, false),
            b'b' if value == b"n" => (all, none) = (false, true),
            b'w' => width = within(value, 1, 1000)? as usize,
            b's' => separator = value,
            b'v' => line = within(value, 0, i64::MAX)?,
            b'i' => step = within(value, 0, i64::MAX)?,
            b'n' if matches!(value, b"ln" | b"rn" | b"rz") => format = value,
            _ => return Err(Refusal::new("a numbering of nl not known here")),
        }
    }
    let mut watch = Watch::new(call.deadline);
    input::each(call, "nl", parsed.operands, |call, content| {
        for text in input::lines(content) {
            watch.pass(text.len())?;
            if matches!(text, b"\\:" | b"\\:\\:" | b"\\:\\:\\:") {
                return Err(Refusal::new("sections in the input of nl"));
            }
            let mut out = Vec::with_capacity(text.len() + 16);
            if !none && (all || !text.is_empty()) {
                let number = match format {
                    b"ln" => format!("{line:<width$}"),
                    b"rz" => format!("{line:0>width$}"),
                    _ => format!("{line:>width$}"),
                };
                out.extend_from_slice(number.as_bytes());
                out.extend_from_slice(separator);
                line = line
                    .checked_add(step)
                    .ok_or_else(|| Refusal::new("a line number out of range"))?;
            } else {
                out.resize(width + separator.len(), b' ');
            }
            out.extend_from_slice(text);
            out.push(b'\n');
            call.out.write(&out);
        }
        Ok(())
    })
}

/// A number that `nl` takes as it is; it complains of others, or they are extreme.
fn within(text: &[u8], least: i64, most: i64) -> Result<i64, Refusal> {
    match i64::try_from(opts::number(text)?) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(Refusal::new("an extreme number of nl")),
    }
}
