//! `LC_ALL=C`: which answers are the same in it as in the pinned C.UTF-8, for which the tools here are written.
//!
//! The two part company at bytes beyond ASCII, and in the quotes of messages. So a call passes where all that it reads
//! is ASCII, or where its tool looks at bytes alone; and no answer passes that has a message in it.

use curserve_corpus::Kind;

use crate::{input, Call, Refusal};

/// Refuses a call of the tool `name` that may be answered otherwise in the C locale.
pub fn same_before(name: &[u8], call: &Call) -> Result<(), Refusal> {
    let args = input::args(call);
    if !args.iter().all(|arg| arg.is_ascii()) {
        return refuse("words beyond ASCII");
    }
    let fine = match name {
        b"tree" => false, // draws its lines in the characters of the locale
        b"cat" | b"cut" | b"head" | b"nl" | b"rg" | b"sort" | b"tac" | b"tail" | b"tr"
        | b"uniq" | b"xargs" => true,
        b"ls" => !args.iter().any(|arg| {
            arg.starts_with(b"-I") || arg.starts_with(b"--hi") || arg.starts_with(b"--ig")
        }),
        b"find" => !args.iter().any(|arg| is_of_characters(arg)),
        b"wc" => counts_bytes(&args) || reads_ascii(call, &args),
        b"grep" | b"egrep" | b"fgrep" => finds_bytes(&args) || reads_ascii(call, &args),
        _ => reads_ascii(call, &args),
    };
    if fine {
        Ok(())
    } else {
        refuse("what may depend on the locale")
    }
}

/// Refuses an answer that has a message in it, or a file that `grep` took to be binary in one of the two.
///
/// `from` says how much there was of output and of messages before.
pub fn same_after(name: &[u8], call: &Call, from: (usize, usize)) -> Result<(), Refusal> {
    let written = call.out.as_bytes().get(from.0..).unwrap_or_default();
    let binary = name.ends_with(b"grep")
        && memchr::memmem::find(written, b": binary file matches").is_some();
    if binary || call.err.as_bytes().len() > from.1 {
        return refuse("a message");
    }
    Ok(())
}

fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!("in the C locale: {what}")))
}

/// Whether a word of `find` matches names character by character, or without case.
fn is_of_characters(arg: &[u8]) -> bool {
    matches!(arg, b"-iname" | b"-ipath" | b"-iwholename" | b"-lname")
        || arg.iter().any(|b| b"?[\\".contains(b))
}

fn counts_bytes(args: &[&[u8]]) -> bool {
    let mut options = args
        .iter()
        .filter(|arg| arg.starts_with(b"-") && arg.len() > 1)
        .peekable();
    options.peek().is_some() && options.all(|arg| arg[1..].iter().all(|b| b"lc".contains(b)))
}

/// Whether standard input and every file named among the words is ASCII; a folder may hold others.
fn reads_ascii(call: &Call, args: &[&[u8]]) -> bool {
    let ascii = |arg: &&[u8]| match call.snapshot.resolve(call.cwd, arg, true) {
        Ok(node) if node.kind() == Kind::File => node.bytes().is_ok_and(|bytes| bytes.is_ascii()),
        Ok(_) => false,
        Err(_) => true,
    };
    let recursive = args.iter().any(|arg| {
        arg.starts_with(b"--")
            || arg.starts_with(b"-") && arg.iter().any(|b| matches!(b, b'r' | b'R' | b'd'))
    });
    !recursive && call.stdin.bytes().is_ascii() && args.iter().all(ascii)
}

/// Whether `grep` seeks plain ASCII: bytes of which no character beyond ASCII holds any, with case and without words.
fn finds_bytes(args: &[&[u8]]) -> bool {
    let (mut patterns, mut operands) = (Vec::new(), Vec::new());
    let mut words = args.iter().copied();
    while let Some(word) = words.next() {
        if let Some(long) = word.strip_prefix(b"--") {
            let plain = [&b"include="[..], b"exclude=", b"exclude-dir=", b"color="];
            let known = plain.iter().any(|name| long.starts_with(name));
            if !known || long.iter().any(|b| b"?[\\".contains(b)) {
                return false;
            }
        } else if word.len() > 1 && word[0] == b'-' {
            let mut letters = &word[1..];
            while let Some((letter, rest)) = letters.split_first() {
                letters = rest;
                match letter {
                    b'n'
                    | b'r'
                    | b'R'
                    | b'H'
                    | b'h'
                    | b'l'
                    | b'L'
                    | b'c'
                    | b's'
                    | b'q'
                    | b'v'
                    | b'x'
                    | b'o'
                    | b'E'
                    | b'F'
                    | b'I'
                    | b'0'..=b'9' => {}
                    b'A' | b'B' | b'C' | b'm' | b'e' => {
                        let value = if rest.is_empty() {
                            words.next()
                        } else {
                            Some(rest)
                        };
                        if *letter == b'e' {
                            patterns.extend(value);
                        }
                        letters = b"";
                    }
                    _ => return false,
                }
            }
        } else {
            operands.push(word);
        }
    }
    if patterns.is_empty() {
        patterns.extend(operands.first().copied());
    }
    !patterns.is_empty() && patterns.iter().all(|pattern| is_plain(pattern))
}

/// Whether a pattern is text, anchors, alternatives and repetitions of these.
fn is_plain(pattern: &[u8]) -> bool {
    let mut bytes = pattern.iter();
    while let Some(b) = bytes.next() {
        match b {
            b'.' | b'[' => return false,
            b'\\' => match bytes.next() {
                Some(b) if b.is_ascii_punctuation() && !b"<>`'".contains(b) => {}
                _ => return false,
            },
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_bytes_are_told_from_those_of_characters() {
        for plain in ["class", "a\\|b", "^def foo(", "x\\.y", "ab*"] {
            assert!(finds_bytes(&[b"-rn", plain.as_bytes(), b"."]), "{plain}");
        }
        for other in ["a.b", "[^x]", "\\bfoo", "\\w", "\\<a"] {
            assert!(!finds_bytes(&[b"-rn", other.as_bytes(), b"."]), "{other}");
        }
        assert!(!finds_bytes(&[b"-i", b"a"]));
        assert!(!finds_bytes(&[b"-e", b"a", b"-e", b"."]));
        assert!(finds_bytes(&[b"-A", b"3", b"a", b"b.c"]));
    }
}
