//! `printf`: its format, over and over while it has values.

use curserve_text::escapes::{unescape, Escapes};
use curserve_text::options::Number;

use crate::deadline::Watch;
use crate::{input, Call, Refusal};

/// A wider field, or more precision, is refused.
const WIDTH: Number = Number::between(0, 1 << 20);

/// `/usr/bin/printf`, which complains of values that its format has no use for.
///
/// # Errors
/// As [`printf`].
pub fn printf_program(call: &mut Call) -> Result<i32, Refusal> {
    match printed(call)? {
        0 => Ok(0),
        _ => Err(Refusal::new("values that the format of printf leaves")),
    }
}

/// `printf`, the builtin and the program alike where both agree; a value that is no number is refused.
///
/// # Errors
/// Where a directive or a value is not one on which both agree.
pub fn printf(call: &mut Call) -> Result<i32, Refusal> {
    printed(call).map(|_| 0)
}

/// Prints, and says how many values were left.
fn printed(call: &mut Call) -> Result<usize, Refusal> {
    let words = input::args(call);
    let words = match words.split_first() {
        Some((&b"--", rest)) => rest,
        Some((first, _)) if first.starts_with(b"-") => {
            return Err(Refusal::new("an option of printf"))
        }
        _ => &words,
    };
    let Some((&format, values)) = words.split_first() else {
        return Err(Refusal::new("printf without a format"));
    };
    let mut rest = values;
    let mut watch = Watch::new(call.deadline);
    loop {
        let before = rest.len();
        watch.pass(format.len())?;
        let stopped = once(format, &mut rest, call)?;
        if stopped || rest.is_empty() || rest.len() == before {
            return Ok(if stopped { 0 } else { rest.len() });
        }
    }
}

/// Prints the format once; true when `\c` ended the output.
fn once(format: &[u8], values: &mut &[&[u8]], call: &mut Call) -> Result<bool, Refusal> {
    let mut next = || match values.split_first() {
        Some((first, rest)) => {
            *values = rest;
            Some(*first)
        }
        None => None,
    };
    let mut i = 0;
    while i < format.len() {
        if format[i] != b'%' {
            let end = memchr::memchr(b'%', &format[i..]).map_or(format.len(), |n| i + n);
            let (text, stopped) = unescape(&format[i..end], Escapes::Format)?;
            call.out.write(&text);
            if stopped {
                return Err(Refusal::new("\\c in the format of printf"));
            }
            i = end;
            continue;
        }
        i += 1;
        let (mut left, mut zero, mut plus) = (false, false, false);
        while let Some(f) = format.get(i).filter(|f| b"-0+".contains(f)) {
            match f {
                b'-' => left = true,
                b'0' => zero = true,
                _ => plus = true,
            }
            i += 1;
        }
        let digits = |i: &mut usize| {
            let start = *i;
            while format.get(*i).is_some_and(u8::is_ascii_digit) {
                *i += 1;
            }
            if start == *i {
                Ok(None)
            } else {
                Ok(Some(WIDTH.read(&format[start..*i])?.number as usize))
            }
        };
        let width = digits(&mut i)?.unwrap_or(0);
        let mut precision = None;
        if format.get(i) == Some(&b'.') {
            i += 1;
            precision = Some(digits(&mut i)?.unwrap_or(0));
        }
        let Some(&kind) = format.get(i) else {
            return Err(Refusal::new("an unfinished directive of printf"));
        };
        i += 1;
        let body: Vec<u8> = match kind {
            b'%' if width == 0 && precision.is_none() => b"%".to_vec(),
            b's' => {
                let text = next().unwrap_or(b"");
                if (precision.is_some() || width > 0) && !text.is_ascii() || zero {
                    return Err(Refusal::new("printf that measures characters"));
                }
                text[..precision.unwrap_or(text.len()).min(text.len())].to_vec()
            }
            b'b' if precision.is_none() && width == 0 => {
                let (text, stopped) = unescape(next().unwrap_or(b""), Escapes::Echo)?;
                if stopped {
                    call.out.write(&text);
                    return Ok(true);
                }
                text
            }
            b'c' => match next().and_then(|text| text.first()) {
                Some(b) if b.is_ascii() => vec![*b],
                _ => return Err(Refusal::new("%c of nothing, or of one beyond ASCII")),
            },
            b'd' | b'i' | b'u' | b'x' | b'X' | b'o' if precision.is_none() => {
                let value = integer(next().unwrap_or(b"0"))?;
                if value < 0 && !matches!(kind, b'd' | b'i') {
                    return Err(Refusal::new("a negative number as an unsigned one"));
                }
                let sign = if value < 0 {
                    "-"
                } else if plus && matches!(kind, b'd' | b'i') {
                    "+"
                } else {
                    ""
                };
                let digits = match kind {
                    b'x' => format!("{value:x}"),
                    b'X' => format!("{value:X}"),
                    b'o' => format!("{value:o}"),
                    _ => value.unsigned_abs().to_string(),
                };
                let fill = if zero && !left {
                    width.saturating_sub(sign.len() + digits.len())
                } else {
                    0
                };
                format!("{sign}{}{digits}", "0".repeat(fill)).into_bytes()
            }
            _ => return Err(Refusal::new("a directive of printf not known here")),
        };
        let pad = vec![b' '; width.saturating_sub(body.len())];
        let (a, b) = if left { (&body, &pad) } else { (&pad, &body) };
        call.out.write(a);
        call.out.write(b);
    }
    Ok(false)
}

/// A whole number that both the builtin and the program read alike.
pub(crate) fn integer(text: &[u8]) -> Result<i64, Refusal> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = !digits.is_empty()
        && digits.iter().all(u8::is_ascii_digit)
        && (digits[0] != b'0' || digits.len() == 1);
    let value = std::str::from_utf8(text)
        .ok()
        .filter(|_| plain)
        .and_then(|t| t.parse().ok());
    value.ok_or_else(|| Refusal::new("printf of what is no plain number"))
}
