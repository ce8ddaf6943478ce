//! Spells basic and extended expressions alike: both become one sequence of [`Symbol`]s, in which a character's meaning
//! no longer depends on what stands beside it.

use regex_syntax::hir::{ClassUnicode, Look};

use super::bracket::{bracket, control};
use super::{refuse, Dialect};
use crate::ctype;
use crate::Refusal;

/// grep's limit on the numbers of an interval, by its manual.
const MOST_REPEATED: u32 = 32_767;
/// Sed's; larger ones were not tried.
const MOST_REPEATED_BY_SED: u32 = 999;

/// One element of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Symbol {
    /// A character that means itself.
    Character(char),
    /// Any character.
    Any,
    /// One character of a set, which knows about cases already.
    Set(ClassUnicode),
    /// An anchor, or a word's edge.
    Look(Look),
    Open,
    Close,
    Or,
    /// What comes before, from so many times to so many.
    Repeat(u32, Option<u32>),
}

/// All symbols of an expression.
pub(super) struct Symbols {
    pub(super) all: Vec<Symbol>,
    /// An extended `{` that is a character begins a branch.
    pub(super) opens_with_brace: bool,
    /// An extended `)` that closes nothing is a character.
    pub(super) closes_nothing: bool,
    /// It has sets or edges of which only the part within ASCII is known.
    pub(super) only_ascii: bool,
}

/// Reads the symbols of `pattern`.
pub(super) fn symbols(pattern: &str, dialect: Dialect) -> Result<Symbols, Refusal> {
    let text: Vec<char> = pattern.chars().collect();
    let mut reader = Reader {
        rest: &text,
        dialect,
        open: 0,
        found: Symbols {
            all: Vec::with_capacity(text.len()),
            opens_with_brace: false,
            closes_nothing: false,
            only_ascii: false,
        },
    };
    while let [first, rest @ ..] = reader.rest {
        reader.rest = rest;
        let symbol = reader.symbol(*first)?;
        reader.found.all.push(symbol);
    }
    Ok(reader.found)
}

struct Reader<'t> {
    rest: &'t [char],
    dialect: Dialect,
    /// Groups that are not closed yet.
    open: usize,
    found: Symbols,
}

impl<'t> Reader<'t> {
    /// The symbol that begins with `first`, which has been taken.
    fn symbol(&mut self, first: char) -> Result<Symbol, Refusal> {
        let extended = self.dialect.extended;
        Ok(match (first, extended) {
            ('\\', _) => return self.escaped(),
            ('[', _) => {
                let bracket = bracket(self.rest, self.dialect)?;
                self.rest = bracket.rest;
                self.found.only_ascii |= bracket.only_ascii;
                Symbol::Set(bracket.set)
            }
            ('.', _) => Symbol::Any,
            ('*', false) if self.begins() || self.is_after(&self.start()) => Symbol::Character('*'),
            ('*', _) => return self.repeat(0, None),
            ('^', false) if !self.begins() => Symbol::Character('^'),
            ('^', _) => self.start(),
            // Seen: an anchor before `|b`, a character before a last `)`.
            ('$', false) if matches!(self.rest, [')' | '|', ..]) => {
                return refuse("a basic $ before ) or |")
            }
            ('$', false) if !self.ends() => Symbol::Character('$'),
            ('$', _) => Symbol::Look(match self.dialect.is_sed() {
                true => Look::End,
                false => Look::EndLF,
            }),
            ('+', true) => return self.repeat(1, None),
            ('?', true) => return self.repeat(0, Some(1)),
            ('|', true) => Symbol::Or,
            ('(', true) => self.open(),
            (')', true) if self.open > 0 => self.close(),
            (')', true) if self.dialect.is_sed() => return refuse("a group that was not opened"),
            (')', true) => {
                self.found.closes_nothing = true;
                Symbol::Character(')')
            }
            ('{', true) => return self.brace(),
            (other, _) => Symbol::Character(other),
        })
    }

    /// What a backslash and the next character mean.
    fn escaped(&mut self) -> Result<Symbol, Refusal> {
        let [next, rest @ ..] = self.rest else {
            return refuse("a backslash at the end");
        };
        self.rest = rest;
        Ok(match (*next, self.dialect.extended) {
            ('(', false) => self.open(),
            (')', false) if self.open > 0 => self.close(),
            (')', false) => return refuse("a group that was not opened"),
            ('|', false) => Symbol::Or,
            ('+', false) => return self.repeat(1, None),
            ('?', false) => return self.repeat(0, Some(1)),
            ('{', false) => match self.interval(&['\\', '}']) {
                Interval::Valid(from, to, rest) => {
                    self.rest = rest;
                    return self.repeat(from, to);
                }
                _ => return refuse("an interval that is none"),
            },
            ('<', _) => self.edge(Look::WordStartUnicode, Look::WordStartAscii),
            ('>', _) => self.edge(Look::WordEndUnicode, Look::WordEndAscii),
            ('b', _) => self.edge(Look::WordUnicode, Look::WordAscii),
            ('B', _) => self.edge(Look::WordUnicodeNegate, Look::WordAsciiNegate),
            ('w' | 'W' | 's' | 'S', _) => Symbol::Set(self.named(*next)?),
            ('1'..='9', _) => return refuse("a back-reference"),
            ('`' | '\'', _) => return refuse("a backslash before a quote"),
            // Seen: with `-i`, such a letter matches nothing in some forms of call.
            (other, _) if self.dialect.fold && other.is_alphabetic() => {
                return refuse(format_args!("the escape \\{other} without case"))
            }
            (other, _) if !self.dialect.is_sed() => Symbol::Character(other),
            (other, _) => match control(other) {
                Some(control) => Symbol::Character(control),
                None if other.is_ascii_punctuation() => Symbol::Character(other),
                None => return refuse(format_args!("the escape \\{other}")),
            },
        })
    }

