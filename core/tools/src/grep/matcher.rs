//! The compiled pattern: finds matching lines in a buffer, and longest matches in a line.

use std::ops::Range;

use curserve_corpus::Content;
use curserve_text::ctype;
use curserve_text::expression::{self, Program};
use regex_automata::hybrid::dfa;
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::{Hir, Look};

use super::automata::Automata;
use super::errors::refuse;
use super::finder::{By, Finder, Search};
use super::forward::{too_large, SIZE_LIMIT};
use super::options::{Matcher, Options};
use super::strings::Strings;
use super::trim::without_optional_ends;
use crate::Refusal;

/// What `-e`, `-f`, `-w`, `-x` and `-i` come to.
pub(super) struct Pattern {
    strings: Option<Strings>,
    automata: Automata,
    /// It asks for word boundaries.
    asks_words: bool,
    /// It is known to mean the same to real grep in ASCII text only.
    only_ascii: bool,
    perl: bool,
    longest: Option<dfa::DFA>,
    /// It matches the empty string somewhere in every line.
    matches_all: bool,
    can_be_empty: bool,
}

impl Pattern {
    /// Compiles what matches where any of `patterns` does; without any, nothing does.
    pub(super) fn new(patterns: &[&[u8]], options: &Options) -> Result<Pattern, Refusal> {
        let perl = options.matcher == Matcher::Perl;
        if perl && patterns.len() > 1 {
            return refuse("several patterns of -P");
        }
        let mut branches = Vec::with_capacity(patterns.len());
        let (mut asks_words, mut has_looks, mut only_ascii) = (false, false, false);
        // With these a brace that begins a pattern was seen to count for nothing, in some lines or in all.
        let is_set = |byte: &u8| b"[\\.".contains(byte);
        let drops_brace = options.only_matching
            || options.words
            || patterns.iter().any(|pattern| pattern.iter().any(is_set));
        for pattern in patterns {
            let Ok(pattern) = std::str::from_utf8(pattern) else {
                return refuse("a pattern that is not UTF-8");
            };
            let read =
                expression::read(pattern, options.matcher, Program::Grep, options.ignore_case)?;
            asks_words |= read.asks_words;
            has_looks |= read.has_looks;
            only_ascii |= read.only_ascii;
            if read.opens_with_brace && drops_brace {
                return refuse("a brace that begins a pattern");
            }
            if read.closes_nothing && (options.words || options.whole_lines) {
                return refuse("-w or -x around a ) that closes nothing");
            }
            branches.push(read.hir);
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
        } else if words && perl {
            wrapped(Look::WordStartHalfAscii, Look::WordEndHalfAscii)
        } else if words {
            wrapped(Look::WordStartHalfUnicode, Look::WordEndHalfUnicode)
        } else if options.only_matching {
            inner
        } else {
            without_optional_ends(inner)
        };
        let asks_words = asks_words || words && !perl;
        let properties = hir.properties();
        let can_be_empty = properties.minimum_len() == Some(0);
        let matches_all = can_be_empty && properties.look_set().is_empty();
        // Perl's match is the first that it finds, POSIX's the longest.
        let longest = match options.only_matching && !perl {
            true => Some(longest(&hir)?),
            false => None,
        };
        let simple = !options.ignore_case && !options.only_matching;
        Ok(Pattern {
            strings: simple.then(|| Strings::of(&hir)).flatten(),
            asks_words,
            only_ascii: only_ascii || words && perl,
            perl,
            longest,
            automata: Automata::new(hir),
            matches_all,
            can_be_empty,
        })
    }

    pub(super) fn hir(&self) -> &Hir {
        self.automata.hir()
    }

    /// Refuses where PCRE2 might read this text in a way of its own.
    pub(super) fn check_perl(&self, content: &Content) -> Result<(), Refusal> {
        let facts = content.facts();
        if self.only_ascii && !facts.is_ascii || self.perl && !facts.is_utf8 {
            return refuse("-P with text beyond ASCII");
        }
        Ok(())
    }

    /// Refuses where the C library's idea of a word might change the answer for these bytes.
    pub(super) fn check(&self, bytes: &[u8], is_ascii: bool) -> Result<(), Refusal> {
        if is_ascii || !self.asks_words {
            return Ok(());
        }
        let disputed = std::str::from_utf8(bytes).map_or(true, ctype::has_disputed);
        if disputed && self.automata.without_words()?.is_match(bytes) {
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

    /// Whether it asks where in a line it is.
    pub(super) fn has_looks(&self) -> bool {
        !self.hir().properties().look_set().is_empty()
    }

    /// What finds the lines that match in a text, all of which is ASCII or not, and of which only `parts` may match, where
    /// that is known.
    pub(super) fn finder<'p>(
        &'p self,
        is_ascii: bool,
        parts: Option<&'p [Range<usize>]>,
    ) -> Finder<'p> {
        let by = match &self.strings {
            _ if self.matches_all => By::All,
            Some(strings) => By::Strings(strings),
            None => By::Automaton(Search::new(&self.automata, is_ascii)),
        };
        Finder::new(by, parts)
    }

    /// The leftmost-longest match in `line` (without its newline) at or after `from`.
    pub(super) fn find_in(
        &self,
        line: &[u8],
        from: usize,
        cache: &mut Option<dfa::Cache>,
    ) -> Result<Option<(usize, usize)>, Refusal> {
        let regex = self.automata.any()?;
        let Some(found) = regex.search(&Input::new(line).range(from..)) else {
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

/// An automaton that knows all matches, so that the last it reports is the longest.
fn longest(hir: &Hir) -> Result<dfa::DFA, Refusal> {
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(SIZE_LIMIT)),
        )
        .build_from_hir(hir)
        .or_else(too_large)?;
    let config = dfa::Config::new()
        .match_kind(MatchKind::All)
        .unicode_word_boundary(true)
        .skip_cache_capacity_check(true);
    dfa::Builder::new()
        .configure(config)
        .build_from_nfa(nfa)
        .or_else(too_large)
}
