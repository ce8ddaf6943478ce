//! The compiled pattern: finds matching lines in a buffer, and longest matches in a line.

use aho_corasick::packed;
use curserve_corpus::Content;
use memchr::memmem;
use regex_automata::hybrid::dfa;
use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{literal::Extractor, Hir, Look};

use super::errors::refuse;
use super::options::Options;
use super::{ctype, syntax as gnu};
use crate::Refusal;

/// Automata may grow to this size; larger patterns are refused.
const SIZE_LIMIT: usize = 64 << 20;

/// What `-e`, `-f`, `-w`, `-x` and `-i` come to.
pub(super) struct Pattern {
    lines: Lines,
    /// The same without word boundaries, where those are asked for.
    without_words: Option<Regex>,
    longest: Option<dfa::DFA>,
    hir: Hir,
    /// It matches the empty string somewhere in every line.
    matches_all: bool,
    can_be_empty: bool,
}

/// How lines that match are found.
enum Lines {
    /// The pattern means a string, as most of agents' do: no automaton is made.
    One(Box<memmem::Finder<'static>>),
    /// Or one of a few.
    Few(Box<packed::Searcher>),
    Regex(Box<Regex>),
}

/// A selected line: where it begins, and where the next one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Pattern {
    /// Compiles `patterns`, separated by newlines.
    pub(super) fn new(patterns: &[u8], options: &Options) -> Result<Pattern, Refusal> {
        let Ok(patterns) = std::str::from_utf8(patterns) else {
            return refuse("a pattern that is not UTF-8");
        };
        let mut branches = Vec::new();
        let (mut asks_words, mut has_looks) = (false, false);
        // What makes real grep ask glibc's matcher, for the place of a match or for a class beyond ASCII.
        let asks_glibc =
            options.only_matching || options.words || patterns.contains(['[', '\\', '.']);
        for pattern in patterns.split('\n') {
            let translation = gnu::translate(pattern, options.matcher, options.ignore_case)?;
            asks_words |= translation.asks_words;
            has_looks |= translation.has_looks;
            if translation.opens_with_brace && asks_glibc {
                return refuse("a brace that begins a pattern");
            }
            branches.push(translation.hir);
        }
        let inner = Hir::alternation(branches);
        let words = options.words && !options.whole_lines;
        if words && has_looks {
            return refuse("-w with anchors in the pattern");
        }
        if words && inner.properties().minimum_len() == Some(0) {
            return refuse("-w with a pattern that matches nothing");
        }
        let wrapped =
            |begin, finish| Hir::concat(vec![Hir::look(begin), inner.clone(), Hir::look(finish)]);
        let hir = if options.whole_lines {
            wrapped(Look::StartLF, Look::EndLF)
        } else if words {
            wrapped(Look::WordStartHalfUnicode, Look::WordEndHalfUnicode)
        } else {
            inner.clone()
        };
        let asks_words = asks_words || words;
        let properties = hir.properties();
        let can_be_empty = properties.minimum_len() == Some(0);
        let matches_all = can_be_empty && properties.look_set().is_empty();
        let without_words = match asks_words {
            true => Some(compile(&without_word_looks(&hir))?),
            false => None,
        };
        let longest = match options.only_matching {
            true => Some(longest(&hir)?),
            false => None,
        };
        let simple = !options.ignore_case && !options.only_matching;
        let lines = match simple.then(|| strings(&hir)).flatten() {
            Some(lines) => lines,
            None => Lines::Regex(Box::new(compile(&hir)?)),
        };
        Ok(Pattern {
            lines,
            without_words,
            longest,
            hir,
            matches_all,
            can_be_empty,
        })
    }

    pub(super) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// Refuses where the C library's idea of a word might change the answer for these bytes.
    pub(super) fn check(&self, bytes: &[u8], is_ascii: bool) -> Result<(), Refusal> {
        let Some(without_words) = self.without_words.as_ref().filter(|_| !is_ascii) else {
            return Ok(());
        };
        let disputed = std::str::from_utf8(bytes).map_or(true, ctype::has_disputed);
        if disputed && without_words.is_match(bytes) {
            return refuse("word boundaries beside characters on which libraries disagree");
        }
        Ok(())
    }

