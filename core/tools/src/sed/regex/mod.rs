//! POSIX regular expressions as `sed` reads them, carried over to the `regex` crate where the two agree.
//!
//! The crate prefers the first alternative, POSIX the longest match; [`Matcher::each`] therefore checks that the
//! longest match ends at the same place, and refuses where it does not.

mod bracket;
mod translate;
mod writer;

use regex_automata::hybrid::dfa;
use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

use crate::Refusal;
use translate::translate;
use writer::refuse;

/// A compiled expression.
pub enum Matcher {
    /// Plain text.
    Literal(Box<memchr::memmem::Finder<'static>>),
    /// Anything else.
    Regex(Box<Compiled>),
}

/// An expression compiled by the `regex` crate.
pub struct Compiled {
    regex: Regex,
    /// Finds the longest match from a start, where alternatives or repetitions could differ.
    longest: Option<(dfa::DFA, std::sync::Mutex<dfa::Cache>)>,
    /// The expression consults tables of characters: only sure on ASCII.
    tables: bool,
    /// Groups whose captures POSIX and the crate may set differently.
    pub doubtful_groups: bool,
    /// How many groups there are.
    pub groups: usize,
    /// The longest text in which a search ends before anybody waits for it.
    longest_text: usize,
}

/// Longer expressions are refused: what translates them, and the crate's own parser, take the square of it.
const LONGEST: usize = 4 << 10;
/// Steps of a search that nobody can stop, where no automaton holds: a tenth of a second.
const WORK: usize = 1 << 25;
/// Bytes that the crate takes for a state of an automaton, at least.
const STATE: usize = 64;

impl Matcher {
    /// Compiles `pattern` as a basic, or with `extended` an extended, expression; `fold` ignores case.
    pub fn new(pattern: &[u8], extended: bool, fold: bool) -> Result<Self, Refusal> {
        let Ok(pattern) = std::str::from_utf8(pattern) else {
            return refuse("bytes that are not UTF-8");
        };
        if pattern.len() > LONGEST {
            return refuse("more than 4 KiB");
        }
        if fold && !pattern.is_ascii() {
            return refuse("letters beyond ASCII without case");
        }
        let t = translate(pattern, extended, fold)?;
        if let (Some(literal), false) = (&t.literal, fold) {
            return Ok(Self::Literal(Box::new(
                memchr::memmem::Finder::new(literal).into_owned(),
            )));
        }
        let too_big = |_| Refusal::new("a regular expression of sed too large to compile");
        let syntax = syntax::Config::new()
            .case_insensitive(fold)
            .dot_matches_new_line(true)
            .utf8(false);
        // An automaton made beforehand takes longer than most scripts; this one grows as the text asks for it.
        let config = meta::Config::new()
            .nfa_size_limit(Some(4 << 20))
            .utf8_empty(false)
            .dfa(false)
            .onepass(false);
        let regex = meta::Builder::new()
            .configure(config)
            .syntax(syntax)
            .build(&t.text)
            .map_err(too_big)?;
        let longest = if t.alternation || t.quantifiers > 1 || t.quantified_group {
            let dfa = dfa::Builder::new()
                .configure(dfa::Config::new().match_kind(MatchKind::All))
                .syntax(syntax)
                .build(&t.text)
                .map_err(|_| Refusal::new("a regular expression of sed that no automaton takes"))?;
            let cache = dfa.create_cache();
            Some((dfa, std::sync::Mutex::new(cache)))
        } else {
            None
        };
        let longest_text = WORK / (regex.memory_usage() / STATE).max(1);
        Ok(Self::Regex(Box::new(Compiled {
            regex,
            longest,
            tables: t.tables || fold,
            doubtful_groups: t.quantified_group || (t.alternation && t.groups > 0),
            groups: t.groups,
            longest_text,
        })))
    }

    /// Whether the text matches.
    pub fn is_match(&self, text: &[u8]) -> Result<bool, Refusal> {
        match self {
            Self::Literal(finder) => Ok(finder.find(text).is_some()),
            Self::Regex(r) => {
                r.check(text)?;
                Ok(r.regex.is_match(text))
            }
        }
    }

    /// All matches that do not overlap, as `s///g` sees them, each with its groups where `groups` are asked for.
    pub fn each(
        &self,
        text: &[u8],
        groups: bool,
        mut f: impl FnMut(
            usize,
            usize,
            &dyn Fn(usize) -> Option<(usize, usize)>,
        ) -> Result<bool, Refusal>,
    ) -> Result<(), Refusal> {
        match self {
            Self::Literal(finder) => {
                for start in finder.find_iter(text) {
                    if !f(start, start + finder.needle().len(), &|_| None)? {
                        break;
                    }
                }
            }
            Self::Regex(r) => {
                r.check(text)?;
                if !groups {
                    for found in r.regex.find_iter(text) {
                        r.check_longest(text, found.start(), found.end())?;
                        if !f(found.start(), found.end(), &|_| None)? {
                            break;
                        }
                    }
                    return Ok(());
                }
                for captures in r.regex.captures_iter(text) {
                    let Some(whole) = captures.get_group(0) else {
                        break;
                    };
                    r.check_longest(text, whole.start, whole.end)?;
                    let group = |i: usize| captures.get_group(i).map(|m| (m.start, m.end));
                    if !f(whole.start, whole.end, &group)? {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Compiled {
    fn check(&self, text: &[u8]) -> Result<(), Refusal> {
        if text.len() > self.longest_text {
            return refuse("a long text against a long expression");
        }
        if text.is_ascii() || (!self.tables && std::str::from_utf8(text).is_ok()) {
            Ok(())
        } else {
            refuse("text beyond ASCII against classes")
        }
    }

    fn check_longest(&self, text: &[u8], start: usize, end: usize) -> Result<(), Refusal> {
        let Some((dfa, cache)) = &self.longest else {
            return Ok(());
        };
        let Ok(mut cache) = cache.lock() else {
            return refuse("a lock that broke");
        };
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        match dfa.try_search_fwd(&mut cache, &input) {
            Ok(Some(m)) if m.offset() == end => Ok(()),
            _ => refuse("a match whose length depends on the reading"),
        }
    }
}

/// The first match of an expression, for fuzzers.
pub(crate) fn first_match(
    pattern: &[u8],
    extended: bool,
    fold: bool,
    text: &[u8],
) -> Result<Option<(usize, usize)>, Refusal> {
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
    fn a_match_that_posix_reads_longer_is_refused() {
        let m = Matcher::new(b"a|ab", true, false)
            .unwrap_or_else(|_| unreachable!("a plain alternation"));
        assert!(m.each(b"ab", false, |_, _, _| Ok(true)).is_err());
        assert!(m.each(b"a", true, |_, _, _| Ok(true)).is_ok());
    }
}
