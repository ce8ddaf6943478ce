//! `test` and `[`: files, strings, numbers. Only forms whose reading POSIX fixes (up to four words, and chains of
//! these joined by `-a` or `-o` of one kind) are answered.

use curserve_corpus::{Kind, Meta};

use crate::{input, Call, Refusal};

/// Runs `test`.
///
/// # Errors
/// Where an expression has more words than are certain, or an operator that is not done here.
pub fn test(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    Ok(i32::from(!evaluate(call, &args)?))
}

/// Runs `[`.
///
/// # Errors
/// As [`test`].
pub fn bracket(call: &mut Call) -> Result<i32, Refusal> {
    match input::args(call).split_last() {
        Some((&b"]", args)) => Ok(i32::from(!evaluate(call, args)?)),
        _ => Err(Refusal::new("[ without ]")),
    }
}

fn evaluate(call: &Call, args: &[&[u8]]) -> Result<bool, Refusal> {
    match args {
        [] => Ok(false),
        [word] => Ok(!word.is_empty()),
        [b"!", word] => Ok(word.is_empty()),
        [op, word] => unary(call, op, word),
        [a, op, b] if is_binary(op) => binary(call, a, op, b),
        [b"!", rest @ ..] if rest.len() < 4 => Ok(!evaluate(call, rest)?),
        [b"(", word, b")"] => Ok(!word.is_empty()),
        _ => chain(call, args),
    }
}

fn chain(call: &Call, args: &[&[u8]]) -> Result<bool, Refusal> {
    for joiner in [&b"-o"[..], b"-a"] {
        let other = if joiner == b"-o" { &b"-a"[..] } else { b"-o" };
        if args.contains(&joiner) && !args.contains(&other) {
            let parts: Vec<&[&[u8]]> = args.split(|a| *a == joiner).collect();
            if !parts.iter().all(|part| is_part(part)) {
                break;
            }
            let mut results = Vec::new();
            for part in parts {
                results.push(evaluate(call, part)?);
            }
            return Ok(if joiner == b"-o" {
                results.contains(&true)
            } else {
                !results.contains(&false)
            });
        }
    }
    Err(Refusal::new("a test of more words than POSIX fixes"))
}

/// Whether this part of a chain has but one reading: a test of a file or a string, or a comparison, of words that do not
/// look like operators.
fn is_part(part: &[&[u8]]) -> bool {
    let plain = |word: &[u8]| match word {
        [b'-', letter, ..] => letter.is_ascii_digit(),
        word => !matches!(
            word,
            b"!" | b"(" | b")" | b"<" | b">" | b"=" | b"==" | b"!="
        ),
    };
    match part.strip_prefix(&[&b"!"[..]]).unwrap_or(part) {
        [[b'-', letter], word] => letter.is_ascii_alphabetic() && plain(word),
        [a, op, b] => plain(a) && is_binary(op) && plain(b),
        _ => false,
    }
}

fn is_binary(op: &[u8]) -> bool {
    matches!(
        op,
        b"=" | b"=="
            | b"!="
            | b"<"
            | b">"
            | b"-eq"
            | b"-ne"
            | b"-lt"
            | b"-le"
            | b"-gt"
            | b"-ge"
            | b"-nt"
            | b"-ot"
            | b"-ef"
            | b"-a"
            | b"-o"
    )
}