    /// Refuses `-o` where an empty match might fall inside a character.
    pub(super) fn check_only_matching(&self, content: &Content) -> Result<(), Refusal> {
        if self.can_be_empty && !content.facts().is_ascii {
            return refuse("-o with a pattern that matches nothing, beyond ASCII");
        }
        Ok(())
    }

    /// The first line at or after `from` (a line's beginning) that matches. A last line without newline counts.
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<Line> {
        if from >= bytes.len() {
            return None;
        }
        let at = match &self.lines {
            _ if self.matches_all => from,
            Lines::One(string) => from + string.find(&bytes[from..])?,
            Lines::Few(strings) => strings.find_in(bytes, (from..bytes.len()).into())?.start(),
            Lines::Regex(regex) => regex
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

    /// The leftmost-longest match in `line` (without its newline) at or after `from`.
    pub(super) fn find_in(
        &self,
        line: &[u8],
        from: usize,
        cache: &mut Option<dfa::Cache>,
    ) -> Result<Option<(usize, usize)>, Refusal> {
        let found = match &self.lines {
            Lines::Regex(regex) => regex.search(&Input::new(line).range(from..)),
            Lines::One(_) | Lines::Few(_) => return refuse("-o without an automaton"),
        };
        let Some(found) = found else {
            return Ok(None);
        };
        let Some(longest) = &self.longest else {
            return Ok(Some((found.start(), found.end())));
        };
        let cache = cache.get_or_insert_with(|| longest.create_cache());
        let input = Input::new(line)
            .range(found.start()..)
            .anchored(Anchored::Yes);
        match longest.try_search_fwd(cache, &input) {
            Ok(Some(half)) => Ok(Some((found.start(), half.offset()))),
            _ => refuse("-o with a pattern whose longest match could not be found"),
        }
    }
}

/// The few strings that the expression means, if it means nothing else.
fn strings(hir: &Hir) -> Option<Lines> {
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
        return Some(Lines::One(Box::new(finder)));
    }
    let searcher = packed::Searcher::new(all.iter().map(|literal| literal.as_bytes()))?;
    Some(Lines::Few(Box::new(searcher)))
}

/// An automaton whose states are made as the text asks for them: making them all beforehand takes 0.2 ms for a short
/// pattern, more than most searches.
fn compile(hir: &Hir) -> Result<Regex, Refusal> {
    let config = meta::Config::new()
        .dfa(false)
        .onepass(false)
        .nfa_size_limit(Some(SIZE_LIMIT))
        .utf8_empty(false);
    let built = meta::Builder::new()
        .configure(config)
        .syntax(syntax::Config::new().utf8(false))
        .build_from_hir(hir);
    built.or_else(|error| refuse(format!("a pattern too large: {error}")))
}

/// An automaton that knows all matches, so that the last it reports is the longest.
fn longest(hir: &Hir) -> Result<dfa::DFA, Refusal> {
    let too_large = |error: String| refuse(format!("a pattern too large for -o: {error}"));
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(SIZE_LIMIT)),
        )
        .build_from_hir(hir);
    let nfa = match nfa {
        Ok(nfa) => nfa,
        Err(error) => return too_large(error.to_string()),
    };
    let config = dfa::Config::new()
        .match_kind(MatchKind::All)
        .unicode_word_boundary(true)
        .skip_cache_capacity_check(true);
    match dfa::Builder::new().configure(config).build_from_nfa(nfa) {
        Ok(dfa) => Ok(dfa),
        Err(error) => too_large(error.to_string()),
    }
}

/// The same expression with every word boundary taken out: it matches wherever the original does.
fn without_word_looks(hir: &Hir) -> Hir {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Look(look) if !matches!(look, Look::StartLF | Look::EndLF) => Hir::empty(),
        HirKind::Repetition(repetition) => {
            Hir::repetition(repetition.with(without_word_looks(&repetition.sub)))
        }
        HirKind::Capture(capture) => without_word_looks(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_word_looks).collect()),
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.iter().map(without_word_looks).collect())
        }
        _ => hir.clone(),
    }
}
