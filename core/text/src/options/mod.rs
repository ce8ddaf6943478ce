//! Command lines as data: which options a program has, what each takes, and how its words are read.
//!
//! A program's [`Table`] names all of its options, as its `--help` has them, so that it is known which names cut short are
//! clear; those that are not done here have no key, and refuse the call. A [`Number`] says which numbers an option takes.
//! The tests make their command lines from the same tables, and ask the real programs.

mod number;
mod reader;

pub use number::{Count, Number, ANY};
pub use reader::{Given, Parsed, Value};

/// What an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A value, in the same word or the next.
    Text,
    /// A number, likewise.
    Number(&'static Number),
    /// A value behind the `=` of its long name, or none.
    Maybe,
    /// A value in the same word, behind the letter or the `=`, or none.
    Attached,
}

/// One option of a program.
#[derive(Clone, Copy, Debug)]
pub struct Known<K> {
    /// What its tool calls it; None: it is not done here.
    pub key: Option<K>,
    /// Its letter, if it has one.
    pub letter: Option<u8>,
    /// Its long name, if it has one.
    pub long: Option<&'static str>,
    /// What it takes.
    pub takes: Takes,
}

/// How a program reads its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As getopt_long(3) does: options and operands in any order, letters in clusters, long names cut short.
    Gnu,
    /// The same, but the first operand ends the options.
    GnuFirst,
    /// Long names are whole, and a `=` behind a letter is not part of its value; `rg`.
    Whole,
    /// Long names are whole, and the value of a letter is always the next word; `tree`.
    NextWord,
}

/// The options of a program.
#[derive(Clone, Copy, Debug)]
pub struct Table<K: 'static> {
    /// How its words are read.
    pub style: Style,
    /// Its options.
    pub known: &'static [Known<K>],
    /// What `-NUM` is, where it is an option; the digits of one cluster are one number.
    pub digits: Option<K>,
    /// Whether `+…` may be an option in an old spelling, and is refused.
    pub plus: bool,
}

impl<K> Table<K> {
    /// Read as `style` says, without `-NUM` and `+…`.
    pub const fn new(style: Style, known: &'static [Known<K>]) -> Table<K> {
        Table {
            style,
            known,
            digits: None,
            plus: false,
        }
    }
}

impl<K: Copy> Table<K> {
    /// The same, where `+…` may be an option in an old spelling.
    pub const fn with_plus(self) -> Table<K> {
        Table { plus: true, ..self }
    }

    /// The same, where `-NUM` is `digits`.
    pub const fn with_digits(self, digits: K) -> Table<K> {
        Table {
            digits: Some(digits),
            ..self
        }
    }
}

/// An option with a letter and a long name.
pub const fn both<K>(key: K, letter: char, long: &'static str, takes: Takes) -> Known<K> {
    Known {
        key: Some(key),
        letter: Some(letter as u8),
        long: Some(long),
        takes,
    }
}

/// An option with a letter alone.
pub const fn letter<K>(key: K, letter: char, takes: Takes) -> Known<K> {
    Known {
        key: Some(key),
        letter: Some(letter as u8),
        long: None,
        takes,
    }
}

/// An option with a long name alone.
pub const fn long<K>(key: K, long: &'static str, takes: Takes) -> Known<K> {
    Known {
        key: Some(key),
        letter: None,
        long: Some(long),
        takes,
    }
}

/// An option that the program has, and that is not done here: its letter (a blank where it has none) and its long name
/// (empty where it has none).
pub const fn other<K: Copy>(letter: char, long: &'static str, takes: Takes) -> Known<K> {
    Known {
        key: None,
        letter: match letter {
            ' ' => None,
            letter => Some(letter as u8),
        },
        long: match long.is_empty() {
            true => None,
            false => Some(long),
        },
        takes,
    }
}

/// A program's options without their keys, for tests.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its name.
    pub program: &'static str,
    /// How its words are read.
    pub style: Style,
    /// Whether `-NUM` is an option of it.
    pub digits: bool,
    /// Its options; the key says whether it is done here.
    pub known: Vec<Known<()>>,
}

impl<K: Copy> Table<K> {
    /// Without its keys, as the table of `program`.
    pub fn described(&self, program: &'static str) -> Described {
        let bare = |known: &Known<K>| Known {
            key: known.key.map(|_| ()),
            letter: known.letter,
            long: known.long,
            takes: known.takes,
        };
        Described {
            program,
            style: self.style,
            digits: self.digits.is_some(),
            known: self.known.iter().map(bare).collect(),
        }
    }
}