/// One test of a file or a string, by its operator.
///
/// # Errors
/// Where the operator is not done here, or the path lies outside the root.
pub fn unary(call: &Call, op: &[u8], word: &[u8]) -> Result<bool, Refusal> {
    let is_link = matches!(op, b"-h" | b"-L");
    match op {
        b"-n" => return Ok(!word.is_empty()),
        b"-z" => return Ok(word.is_empty()),
        b"-t" => {
            return if word.len() == 1 && word[0].is_ascii_digit() {
                Ok(false)
            } else {
                Err(unknown(op))
            }
        }
        b"-e" | b"-a" | b"-f" | b"-d" | b"-s" | b"-r" | b"-w" | b"-x" | b"-h" | b"-L" | b"-p"
        | b"-S" | b"-b" | b"-c" | b"-g" | b"-u" | b"-k" => {}
        _ => return Err(unknown(op)),
    }
    if word == b"/dev/null" {
        return Ok(matches!(op, b"-e" | b"-a" | b"-r" | b"-w" | b"-c"));
    }
    let Ok(node) = input::look(call, word, !is_link)? else {
        return Ok(false);
    };
    let meta = node.meta();
    let is_of_copy = match op {
        b"-r" | b"-w" | b"-x" => true,
        b"-s" => node.kind() == Kind::Folder,
        _ => false,
    };
    if is_of_copy && call.snapshot.is_copy() {
        return Err(Refusal::new("test: what a copy does not have"));
    }
    Ok(match op {
        b"-e" | b"-a" => true,
        b"-f" => node.kind() == Kind::File,
        b"-d" => node.kind() == Kind::Folder,
        b"-s" => meta.size > 0,
        b"-h" | b"-L" => node.kind() == Kind::Link,
        b"-r" => allowed(call, meta, 4),
        b"-w" => allowed(call, meta, 2),
        b"-x" => allowed(call, meta, 1),
        b"-p" => meta.mode & libc::S_IFMT == libc::S_IFIFO,
        b"-S" => meta.mode & libc::S_IFMT == libc::S_IFSOCK,
        b"-b" => meta.mode & libc::S_IFMT == libc::S_IFBLK,
        b"-c" => meta.mode & libc::S_IFMT == libc::S_IFCHR,
        b"-g" => meta.mode & libc::S_ISGID != 0,
        b"-u" => meta.mode & libc::S_ISUID != 0,
        _ => meta.mode & libc::S_ISVTX != 0,
    })
}

/// What `access(2)` would say; root may read and write anything, and run what anybody may run.
pub fn allowed(call: &Call, meta: &Meta, bit: u32) -> bool {
    let world = call.world;
    if world.uid == 0 {
        return bit != 1 || meta.kind() == Kind::Folder || meta.mode & 0o111 != 0;
    }
    let (uid, gid) = world.owner(meta.uid, meta.gid);
    let shift = if uid == world.uid {
        6
    } else if gid == world.gid {
        3
    } else {
        0
    };
    meta.mode >> shift & bit != 0
}

fn binary(call: &Call, a: &[u8], op: &[u8], b: &[u8]) -> Result<bool, Refusal> {
    if let Some(answer) = compare(a, op, b)? {
        return Ok(answer);
    }
    match op {
        b"-a" => Ok(!a.is_empty() && !b.is_empty()),
        b"-o" => Ok(!a.is_empty() || !b.is_empty()),
        b"-ef" if call.snapshot.is_copy() => {
            Err(Refusal::new("test: inodes, which a copy does not have"))
        }
        _ => {
            let (x, y) = (input::look(call, a, true)?, input::look(call, b, true)?);
            let time =
                |n: &Result<curserve_corpus::Node, _>| n.as_ref().ok().map(|n| n.meta().mtime);
            Ok(match op {
                b"-nt" => time(&x) > time(&y),
                b"-ot" => time(&x) < time(&y),
                _ => {
                    matches!((x, y), (Ok(x), Ok(y)) if (x.meta().dev, x.meta().ino) == (y.meta().dev, y.meta().ino))
                }
            })
        }
    }
}

/// A comparison of strings or numbers; `None` where `op` is neither.
///
/// # Errors
/// Where a number is none.
pub fn compare(a: &[u8], op: &[u8], b: &[u8]) -> Result<Option<bool>, Refusal> {
    Ok(Some(match op {
        b"=" | b"==" => a == b,
        b"!=" => a != b,
        b"<" => a < b,
        b">" => a > b,
        b"-eq" => number(a)? == number(b)?,
        b"-ne" => number(a)? != number(b)?,
        b"-lt" => number(a)? < number(b)?,
        b"-le" => number(a)? <= number(b)?,
        b"-gt" => number(a)? > number(b)?,
        b"-ge" => number(a)? >= number(b)?,
        _ => return Ok(None),
    }))
}

fn number(text: &[u8]) -> Result<i64, Refusal> {
    let plain = text.strip_prefix(b"-").unwrap_or(text);
    let fine = !plain.is_empty() && plain.iter().all(u8::is_ascii_digit);
    let value = std::str::from_utf8(text)
        .ok()
        .filter(|_| fine)
        .and_then(|t| t.parse().ok());
    value.ok_or_else(|| Refusal::new("a test of what is no plain number"))
}

fn unknown(op: &[u8]) -> Refusal {
    Refusal::new(format!(
        "a test not known here: {}",
        String::from_utf8_lossy(op)
    ))
}
