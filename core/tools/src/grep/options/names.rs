//! The long names of options, from `grep --help`. One may be cut short while it is clear which is meant, as getopt_long(3)
//! has it; `core/tools/tests/generated.rs` asks the real grep which abbreviations are.

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    /// A value, behind `=` or in the next word.
    Value,
    /// A value behind `=`, or none.
    Maybe,
}

/// Letters that take a value.
pub(super) const WITH_VALUE: &str = "ABCDdefm";

// Options that have no letter.
pub(super) const BINARY_FILES: char = '\u{e000}';
pub(super) const COLOR: char = '\u{e001}';
pub(super) const EXCLUDE: char = '\u{e002}';
pub(super) const EXCLUDE_DIR: char = '\u{e003}';
pub(super) const GROUP_SEPARATOR: char = '\u{e004}';
pub(super) const INCLUDE: char = '\u{e005}';
pub(super) const LINE_BUFFERED: char = '\u{e006}';
pub(super) const NO_GROUP_SEPARATOR: char = '\u{e007}';
pub(super) const NO_IGNORE_CASE: char = '\u{e008}';
/// One that is known, and not done here.
const OTHER: char = '\u{e0ff}';

const LONG: &[(&str, char, Takes)] = &[
    ("after-context", 'A', Takes::Value),
    ("basic-regexp", 'G', Takes::Nothing),
    ("before-context", 'B', Takes::Value),
    ("binary", 'U', Takes::Nothing),
    ("binary-files", BINARY_FILES, Takes::Value),
    ("byte-offset", 'b', Takes::Nothing),
    ("color", COLOR, Takes::Maybe),
    ("colour", COLOR, Takes::Maybe),
    ("context", 'C', Takes::Value),
    ("count", 'c', Takes::Nothing),
    ("dereference-recursive", 'R', Takes::Nothing),
    ("devices", 'D', Takes::Value),
    ("directories", 'd', Takes::Value),
    ("exclude", EXCLUDE, Takes::Value),
    ("exclude-dir", EXCLUDE_DIR, Takes::Value),
    ("exclude-from", OTHER, Takes::Value),
    ("extended-regexp", 'E', Takes::Nothing),
    ("file", 'f', Takes::Value),
    ("files-with-matches", 'l', Takes::Nothing),
    ("files-without-match", 'L', Takes::Nothing),
    ("fixed-strings", 'F', Takes::Nothing),
    ("group-separator", GROUP_SEPARATOR, Takes::Value),
    ("help", OTHER, Takes::Nothing),
    ("ignore-case", 'i', Takes::Nothing),
    ("include", INCLUDE, Takes::Value),
    ("initial-tab", 'T', Takes::Nothing),
    ("invert-match", 'v', Takes::Nothing),
    ("label", OTHER, Takes::Value),
    ("line-buffered", LINE_BUFFERED, Takes::Nothing),
    ("line-number", 'n', Takes::Nothing),
    ("line-regexp", 'x', Takes::Nothing),
    ("max-count", 'm', Takes::Value),
    ("no-filename", 'h', Takes::Nothing),
    ("no-group-separator", NO_GROUP_SEPARATOR, Takes::Nothing),
    ("no-ignore-case", NO_IGNORE_CASE, Takes::Nothing),
    ("no-messages", 's', Takes::Nothing),
    ("null", 'Z', Takes::Nothing),
    ("null-data", 'z', Takes::Nothing),
    ("only-matching", 'o', Takes::Nothing),
    ("perl-regexp", 'P', Takes::Nothing),
    ("quiet", 'q', Takes::Nothing),
    ("recursive", 'r', Takes::Nothing),
    ("regexp", 'e', Takes::Value),
    ("silent", 'q', Takes::Nothing),
    ("text", 'a', Takes::Nothing),
    ("version", 'V', Takes::Nothing),
    ("with-filename", 'H', Takes::Nothing),
    ("word-regexp", 'w', Takes::Nothing),
];

/// The option of this long name, or the only one whose name begins with it.
pub(super) fn long(name: &[u8]) -> Option<(char, Takes)> {
    let begins = |long: &str| long.as_bytes().starts_with(name);
    let exact = LONG.iter().find(|(long, ..)| long.as_bytes() == name);
    let (_, letter, takes) = exact.or_else(|| LONG.iter().find(|(long, ..)| begins(long)))?;
    let another = |(long, other, _): &&(&str, char, Takes)| begins(long) && other != letter;
    match exact.is_none() && LONG.iter().any(|entry| another(&entry)) {
        true => None,
        false => Some((*letter, *takes)),
    }
}
