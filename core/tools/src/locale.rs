//! `LC_ALL=C`: which answers are the same in it as in the pinned C.UTF-8, for which the tools here are written.
//!
//! The two part company at bytes beyond ASCII, and in the quotes of messages. So a call passes where all that it reads
//! is ASCII, or where its tool looks at bytes alone; and no answer passes that has a message in it.

use curserve_corpus::Kind;

use crate::grep::{Key, TABLE};
use crate::{input, ls, walks, wc, Call, Refusal};
use curserve_text::options::{Given, Parsed, Table};

/// Refuses a call of the tool `name` that may be answered otherwise in the C locale.
///
/// # Errors
/// Where it may be.
pub fn same_before(name: &[u8], call: &Call) -> Result<(), Refusal> {
    let args = input::args(call);
    if !args.iter().all(|arg| arg.is_ascii()) {
        return refuse("words beyond ASCII");
    }
    let fine = match name {
        b"tree" => false, // draws its lines in the characters of the locale
        b"cat" | b"cut" | b"head" | b"nl" | b"rg" | b"sort" | b"tac" | b"tail" | b"tr"
        | b"uniq" | b"xargs" => true,
        b"ls" => !has(&ls::TABLE, &args, &[ls::Key::Ignore, ls::Key::Hide]),
        b"find" => !args.iter().any(|arg| is_of_characters(arg)),
        b"wc" => counts_bytes(&args) || reads_ascii(name, call, &args),
        b"grep" | b"egrep" | b"fgrep" => finds_bytes(&args) || reads_ascii(name, call, &args),
        _ => reads_ascii(name, call, &args),
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
///
/// # Errors
/// Where it has.
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

/// Whether one of these options may be among the words.
fn has<K: Copy + PartialEq>(table: &Table<K>, args: &[&[u8]], keys: &[K]) -> bool {
    let has = |parsed: Parsed<'_, K>| keys.iter().any(|key| parsed.has(*key));
    table.parse(args).map_or(true, has)
}

/// Whether `wc` counts bytes and newlines alone.
fn counts_bytes(args: &[&[u8]]) -> bool {
    let by_bytes =
        |given: &Given<'_, wc::Key>| matches!(given.key, wc::Key::Lines | wc::Key::Bytes);
    let options = wc::TABLE.parse(args).map(|parsed| parsed.options);
    options.is_ok_and(|options| !options.is_empty() && options.iter().all(by_bytes))
}

/// Whether standard input and every file named among the words is ASCII; a folder may hold others.
fn reads_ascii(name: &[u8], call: &Call, args: &[&[u8]]) -> bool {
    let ascii = |arg: &&[u8]| match call.snapshot.resolve(call.cwd, arg, true) {
        Ok(node) if node.kind() == Kind::File => node.bytes().is_ok_and(|bytes| bytes.is_ascii()),
        Ok(_) => false,
        Err(_) => true,
    };
    // What is read without being a word: what lies below a folder, a file named within an option.
    let reads_more = match name {
        b"grep" | b"egrep" | b"fgrep" => walks(name, args) || has(&TABLE, args, &[Key::File]),
        _ => args.iter().any(|arg| arg.starts_with(b"--")),
    };
    !reads_more && call.stdin.bytes().is_ascii() && args.iter().all(ascii)
}

/// Whether `grep` seeks plain ASCII: bytes of which no character beyond ASCII holds any, with case and without words.
fn finds_bytes(args: &[&[u8]]) -> bool {
    let Ok(parsed) = TABLE.parse(args) else {
        return false;
    };
    let mut patterns: Vec<&[u8]> = Vec::new();
    for given in &parsed.options {
        match given.key {
            Key::Regexp => patterns.push(given.text()),
            Key::Include | Key::Exclude | Key::ExcludeDir
                if !given.text().iter().any(|b| b"?[\\".contains(b)) => {}
            Key::LineNumber
            | Key::Recursive
            | Key::Following
            | Key::WithFilename
            | Key::NoFilename
            | Key::ListMatching
            | Key::ListNonMatching
            | Key::Count
            | Key::NoMessages
            | Key::Quiet
            | Key::Invert
            | Key::LineRegexp
            | Key::OnlyMatching
            | Key::Extended
            | Key::Fixed
            | Key::WithoutBinary
            | Key::Context
            | Key::After
            | Key::Before
            | Key::MaxCount
            | Key::Color => {}
            _ => return false,
        }
    }
    if patterns.is_empty() {
        patterns.extend(parsed.operands.first());
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
