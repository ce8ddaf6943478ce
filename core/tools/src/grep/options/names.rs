//! The options of grep, from `grep --help`. A long name may be cut short while it is clear which is meant, as getopt_long(3)
//! has it; `core/tools/tests/generated.rs` asks the real grep which abbreviations are.

use curserve_text::options::{both, letter, long, other, Number, Style, Table, Takes};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    After,
    Before,
    Context,
    Extended,
    Fixed,
    Basic,
    Perl,
    WithFilename,
    NoFilename,
    WithoutBinary,
    Text,
    BinaryFiles,
    ByteOffset,
    Color,
    Count,
    Directories,
    Exclude,
    ExcludeDir,
    File,
    GroupSeparator,
    NoGroupSeparator,
    IgnoreCase,
    NoIgnoreCase,
    Include,
    Invert,
    LineBuffered,
    LineNumber,
    LineRegexp,
    ListMatching,
    ListNonMatching,
    MaxCount,
    NoMessages,
    NullNames,
    OnlyMatching,
    Quiet,
    Recursive,
    Following,
    Regexp,
    Words,
}

/// How many lines. More than fit into a signed word mean as many as do.
const LINES: Number = Number::between(0, i64::MAX as u64).clamped();

const fn flag(key: Key, letter: char, long: &'static str) -> curserve_text::options::Known<Key> {
    both(key, letter, long, Takes::Nothing)
}

/// The options of `grep`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::After, 'A', "after-context", Takes::Number(&LINES)),
        flag(Key::Basic, 'G', "basic-regexp"),
        both(Key::Before, 'B', "before-context", Takes::Number(&LINES)),
        other('U', "binary", Takes::Nothing),
        long(Key::BinaryFiles, "binary-files", Takes::Text),
        flag(Key::ByteOffset, 'b', "byte-offset"),
        long(Key::Color, "color", Takes::Maybe),
        long(Key::Color, "colour", Takes::Maybe),
        both(Key::Context, 'C', "context", Takes::Number(&LINES)),
        flag(Key::Count, 'c', "count"),
        flag(Key::Following, 'R', "dereference-recursive"),
        other('D', "devices", Takes::Text),
        both(Key::Directories, 'd', "directories", Takes::Text),
        long(Key::Exclude, "exclude", Takes::Text),
        long(Key::ExcludeDir, "exclude-dir", Takes::Text),
        other(' ', "exclude-from", Takes::Text),
        flag(Key::Extended, 'E', "extended-regexp"),
        both(Key::File, 'f', "file", Takes::Text),
        flag(Key::ListMatching, 'l', "files-with-matches"),
        flag(Key::ListNonMatching, 'L', "files-without-match"),
        flag(Key::Fixed, 'F', "fixed-strings"),
        long(Key::GroupSeparator, "group-separator", Takes::Text),
        other(' ', "help", Takes::Nothing),
        flag(Key::IgnoreCase, 'i', "ignore-case"),
        letter(Key::IgnoreCase, 'y', Takes::Nothing),
        long(Key::Include, "include", Takes::Text),
        other('T', "initial-tab", Takes::Nothing),
        flag(Key::Invert, 'v', "invert-match"),
        other(' ', "label", Takes::Text),
        long(Key::LineBuffered, "line-buffered", Takes::Nothing),
        flag(Key::LineNumber, 'n', "line-number"),
        flag(Key::LineRegexp, 'x', "line-regexp"),
        both(Key::MaxCount, 'm', "max-count", Takes::Number(&LINES)),
        flag(Key::NoFilename, 'h', "no-filename"),
        long(Key::NoGroupSeparator, "no-group-separator", Takes::Nothing),
        long(Key::NoIgnoreCase, "no-ignore-case", Takes::Nothing),
        flag(Key::NoMessages, 's', "no-messages"),
        flag(Key::NullNames, 'Z', "null"),
        other('z', "null-data", Takes::Nothing),
        flag(Key::OnlyMatching, 'o', "only-matching"),
        flag(Key::Perl, 'P', "perl-regexp"),
        flag(Key::Quiet, 'q', "quiet"),
        flag(Key::Quiet, 'q', "silent"),
        flag(Key::Recursive, 'r', "recursive"),
        both(Key::Regexp, 'e', "regexp", Takes::Text),
        flag(Key::Text, 'a', "text"),
        other('V', "version", Takes::Nothing),
        flag(Key::WithFilename, 'H', "with-filename"),
        letter(Key::WithoutBinary, 'I', Takes::Nothing),
        flag(Key::Words, 'w', "word-regexp"),
    ],
)
.with_digits(Key::Context);