    /// An extended `{`.
    fn brace(&mut self) -> Result<Symbol, Refusal> {
        match self.interval(&['}']) {
            Interval::Valid(from, to, rest) => {
                self.rest = rest;
                self.repeat(from, to)
            }
            Interval::Invalid => refuse("an interval without sense"),
            Interval::None if self.dialect.is_sed() => refuse("an interval that is none"),
            Interval::None => {
                let last = self.found.all.last();
                let begins = self.begins() || matches!(last, Some(Symbol::Look(_)));
                // Seen: `(a${)` is a group that is not closed.
                if begins && self.open > 0 {
                    return refuse("a brace that begins a branch of a group");
                }
                self.found.opens_with_brace |= begins;
                Ok(Symbol::Character('{'))
            }
        }
    }

    /// What stands behind a brace, which `close` closes.
    fn interval(&self, close: &[char]) -> Interval<'t> {
        let most = match self.dialect.is_sed() {
            true => MOST_REPEATED_BY_SED,
            false => MOST_REPEATED,
        };
        interval(self.rest, close, most)
    }

    fn repeat(&self, from: u32, to: Option<u32>) -> Result<Symbol, Refusal> {
        if self.begins() || matches!(self.found.all.last(), Some(Symbol::Look(_))) {
            return refuse("a repetition of nothing or of an anchor");
        }
        Ok(Symbol::Repeat(from, to))
    }

    fn open(&mut self) -> Symbol {
        self.open += 1;
        Symbol::Open
    }

    fn close(&mut self) -> Symbol {
        self.open -= 1;
        Symbol::Close
    }

    /// `^` as an anchor.
    fn start(&self) -> Symbol {
        Symbol::Look(match self.dialect.is_sed() {
            true => Look::Start,
            false => Look::StartLF,
        })
    }

    /// A word's edge. What sed is asked for is known within ASCII.
    fn edge(&mut self, any: Look, ascii: Look) -> Symbol {
        self.found.only_ascii |= self.dialect.is_sed();
        Symbol::Look(match self.dialect.is_sed() {
            true => ascii,
            false => any,
        })
    }

    /// The set that a letter behind a backslash names.
    fn named(&mut self, letter: char) -> Result<ClassUnicode, Refusal> {
        self.found.only_ascii |= self.dialect.is_sed();
        let set = match (letter, self.dialect.is_sed()) {
            ('w' | 'W', is_sed) => ctype::word(is_sed),
            (_, true) => ctype::ascii("space"),
            (_, false) => ctype::class("space"),
        };
        let Some(mut set) = set else {
            return refuse("no classes of characters on this machine");
        };
        if letter.is_ascii_uppercase() {
            set.negate();
        }
        Ok(set)
    }

    /// Whether the next symbol is the first of a branch.
    fn begins(&self) -> bool {
        matches!(
            self.found.all.last(),
            None | Some(Symbol::Open | Symbol::Or)
        )
    }

    /// Whether the last symbol of a basic branch has been read.
    fn ends(&self) -> bool {
        matches!(self.rest, [] | ['\\', ')' | '|', ..])
    }

    fn is_after(&self, symbol: &Symbol) -> bool {
        self.found.all.last() == Some(symbol)
    }
}

/// What stands behind a brace.
enum Interval<'t> {
    /// From so many to so many, and what comes after it.
    Valid(u32, Option<u32>, &'t [char]),
    /// An interval that the real programs complain about.
    Invalid,
    /// No interval.
    None,
}

/// Reads `n}`, `n,}`, `,m}`, `n,m}` or `,}`, with this closing, and no number beyond `most`.
fn interval<'t>(text: &'t [char], close: &[char], most: u32) -> Interval<'t> {
    let (from, rest) = digits(text);
    let (to, rest) = match rest {
        [',', rest @ ..] => {
            let (to, rest) = digits(rest);
            if let [',', ..] = rest {
                return Interval::Invalid; // `{1,2,`, closed or not
            }
            ((!to.is_empty()).then_some(to), rest)
        }
        _ => (Some(from), rest),
    };
    let Some(rest) = rest.strip_prefix(close) else {
        return Interval::None;
    };
    if from.is_empty() && to.is_some_and(<[char]>::is_empty) {
        return Interval::Invalid; // `{}`
    }
    let number = |digits: &[char]| -> Option<u32> {
        let text: String = digits.iter().collect();
        text.parse().ok().filter(|number| *number <= most)
    };
    let from = match from {
        [] => Some(0),
        digits => number(digits),
    };
    match (from, to.map(number)) {
        (Some(from), None) => Interval::Valid(from, None, rest),
        (Some(from), Some(Some(to))) if from <= to => Interval::Valid(from, Some(to), rest),
        _ => Interval::Invalid,
    }
}

/// The digits that `text` begins with, and what comes after them.
fn digits(text: &[char]) -> (&[char], &[char]) {
    text.split_at(text.iter().take_while(|c| c.is_ascii_digit()).count())
}
