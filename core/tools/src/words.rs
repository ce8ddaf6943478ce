//! The small tools whose answer lies in their words: `echo`, `printf`, `basename`, `dirname`, `true`, `seq`.

use crate::{input, opts, quote, Call, Refusal};

/// `echo`, the builtin and the program alike.
pub fn echo(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let text = echoed(&args)?;
    call.out.write(&text);
    Ok(0)
}

/// `/bin/echo`, which also knows `--help` and `--version`.
pub fn echo_program(call: &mut Call) -> Result<i32, Refusal> {
    match input::args(call).as_slice() {
        [b"--help" | b"--version"] => Err(Refusal::new("the help of echo")),
        _ => echo(call),
    }
}

fn echoed(args: &[&[u8]]) -> Result<Vec<u8>, Refusal> {
    let (mut newline, mut escapes) = (true, false);
    let mut rest = args;
    while let Some((first, more)) = rest.split_first() {
        let flags = first
            .strip_prefix(b"-")
            .filter(|f| !f.is_empty() && f.iter().all(|b| b"neE".contains(b)));
        let Some(flags) = flags else { break };
        for f in flags {
            match f {
                b'n' => newline = false,
                b'e' => escapes = true,
                _ => escapes = false,
            }
        }
        rest = more;
    }
    let mut text = rest.join(&b' ');
    if escapes {
        let (expanded, stopped) = unescape(&text, Escapes::Echo)?;
        text = expanded;
        newline &= !stopped;
    }
    if newline {
        text.push(b'\n');
    }
    Ok(text)
}

/// Whose escapes: octal is `\0nnn` for `echo -e` and `%b`, `\nnn` for the format of `printf`.
#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    Echo,
    Format,
}

/// Expands backslash escapes; true when `\c` ended the output.
fn unescape(text: &[u8], whose: Escapes) -> Result<(Vec<u8>, bool), Refusal> {
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while i < text.len() {
        if text[i] != b'\\' {
            out.push(text[i]);
            i += 1;
            continue;
        }
        let Some(&c) = text.get(i + 1) else {
            out.push(b'\\');
            break;
        };
        i += 2;
        let take = |from: usize, most: usize, base: u32| {
            let digits = text[from..]
                .iter()
                .take(most)
                .map_while(|&b| (b as char).to_digit(base));
            let digits: Vec<u32> = digits.collect();
            (digits.iter().fold(0u32, |n, d| n * base + d), digits.len())
        };
        match c {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'"' if whose == Escapes::Format => out.push(b'"'),
            b'\'' if whose == Escapes::Format => out.push(b'\''),
            b'c' => return Ok((out, true)),
            b'0' if whose == Escapes::Echo => {
                let (value, n) = take(i, 3, 8);
                out.push(value as u8);
                i += n;
            }
            b'0'..=b'7' if whose == Escapes::Format => {
                let (value, n) = take(i - 1, 3, 8);
                out.push(value as u8);
                i += n - 1;
            }
            b'1'..=b'7' => return Err(Refusal::new("an octal escape without a zero")),
            b'x' => {
                let (value, n) = take(i, 2, 16);
                if n == 0 {
                    return Err(Refusal::new("a hexadecimal escape without digits"));
                }
                out.push(value as u8);
                i += n;
            }
            b'u' | b'U' => return Err(Refusal::new("a Unicode escape")),
            c => out.extend_from_slice(&[b'\\', c]),
        }
    }
    Ok((out, false))
}

/// `printf`, the builtin and the program alike where both agree; a value that is no number is refused.
pub fn printf(call: &mut Call) -> Result<i32, Refusal> {
    let mut args = input::args(call).into_iter();
    let mut format = args.next().unwrap_or(b"");
    if format == b"--" {
        format = args.next().unwrap_or(b"");
    } else if format.starts_with(b"-") {
        return Err(Refusal::new("an option of printf"));
    }
    if format.is_empty() && call.args.len() < 2 {
        return Err(Refusal::new("printf without a format"));
    }
    let values: Vec<&[u8]> = args.collect();
    let mut rest = values.as_slice();
    loop {
        let before = rest.len();
        let stopped = once(format, &mut rest, call)?;
        if stopped || rest.is_empty() || rest.len() == before {
            return Ok(0);
        }
    }
}

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
                opts::number(&format[start..*i]).map(|n| Some(n.min(10_000) as usize))
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
            b'c' => next()
                .and_then(|t| t.first())
                .map_or(Vec::new(), |b| vec![*b]),
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

