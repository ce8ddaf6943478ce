//! The automata of a pattern, each made when a text first asks for it.
//!
//! Making one takes longer than many searches, and most of that goes into what characters beyond ASCII look like as
//! bytes. Most code has none, so there is an automaton for such texts that does not know them.

use std::sync::OnceLock;

use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, Hir, HirKind, Look};

use super::forward::{too_large, Forward, SIZE_LIMIT};
use super::needles::needles;
use super::strings::Strings;
use crate::Refusal;

/// Made once; a pattern that is too large is refused each time.
type Once = OnceLock<Result<Box<Regex>, Refusal>>;

/// The automata of one pattern.
pub(super) struct Automata {
    hir: Hir,
    lines: OnceLock<Lines>,
    ascii_lines: OnceLock<Lines>,
    any: Once,
    without_words: Once,
}

/// What finds the lines that match: lines without one of `needles` do not.
pub(super) struct Lines {
    pub(super) forward: Forward,
    pub(super) needles: Option<Strings>,
}

impl Automata {
    /// Of this expression.
    pub(super) fn new(hir: Hir) -> Self {
        Automata {
            hir,
            lines: OnceLock::new(),
            ascii_lines: OnceLock::new(),
            any: OnceLock::new(),
            without_words: OnceLock::new(),
        }
    }

    /// The expression.
    pub(super) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// What finds the lines of a text that match, where all of it is ASCII or not.
    pub(super) fn lines(&self, is_ascii: bool) -> &Lines {
        match is_ascii {
            true => self
                .ascii_lines
                .get_or_init(|| Lines::of(with_leaves(&self.hir, &to_ascii))),
            false => self.lines.get_or_init(|| Lines::of(self.hir.clone())),
        }
    }

    /// For any text, to find where matches begin as well.
    pub(super) fn any(&self) -> Result<&Regex, Refusal> {
        get(&self.any, || compile(&self.hir))
    }

    /// Without word boundaries: it matches wherever the original does.
    pub(super) fn without_words(&self) -> Result<&Regex, Refusal> {
        get(&self.without_words, || {
            compile(&with_leaves(&self.hir, &to_no_word))
        })
    }
}

impl Lines {
    fn of(hir: Hir) -> Lines {
        Lines {
            needles: needles(&hir).and_then(|strings| Strings::any(&strings)),
            forward: Forward::new(hir),
        }
    }
}

fn get(once: &Once, make: impl FnOnce() -> Result<Regex, Refusal>) -> Result<&Regex, Refusal> {
    match once.get_or_init(|| make().map(Box::new)) {
        Ok(regex) => Ok(regex),
        Err(refusal) => Err(refusal.clone()),
    }
}

/// An automaton whose states are made as the text asks for them: making them all beforehand takes 0.2 ms for a short
/// pattern.
fn compile(hir: &Hir) -> Result<Regex, Refusal> {
    let config = meta::Config::new()
        .dfa(false)
        .onepass(false)
        .nfa_size_limit(Some(SIZE_LIMIT))
        .utf8_empty(false);
    meta::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().utf8(false))
        .build_from_hir(hir)
        .or_else(too_large)
}

/// The same expression with other leaves, and no captures.
fn with_leaves(hir: &Hir, leaf: &impl Fn(&Hir) -> Hir) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(|part| with_leaves(part, leaf)).collect();
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            Hir::repetition(repetition.with(with_leaves(&repetition.sub, leaf)))
        }
        HirKind::Capture(capture) => with_leaves(&capture.sub, leaf),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
        _ => leaf(hir),
    }
}

fn to_no_word(leaf: &Hir) -> Hir {
    match leaf.kind() {
        HirKind::Look(look) if !matches!(look, Look::StartLF | Look::EndLF) => Hir::empty(),
        _ => leaf.clone(),
    }
}

fn to_ascii(leaf: &Hir) -> Hir {
    match leaf.kind() {
        HirKind::Class(Class::Unicode(class)) => Hir::class(Class::Bytes(ascii_of(class))),
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => *other,
        }),
        _ => leaf.clone(),
    }
}

fn ascii_of(class: &ClassUnicode) -> ClassBytes {
    const LAST: char = '\u{7f}';
    let within = class.iter().filter(|range| range.start() <= LAST);
    ClassBytes::new(
        within.map(|range| ClassBytesRange::new(range.start() as u8, range.end().min(LAST) as u8)),
    )
}
