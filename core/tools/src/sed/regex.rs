//! Expressions of `sed`, which the crate `text` reads, as automata that find the matches of a text one after another.
//!
//! The automaton that knows groups prefers the first branch, POSIX the longest match; so where the two could differ a
//! second one, which knows all matches, says where the longest ends. Groups are given where both agree.

use std::sync::{Mutex, OnceLock, PoisonError};

use curserve_text::expression::{self, Expression, Program, Syntax};
use regex_automata::hybrid::dfa;
use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson;
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::HirKind;

use crate::Refusal;

/// A compiled expression.
pub enum Matcher {
    /// Plain text.
    Literal(Box<memchr::memmem::Finder<'static>>),
    /// Anything else.
    Regex(Box<Compiled>),
}

/// An expression as automata.
pub struct Compiled {
    regex: Regex,
    expression: Expression,
    /// Finds the longest match from a start; made when a text first asks for it.
    longest: OnceLock<Result<Longest, Refusal>>,
    /// It is only sure on ASCII.
    only_ascii: bool,
    /// The longest text in which a search ends before anybody waits for it.
    longest_text: usize,
}

/// An automaton that knows all matches, so that the last it reports is the longest.
struct Longest {
    dfa: dfa::DFA,
    cache: Mutex<dfa::Cache>,
}

/// Longer expressions are refused: the time that reading one takes must not matter.
const LONGEST: usize = 4 << 10;
/// Larger automata are refused.
const SIZE_LIMIT: usize = 4 << 20;
/// Steps of a search that nobody can stop, where no automaton holds: a tenth of a second.
const WORK: usize = 1 << 25;
/// Bytes that the crate takes for a state of an automaton, at least.
const STATE: usize = 64;

/// Where a group matched.
type Span = (usize, usize);

/// Refuses the expression, or the text, that has or lacks `what`.
fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!(
        "in a regular expression of sed: {what}"
    )))
}

impl Matcher {
    /// Compiles `pattern` as a basic, or with `extended` an extended, expression; `fold` ignores case.
    ///
    /// # Errors
    /// Where it is invalid, larger than may be, or not known to mean one thing.
    pub fn new(pattern: &[u8], extended: bool, fold: bool) -> Result<Self, Refusal> {
        let Ok(pattern) = std::str::from_utf8(pattern) else {
            return refuse("bytes that are not UTF-8");
        };
        if pattern.is_empty() {
            return refuse("an empty expression");
        }
        if pattern.len() > LONGEST {
            return refuse("more than 4 KiB");
        }
        if fold && !pattern.is_ascii() {
            return refuse("letters beyond ASCII without case");
        }
        let syntax = match extended {
            true => Syntax::Extended,
            false => Syntax::Basic,
        };
        let expression = expression::read(pattern, syntax, Program::Sed, fold)?;
        if let HirKind::Literal(literal) = expression.hir.kind() {
            let finder = memchr::memmem::Finder::new(&literal.0);
            return Ok(Self::Literal(Box::new(finder.into_owned())));
        }
        Ok(Self::Regex(Box::new(Compiled::new(expression, fold)?)))
    }

    /// Whether the text matches.
    ///
    /// # Errors
    /// Where the expression is not sure on such a text.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, Refusal> {
        match self {
            Self::Literal(finder) => Ok(finder.find(text).is_some()),
            Self::Regex(compiled) => {
                compiled.check(text)?;
                Ok(compiled.regex.is_match(text))
            }
        }
    }

    /// All matches that do not overlap, as `s///g` sees them, each with its groups where `groups` are asked for; `f` says
    /// whether it wants another.
    ///
    /// # Errors
    /// Where the expression is not sure on such a text, and what `f` refuses.
    pub fn each(
        &self,
        text: &[u8],
        groups: bool,
        mut f: impl FnMut(usize, usize, &dyn Fn(usize) -> Option<Span>) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Literal(finder) => {
                for start in finder.find_iter(text) {
                    if !f(start, start + finder.needle().len(), &|_| None)? {
                        break;
                    }
                }
                Ok(())
            }
            Self::Regex(compiled) => compiled.each(text, groups, f),
        }
    }
}

impl Compiled {
    fn new(expression: Expression, fold: bool) -> Result<Self, Refusal> {
        // An automaton made beforehand takes longer than most scripts; this one grows as the text asks for it.
        let config = meta::Config::new()
            .nfa_size_limit(Some(SIZE_LIMIT))
            .utf8_empty(false)
            .dfa(false)
            .onepass(false);
        let regex = meta::Builder::new()
            .configure(config)
            .syntax(syntax::Config::new().utf8(false))
            .build_from_hir(&expression.hir)
            .or_else(too_large)?;
        Ok(Compiled {
            longest: OnceLock::new(),
            only_ascii: expression.only_ascii || fold,
            longest_text: WORK / (regex.memory_usage() / STATE).max(1),
            regex,
            expression,
        })
    }

    /// How many groups there are, of which it is sure what they hold; None where it is not.
    pub fn sure_groups(&self) -> Option<usize> {
        let Expression {
            groups,
            has_branches,
            repeats_group,
            ..
        } = self.expression;
        (groups == 0 || !has_branches && !repeats_group).then_some(groups)
    }

    /// Whether the first match that an automaton prefers may be shorter than the longest.
    fn may_be_longer(&self) -> bool {
        let it = &self.expression;
        it.has_branches || it.repetitions > 1 || it.repeats_group
    }

    fn check(&self, text: &[u8]) -> Result<(), Refusal> {
        if text.len() > self.longest_text {
            return refuse("a long text against a long expression");
        }
        if text.is_ascii() || (!self.only_ascii && std::str::from_utf8(text).is_ok()) {
            Ok(())
        } else {
            refuse("text beyond ASCII against classes")
        }
    }

