//! Spells basic and extended expressions alike: both become one sequence of [`Symbol`]s, in which a character's meaning
//! no longer depends on what stands beside it.

use regex_syntax::hir::{ClassUnicode, Look};

use super::bracket::bracket;
use crate::grep::ctype;
use crate::grep::errors::refuse;
use crate::Refusal;

/// The manual's limit on the numbers of an interval.
const MOST_REPEATED: u32 = 32_767;

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
}

/// Reads the symbols of `pattern`.
pub(super) fn symbols(pattern: &str, extended: bool, fold: bool) -> Result<Symbols, Refusal> {
    let text: Vec<char> = pattern.chars().collect();
    let mut reader = Reader {
        rest: &text,
        extended,
        fold,
        open: 0,
        found: Symbols {
            all: Vec::with_capacity(text.len()),
            opens_with_brace: false,
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
    extended: bool,
    fold: bool,
    /// Groups that are not closed yet.
    open: usize,
    found: Symbols,
}

impl Reader<'_> {
    /// The symbol that begins with `first`, which has been taken.
    fn symbol(&mut self, first: char) -> Result<Symbol, Refusal> {
        Ok(match (first, self.extended) {
            ('\\', _) => return self.escaped(),
            ('[', _) => {
                let (set, rest) = bracket(self.rest, self.fold)?;
                self.rest = rest;
                Symbol::Set(set)
            }
            ('.', _) => Symbol::Any,
            ('*', false) if self.begins() || self.is_after(&Symbol::Look(Look::StartLF)) => {
                Symbol::Character('*')
            }
            ('*', _) => return self.repeat(0, None),
            ('^', false) if !self.begins() => Symbol::Character('^'),
            ('^', _) => Symbol::Look(Look::StartLF),
            ('$', false) if !self.ends() => Symbol::Character('$'),
            ('$', _) => Symbol::Look(Look::EndLF),
            ('+', true) => return self.repeat(1, None),
            ('?', true) => return self.repeat(0, Some(1)),
            ('|', true) => Symbol::Or,
            ('(', true) => self.open(),
            (')', true) if self.open > 0 => self.close(),
            ('{', true) => return self.brace(),
            (other, _) => Symbol::Character(other),
        })
    }

    /// What a backslash and the next character mean.
    fn escaped(&mut self) -> Result<Symbol, Refusal> {
        let [next, rest @ ..] = self.rest else {
            return refuse("a backslash at the end of a pattern");
        };
        self.rest = rest;
        Ok(match (*next, self.extended) {
            ('(', false) => self.open(),
            (')', false) if self.open > 0 => self.close(),
            (')', false) => return refuse("a group that was not opened"),
            ('|', false) => Symbol::Or,
            ('+', false) => return self.repeat(1, None),
            ('?', false) => return self.repeat(0, Some(1)),
            ('{', false) => match interval(self.rest, &['\\', '}']) {
                Interval::Valid(from, to, rest) => {
                    self.rest = rest;
                    return self.repeat(from, to);
                }
                _ => return refuse("an interval that is none"),
            },
            ('<', _) => Symbol::Look(Look::WordStartUnicode),
            ('>', _) => Symbol::Look(Look::WordEndUnicode),
            ('b', _) => Symbol::Look(Look::WordUnicode),
            ('B', _) => Symbol::Look(Look::WordUnicodeNegate),
            ('w' | 'W' | 's' | 'S', _) => Symbol::Set(named(*next)?),
            ('1'..='9', _) => return refuse("a back-reference"),
            ('`' | '\'', _) => return refuse("a backslash before a quote"),
            (other, _) => Symbol::Character(other),
        })
    }

    /// An extended `{`.
    fn brace(&mut self) -> Result<Symbol, Refusal> {
        match interval(self.rest, &['}']) {
            Interval::Valid(from, to, rest) => {
                self.rest = rest;
                self.repeat(from, to)
            }
            Interval::Invalid => refuse("an interval without sense"),
            Interval::None if self.is_after(&Symbol::Open) => refuse("a brace that begins a group"),
            Interval::None => {
                self.found.opens_with_brace |=
                    self.begins() || self.is_after(&Symbol::Look(Look::StartLF));
                Ok(Symbol::Character('{'))
            }
        }
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
    /// An interval that real grep complains about.
    Invalid,
    /// No interval.
    None,
}

/// Reads `n}`, `n,}`, `,m}`, `n,m}` or `,}`, with this closing.
fn interval<'t>(text: &'t [char], close: &[char]) -> Interval<'t> {
    let (from, rest) = digits(text);
    let (to, rest) = match rest {
        [',', rest @ ..] => {
            let (to, rest) = digits(rest);
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

/// A number that is not beyond the limit.
fn number(digits: &[char]) -> Option<u32> {
    let text: String = digits.iter().collect();
    text.parse().ok().filter(|number| *number <= MOST_REPEATED)
}

/// The set that a letter behind a backslash names.
fn named(letter: char) -> Result<ClassUnicode, Refusal> {
    let set = match letter {
        'w' | 'W' => ctype::word(),
        _ => ctype::class("space"),
    };
    let Some(mut set) = set else {
        return refuse("no classes of characters on this machine");
    };
    if letter.is_ascii_uppercase() {
        set.negate();
    }
    Ok(set)
}
