//! How lines that match are found in a text.

use aho_corasick::packed;
use memchr::memmem;
use regex_automata::meta::Regex;
use regex_automata::Input;
use regex_syntax::hir::{literal::Extractor, Hir};

/// The few strings that most of agents' patterns mean: no automaton is made for them.
pub(super) enum Strings {
    /// One string.
    One(Box<memmem::Finder<'static>>),
    /// Any of some.
    Few(Box<packed::Searcher>),
}

impl Strings {
    /// What the expression means, if it means nothing but strings.
    pub(super) fn of(hir: &Hir) -> Option<Strings> {
        const MOST: usize = 32;
        if !hir.properties().look_set().is_empty() {
            return None;
        }
        let found = Extractor::new().limit_total(MOST).extract(hir);
        let all = found.literals().filter(|_| found.is_exact())?;
        let plain = |bytes: &[u8]| !bytes.is_empty() && !bytes.contains(&b'\n');
        if !all.iter().all(|literal| plain(literal.as_bytes())) {
            return None;
        }
        if let [one] = all {
            let finder = memmem::Finder::new(one.as_bytes()).into_owned();
            return Some(Strings::One(Box::new(finder)));
        }
        let searcher = packed::Searcher::new(all.iter().map(|literal| literal.as_bytes()))?;
        Some(Strings::Few(Box::new(searcher)))
    }
}

/// Finds lines in one text.
#[derive(Clone, Copy)]
pub(super) enum Finder<'p> {
    /// Every line matches.
    All,
    /// Lines with this string.
    One(&'p memmem::Finder<'static>),
    /// Lines with one of these.
    Few(&'p packed::Searcher),
    /// Lines in which this matches.
    Regex(&'p Regex),
}

/// A selected line: where it begins, and where the next one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Finder<'_> {
    /// The first line at or after `from` (a line's beginning) that matches. A last line without newline counts.
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<Line> {
        if from >= bytes.len() {
            return None;
        }
        let at = match self {
            Finder::All => from,
            Finder::One(string) => from + string.find(&bytes[from..])?,
            Finder::Few(strings) => strings.find_in(bytes, (from..bytes.len()).into())?.start(),
            Finder::Regex(regex) => regex
                .search_half(&Input::new(bytes).range(from..))?
                .offset(),
        };
        let start =
            memchr::memrchr(b'\n', &bytes[from..at]).map_or(from, |before| from + before + 1);
        if start >= bytes.len() {
            // The empty string after the last newline is no line.
            return None;
        }
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |after| at + after + 1);
        Some(Line { start, end })
    }
}