    fn each(
        &self,
        text: &[u8],
        groups: bool,
        mut f: impl FnMut(usize, usize, &dyn Fn(usize) -> Option<Span>) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        self.check(text)?;
        let mut captures = groups.then(|| self.regex.create_captures());
        let mut from = 0;
        let mut last = None;
        while from <= text.len() {
            let Some((start, end)) = self.next(text, from, captures.as_mut())? else {
                break;
            };
            if start == end && last == Some(end) {
                // Nothing right behind a match is none of its own.
                if text.get(end).is_some_and(|byte| !byte.is_ascii()) {
                    // Seen: sometimes nothing was found within the character too.
                    return refuse("an empty match before a character beyond ASCII");
                }
                from = end + 1;
                continue;
            }
            let group = |i: usize| {
                let found = captures.as_ref()?.get_group(i)?;
                Some((found.start, found.end))
            };
            if !f(start, end, &group)? {
                break;
            }
            (from, last) = (end, Some(end));
        }
        Ok(())
    }

    /// The leftmost longest match at or after `from`, its groups in `captures`.
    fn next(
        &self,
        text: &[u8],
        from: usize,
        captures: Option<&mut Captures>,
    ) -> Result<Option<Span>, Refusal> {
        let input = Input::new(text).range(from..);
        let has_groups = captures.is_some();
        let found = match captures {
            Some(captures) => {
                self.regex.search_captures(&input, captures);
                captures.get_match()
            }
            None => self.regex.search(&input),
        };
        let Some(found) = found else {
            return Ok(None);
        };
        if !self.may_be_longer() {
            return Ok(Some((found.start(), found.end())));
        }
        let made = self.longest.get_or_init(|| Longest::new(&self.expression));
        let Longest { dfa, cache } = made.as_ref().map_err(Clone::clone)?;
        let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
        let input = Input::new(text)
            .range(found.start()..)
            .anchored(Anchored::Yes);
        match dfa.try_search_fwd(&mut cache, &input) {
            Ok(Some(longest)) if longest.offset() == found.end() || !has_groups => {
                Ok(Some((found.start(), longest.offset())))
            }
            _ => refuse("a match whose length depends on the reading"),
        }
    }
}

impl Longest {
    fn new(expression: &Expression) -> Result<Longest, Refusal> {
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(thompson::WhichCaptures::None)
                    .nfa_size_limit(Some(SIZE_LIMIT)),
            )
            .build_from_hir(&expression.hir)
            .or_else(too_large)?;
        let dfa = dfa::Builder::new()
            .configure(dfa::Config::new().match_kind(MatchKind::All))
            .build_from_nfa(nfa)
            .or_else(too_large)?;
        let cache = Mutex::new(dfa.create_cache());
        Ok(Longest { dfa, cache })
    }
}

fn too_large<T>(error: impl std::fmt::Display) -> Result<T, Refusal> {
    Err(Refusal::TooLarge(format!(
        "an expression of sed too large to compile: {error}"
    )))
}

/// The first match of an expression, for fuzzers.
pub(crate) fn first_match(
    pattern: &[u8],
    extended: bool,
    fold: bool,
    text: &[u8],
) -> Result<Option<Span>, Refusal> {
    let mut first = None;
    Matcher::new(pattern, extended, fold)?.each(text, false, |start, end, _| {
        first = Some((start, end));
        Ok(false)
    })?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::{first_match, Matcher};

    fn first(pattern: &str, extended: bool, text: &str) -> Option<(usize, usize)> {
        first_match(pattern.as_bytes(), extended, false, text.as_bytes())
            .unwrap_or_else(|refusal| panic!("{pattern}: {refusal}"))
    }

    #[test]
    fn basic_and_extended_differ() {
        assert_eq!(first("a+", false, "aa+"), Some((1, 3)));
        assert_eq!(first("a+", true, "aa+"), Some((0, 2)));
        assert_eq!(first("a\\+", false, "aa+"), Some((0, 2)));
        assert_eq!(first("*a", false, "x*a"), Some((1, 3)));
        assert_eq!(first("[^]]x", false, "]xax"), Some((2, 4)));
        assert_eq!(first("^[ \\t]*def", false, "  def"), Some((0, 5)));
        assert_eq!(first("a$b", false, "a$b"), Some((0, 3)));
    }

    #[test]
    fn what_fuzzing_found() {
        assert_eq!(first("^^a", false, "^a"), Some((0, 2)));
        assert_eq!(first("^^a", false, "a"), None);
        assert_eq!(first("^^a", true, "a"), Some((0, 1)));
        // GNU sed takes no repetition of a repetition in a basic expression.
        for pattern in ["b**", "b*\\{2\\}", "b\\+*", "\\(b\\)**"] {
            assert!(Matcher::new(pattern.as_bytes(), false, false).is_err());
        }
        assert_eq!(first("\\(b*\\)*c", false, "bbc"), Some((0, 3)));
        for (range, fine) in [
            ("[`-e]", false),
            ("[_-~]", false),
            ("[a-f]", true),
            ("[ -~]", true),
        ] {
            assert_eq!(
                Matcher::new(range.as_bytes(), true, true).is_ok(),
                fine,
                "{range}"
            );
        }
    }

    #[test]
    fn a_match_that_posix_reads_longer_is_longer_and_its_groups_are_refused() {
        let m = Matcher::new(b"a|ab", true, false).unwrap();
        assert!(m.each(b"ab", true, |_, _, _| Ok(true)).is_err());
        assert!(m.each(b"a", true, |_, _, _| Ok(true)).is_ok());
        assert_eq!(first("a|ab", true, "ab"), Some((0, 2)));
    }
}