fn integer(text: &[u8]) -> Result<i64, Refusal> {
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

/// `basename`.
pub fn basename(call: &mut Call) -> Result<i32, Refusal> {
    let mut args = input::args(call);
    if args.first() == Some(&&b"--"[..]) {
        args.remove(0);
    } else if args.first().is_some_and(|a| a.starts_with(b"-")) {
        return Err(Refusal::new("an option of basename"));
    }
    let (name, suffix) = match args.as_slice() {
        [name] => (*name, &b""[..]),
        [name, suffix] => (*name, *suffix),
        _ => return Err(Refusal::new("basename of none or of many")),
    };
    let end = name
        .iter()
        .rposition(|&b| b != b'/')
        .map_or(name.len().min(1), |i| i + 1);
    let mut base = &name[..end];
    if let Some(i) = memchr::memrchr(b'/', base).filter(|i| i + 1 < base.len()) {
        base = &base[i + 1..];
    }
    if base != suffix && base != b"/" {
        base = base.strip_suffix(suffix).unwrap_or(base);
    }
    call.out.write(&[base, b"\n"].concat());
    Ok(0)
}

/// `dirname`.
pub fn dirname(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    if args.is_empty() || args.iter().any(|a| a.starts_with(b"-")) {
        return Err(Refusal::new("dirname of none, or an option of it"));
    }
    for name in args {
        let end = name.iter().rposition(|&b| b != b'/').map_or(0, |i| i + 1);
        let parent = match (memchr::memrchr(b'/', &name[..end]), end) {
            (_, 0) if name.is_empty() => &b"."[..],
            (_, 0) => b"/",
            (None, _) => b".",
            (Some(i), _) => match name[..i].iter().rposition(|&b| b != b'/') {
                Some(last) => &name[..=last],
                None => b"/",
            },
        };
        call.out.write(&[parent, b"\n"].concat());
    }
    Ok(0)
}

/// `true`, with any words but the two that print.
pub fn yes(call: &mut Call) -> Result<i32, Refusal> {
    always(call, 0)
}

/// `false`.
pub fn no(call: &mut Call) -> Result<i32, Refusal> {
    always(call, 1)
}

fn always(call: &mut Call, status: i32) -> Result<i32, Refusal> {
    match input::args(call).as_slice() {
        [b"--help" | b"--version"] => Err(Refusal::new("the help of a tool")),
        _ => Ok(status),
    }
}

/// `seq` of whole numbers.
pub fn seq(call: &mut Call) -> Result<i32, Refusal> {
    let mut words = input::args(call);
    let equal = words.first() == Some(&&b"-w"[..]);
    if equal {
        words.remove(0);
    }
    // As wide as the first and the last number are written, even where the last is not reached.
    let width = match (equal, words.as_slice()) {
        (true, [last]) => last.len(),
        (true, [first, .., last]) => first.len().max(last.len()),
        _ => 0,
    };
    if words.contains(&&b"-0"[..]) {
        return Err(Refusal::new("a minus zero, which seq keeps"));
    }
    let numbers = words
        .into_iter()
        .map(integer)
        .collect::<Result<Vec<_>, _>>()?;
    let (first, step, last) = match *numbers.as_slice() {
        [last] => (1, 1, last),
        [first, last] => (first, 1, last),
        [first, step, last] if step != 0 => (first, step, last),
        _ => return Err(Refusal::new("seq without its numbers")),
    };
    let mut n = first;
    while if step > 0 { n <= last } else { n >= last } {
        call.out.write(format!("{n:0width$}\n").as_bytes());
        if call.out.full() {
            break;
        }
        n = n
            .checked_add(step)
            .ok_or_else(|| Refusal::new("seq out of range"))?;
    }
    Ok(0)
}

/// `tac`: lines from the last to the first.
pub fn tac(call: &mut Call) -> Result<i32, Refusal> {
    let mut operands = input::args(call);
    if operands.iter().any(|o| o.len() > 1 && o.starts_with(b"-")) {
        return Err(Refusal::new("an option of tac"));
    }
    if operands.is_empty() {
        operands.push(b"-");
    }
    let mut status = 0;
    for operand in operands {
        match input::open(call, operand)? {
            input::Operand::Content(content) => {
                let mut end = content.len();
                while end > 0 {
                    let start = memchr::memrchr(b'\n', &content[..end - 1]).map_or(0, |i| i + 1);
                    call.out.write(&content[start..end]);
                    end = start;
                }
            }
            input::Operand::Directory => return Err(Refusal::new("tac of a folder")),
            input::Operand::Failed(reason) => {
                let name = quote::always(operand)?;
                let parts: [&[u8]; 5] = [
                    b"tac: failed to open ",
                    &name,
                    b" for reading: ",
                    reason.as_bytes(),
                    b"\n",
                ];
                input::complain(call, &parts);
                status = 1;
            }
        }
    }
    Ok(status)
}
