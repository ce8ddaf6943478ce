//! The names of grep's options, as tables of getopt.
//!
//! An option without a short name has a character of our own that no command line is likely to hold.

pub const BINARY_FILES: char = '\u{1}';
pub const COLOR: char = '\u{2}';
pub const EXCLUDE: char = '\u{3}';
const EXCLUDE_FROM: char = '\u{4}';
pub const EXCLUDE_DIR: char = '\u{5}';
pub const GROUP_SEPARATOR: char = '\u{6}';
const HELP: char = '\u{7}';
pub const INCLUDE: char = '\u{8}';
pub const NO_IGNORE_CASE: char = '\u{9}';
const LABEL: char = '\u{b}';
pub const LINE_BUFFERED: char = '\u{c}';
pub const NO_GROUP_SEPARATOR: char = '\u{e}';

/// Long options: name, the short option that it stands for (or a character of our own), whether it takes a value.
const LONG: &[(&str, char, bool)] = &[
    ("basic-regexp", 'G', false),
    ("extended-regexp", 'E', false),
    ("fixed-regexp", 'F', false),
    ("fixed-strings", 'F', false),
    ("perl-regexp", 'P', false),
    ("after-context", 'A', true),
    ("before-context", 'B', true),
    ("binary-files", BINARY_FILES, true),
    ("byte-offset", 'b', false),
    ("context", 'C', true),
    ("color", COLOR, false),
    ("colour", COLOR, false),
    ("count", 'c', false),
    ("devices", 'D', true),
    ("directories", 'd', true),
    ("exclude", EXCLUDE, true),
    ("exclude-from", EXCLUDE_FROM, true),
    ("exclude-dir", EXCLUDE_DIR, true),
    ("file", 'f', true),
    ("files-with-matches", 'l', false),
    ("files-without-match", 'L', false),
    ("group-separator", GROUP_SEPARATOR, true),
    ("help", HELP, false),
    ("include", INCLUDE, true),
    ("ignore-case", 'i', false),
    ("no-ignore-case", NO_IGNORE_CASE, false),
    ("initial-tab", 'T', false),
    ("label", LABEL, true),
    ("line-buffered", LINE_BUFFERED, false),
    ("line-number", 'n', false),
    ("line-regexp", 'x', false),
    ("max-count", 'm', true),
    ("no-filename", 'h', false),
    ("no-group-separator", NO_GROUP_SEPARATOR, false),
    ("no-messages", 's', false),
    ("null", 'Z', false),
    ("null-data", 'z', false),
    ("only-matching", 'o', false),
    ("quiet", 'q', false),
    ("recursive", 'r', false),
    ("dereference-recursive", 'R', false),
    ("regexp", 'e', true),
    ("invert-match", 'v', false),
    ("silent", 'q', false),
    ("text", 'a', false),
    ("binary", 'U', false),
    ("unix-byte-offsets", 'u', false),
    ("version", 'V', false),
    ("with-filename", 'H', false),
    ("word-regexp", 'w', false),
];

/// Short options that take a value.
pub const WITH_VALUE: &str = "ABCDXdefm";

/// The option that `name` stands for, whole or as far as it is clear, and whether it takes a value.
pub fn long(name: &[u8]) -> Option<(char, bool)> {
    let exact = LONG.iter().find(|(long, ..)| long.as_bytes() == name);
    let mut starting = LONG
        .iter()
        .filter(|(long, ..)| long.as_bytes().starts_with(name));
    let &(_, letter, takes_value) = match (exact, starting.next(), starting.next()) {
        (Some(exact), ..) => exact,
        (None, Some(only), None) => only,
        _ => return None,
    };
    Some((letter, takes_value))
}
