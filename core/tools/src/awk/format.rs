//! `printf`: `%s`, `%d`, `%i`, `%f`, `%%`, with a width, `-`, `0` and a precision.

use super::refuse::refuse;
use super::value::Value;
use crate::Refusal;

/// Wider fields are refused.
const WIDEST: usize = 1000;

/// `format` with `values` in it.
pub(super) fn formatted(format: &[u8], values: &[Value]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let mut values = values.iter();
    let mut rest = format;
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        if let [b'%', after @ ..] = rest {
            out.push(b'%');
            rest = after;
            continue;
        }
        let (mut left, mut zeros) = (false, false);
        while let [flag @ (b'-' | b'0'), after @ ..] = rest {
            left |= *flag == b'-';
            zeros |= *flag == b'0';
            rest = after;
        }
        let width = number(&mut rest)?.unwrap_or(0);
        let precision = match rest {
            [b'.', after @ ..] => {
                rest = after;
                Some(number(&mut rest)?.unwrap_or(0))
            }
            _ => None,
        };
        let [kind, after @ ..] = rest else {
            return refuse("a format that ends early");
        };
        rest = after;
        let Some(value) = values.next() else {
            return refuse("fewer values than its format asks for");
        };
        let text = match (kind, precision) {
            (b's', precision) => {
                let mut text = value.text()?;
                text.truncate(precision.unwrap_or(usize::MAX));
                zeros = false;
                text
            }
            (b'd' | b'i', None) => {
                let number = Value::Number(value.number()?.trunc());
                number.whole()?.to_string().into_bytes()
            }
            (b'f', precision) => {
                let number = value.number()?;
                if number.abs() > 1e15 || number == 0.0 && number.is_sign_negative() {
                    return refuse("a large number, or a zero below zero");
                }
                format!("{number:.*}", precision.unwrap_or(6)).into_bytes()
            }
            _ => return refuse("a conversion of printf"),
        };
        pad(&mut out, text, width, left, zeros);
    }
    Ok(out)
}

fn pad(out: &mut Vec<u8>, text: Vec<u8>, width: usize, left: bool, zeros: bool) {
    let missing = width.saturating_sub(text.len());
    let blanks = |out: &mut Vec<u8>, with: u8| out.resize(out.len() + missing, with);
    match (left, zeros, text.split_first()) {
        (true, ..) => {
            out.extend_from_slice(&text);
            blanks(out, b' ');
        }
        (false, true, Some((b'-', digits))) => {
            out.push(b'-');
            blanks(out, b'0');
            out.extend_from_slice(digits);
        }
        (false, zeros, _) => {
            blanks(out, if zeros { b'0' } else { b' ' });
            out.extend_from_slice(&text);
        }
    }
}

/// The number that `rest` begins with, which is taken off.
fn number(rest: &mut &[u8]) -> Result<Option<usize>, Refusal> {
    let length = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, after) = rest.split_at(length);
    *rest = after;
    if digits.is_empty() {
        return Ok(None);
    }
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse().ok());
    match number.filter(|number| *number <= WIDEST) {
        Some(number) => Ok(Some(number)),
        None => refuse("a wide field"),
    }
}
