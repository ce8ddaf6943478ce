//! Which trigrams must a text hold that a pattern matches? After Russ Cox, "Regular Expression Matching with a Trigram
//! Index" (2012): each part of the pattern has its exact strings while they are few, else the strings it may begin and
//! end with, and what is required in between.

mod class;

use std::collections::BTreeSet;

use regex_syntax::hir::{Hir, HirKind};

use self::class::one_of_class;
use crate::grams::{fold, gram, Gram};
use crate::query::Query;
use crate::segment::Within;

/// More exact strings than this are given up for their beginnings, ends and trigrams.
const MOST_STRINGS: usize = 24;
/// Exact strings longer than this in all are cut as well.
const MOST_BYTES: usize = 4096;

impl Query {
    /// What must be held where `hir` matches. Within a line no part of it matches a newline.
    pub fn of(hir: &Hir, within: Within) -> Query {
        analyse(hir, within).finish()
    }

    /// What a text must hold that contains `literal`, in any case of its ASCII letters.
    pub fn literal(literal: &[u8]) -> Query {
        Part::exactly([literal.iter().map(|&byte| fold(byte)).collect()].into()).finish()
    }
}

type Strings = BTreeSet<Vec<u8>>;

/// What is known of one part of a pattern.
#[derive(Clone, Debug)]
struct Part {
    /// All strings that it matches, where they are few.
    exact: Option<Strings>,
    /// Every match begins with one of these …
    begins: Strings,
    /// … and ends with one of these.
    ends: Strings,
    /// Every match holds this.
    holds: Query,
}

impl Part {
    fn exactly(strings: Strings) -> Part {
        Part {
            exact: Some(strings),
            begins: Strings::new(),
            ends: Strings::new(),
            holds: Query::All,
        }
        .cut()
    }

    fn anything() -> Part {
        Part::beginning([Vec::new()].into())
    }

    /// Something that begins with one of `begins`.
    fn beginning(begins: Strings) -> Part {
        Part {
            exact: None,
            begins,
            ends: [Vec::new()].into(),
            holds: Query::All,
        }
    }

    /// Gives exact strings up where they are too many.
    fn cut(mut self) -> Part {
        if let Some(exact) = &self.exact {
            let bytes: usize = exact.iter().map(Vec::len).sum();
            if exact.len() > MOST_STRINGS || bytes > MOST_BYTES {
                self.give_up();
            }
        }
        self
    }

    fn give_up(&mut self) {
        if let Some(exact) = self.exact.take() {
            self.holds = std::mem::replace(&mut self.holds, Query::All).and(one_of(&exact));
            self.begins = exact
                .iter()
                .map(|string| string[..string.len().min(2)].to_vec())
                .collect();
            self.ends = exact
                .iter()
                .map(|string| string[string.len() - string.len().min(2)..].to_vec())
                .collect();
        }
        for set in [&mut self.begins, &mut self.ends] {
            if set.len() > MOST_STRINGS {
                *set = [Vec::new()].into();
            }
        }
    }

    fn begins(&self) -> &Strings {
        self.exact.as_ref().unwrap_or(&self.begins)
    }

    fn ends(&self) -> &Strings {
        self.exact.as_ref().unwrap_or(&self.ends)
    }

    fn then(self, next: Part) -> Part {
        if let (Some(a), Some(b)) = (&self.exact, &next.exact) {
            if a.len() * b.len() <= MOST_STRINGS {
                return Part::exactly(cross(a, b));
            }
        }
        let holds = match self.ends().len() * next.begins().len() <= MOST_STRINGS {
            true => one_of(&cross(self.ends(), next.begins())),
            false => Query::All,
        };
        let begins = match &self.exact {
            Some(exact) if exact.len() * next.begins().len() <= MOST_STRINGS => {
                cross(exact, next.begins())
            }
            _ => self.begins().clone(),
        };
        let ends = match &next.exact {
            Some(exact) if exact.len() * self.ends().len() <= MOST_STRINGS => {
                cross(self.ends(), exact)
            }
            _ => next.ends().clone(),
        };
        let (mut a, mut b) = (self, next);
        a.give_up();
        b.give_up();
        let holds = holds
            .and(one_of(&begins))
            .and(one_of(&ends))
            .and(a.holds)
            .and(b.holds);
        let first = |string: &Vec<u8>| string[..string.len().min(2)].to_vec();
        let last = |string: &Vec<u8>| string[string.len() - string.len().min(2)..].to_vec();
        let mut part = Part {
            exact: None,
            begins: begins.iter().map(first).collect(),
            ends: ends.iter().map(last).collect(),
            holds,
        };
        part.give_up();
        part
    }

