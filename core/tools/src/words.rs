//! The small tools whose answer lies in their words: `echo`, `basename`, `dirname`, `true`, `seq`.

use curserve_text::escapes::{unescape, Escapes};

use crate::deadline::Watch;
use crate::printf::integer;
use crate::{input, Call, Refusal};

/// `echo`, the builtin and the program alike.
///
/// # Errors
/// Where an escape is not done here.
pub fn echo(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let text = echoed(&args)?;
    call.out.write(&text);
    Ok(0)
}

/// `/bin/echo`, which also knows `--help` and `--version`.
///
/// # Errors
/// As [`echo`], and for the two options.
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

/// `basename`.
///
/// # Errors
/// Where an option is not done here, or a message would be needed.
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
///
/// # Errors
/// Where an option is not done here, or a message would be needed.
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
///
/// # Errors
/// For these two.
pub fn yes(call: &mut Call) -> Result<i32, Refusal> {
    always(call, 0)
}

/// `false`.
///
/// # Errors
/// For the two words that print.
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
///
/// # Errors
/// Where a number is not whole, an option but `-w` is given, or it would complain.
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
    let mut watch = Watch::new(call.deadline);
    while if step > 0 { n <= last } else { n >= last } {
        watch.pass(width)?;
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