    fn or(mut self, mut other: Part) -> Part {
        if let (Some(a), Some(b)) = (&self.exact, &other.exact) {
            if a.len() + b.len() <= MOST_STRINGS {
                return Part::exactly(a | b);
            }
        }
        self.give_up();
        other.give_up();
        let mut part = Part {
            exact: None,
            begins: &self.begins | &other.begins,
            ends: &self.ends | &other.ends,
            holds: Query::any([self.holds, other.holds]),
        };
        part.give_up();
        part
    }

    fn finish(mut self) -> Query {
        self.give_up();
        self.holds
    }
}

fn cross(a: &Strings, b: &Strings) -> Strings {
    a.iter()
        .flat_map(|first| {
            b.iter()
                .map(move |second| [first.as_slice(), second].concat())
        })
        .collect()
}

/// The query for "one of these strings occurs".
fn one_of(strings: &Strings) -> Query {
    if strings.is_empty() {
        return Query::All;
    }
    Query::any(strings.iter().map(|string| {
        let grams: BTreeSet<Gram> = string.windows(3).filter_map(gram).collect();
        grams
            .into_iter()
            .fold(Query::All, |all, gram| all.and(Query::Gram(gram)))
    }))
}

fn analyse(hir: &Hir, within: Within) -> Part {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Part::exactly([Vec::new()].into()),
        HirKind::Literal(literal) => {
            Part::exactly([literal.0.iter().map(|&byte| fold(byte)).collect()].into())
        }
        HirKind::Class(class) => one_of_class(class, within),
        HirKind::Capture(capture) => analyse(&capture.sub, within),
        HirKind::Repetition(repetition) => {
            if repetition.min == 0 && repetition.max != Some(1) {
                return Part::anything();
            }
            let once = analyse(&repetition.sub, within);
            match (repetition.min, repetition.max) {
                (0, _) => once.or(Part::exactly([Vec::new()].into())),
                (1, Some(1)) => once,
                (min, max) => {
                    let copies = min.min(3);
                    let mut part = once.clone();
                    for _ in 1..copies {
                        part = part.then(once.clone());
                    }
                    match max == Some(copies) {
                        true => part,
                        false => part.then(Part::anything()),
                    }
                }
            }
        }
        HirKind::Concat(parts) => parts
            .iter()
            .map(|part| analyse(part, within))
            .reduce(Part::then)
            .unwrap_or_else(|| Part::exactly([Vec::new()].into())),
        HirKind::Alternation(parts) => parts
            .iter()
            .map(|part| analyse(part, within))
            .reduce(Part::or)
            .unwrap_or_else(Part::anything),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grams::Grams;

    fn admits(pattern: &str, text: &str) -> bool {
        Query::of(&regex_syntax::parse(pattern).unwrap(), Within::Line)
            .admits(&Grams::of(text.as_bytes()))
    }

    #[test]
    fn a_newline_counts_unless_matches_end_with_the_line() {
        let hir = regex_syntax::parse(r"(?-u)def\sx").unwrap();
        let held = Grams::of(b"def\nx");
        assert!(Query::of(&hir, Within::Text).admits(&held));
        assert!(!Query::of(&hir, Within::Line).admits(&held));
    }

    #[test]
    fn a_text_that_matches_is_admitted_and_most_others_are_not() {
        for (pattern, text) in [
            ("hello", "say hello"),
            ("(?i)HeLLo", "say hElLo"),
            (r"def\s+\w+_handler", "def my_handler"),
            ("foo|bar", "a bar"),
            ("(foo|bar)baz", "barbaz"),
            ("a.c", "abc"),
            ("(abc)+d", "abcabcd"),
            ("ab{2,5}cd", "abbbcd"),
            ("x*", ""),
            (r"def\s+x", "def\u{a0}x"),
            (r"(?-u)def\s+x", "def\tx"),
            (r"[0-9a-z]def[\n ]x", "adef x"),
        ] {
            assert!(admits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("hello", "hallo"),
            (r"def\s+\w+_handler", "def my_hand"),
            ("foo|bar", "baz"),
            ("(foo|bar)baz", "foo baz"),
            ("(abc)+d", "abd"),
            ("abcdef", "abc def"),
            (r"def\s+x", "define x"),
        ] {
            assert!(!admits(pattern, text), "{pattern} {text}");
        }
    }
}
