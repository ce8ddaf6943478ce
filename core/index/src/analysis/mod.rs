//! Which trigrams must a text hold that a pattern matches? After Russ Cox, "Regular Expression Matching with a Trigram
//! Index" (2012): each part of the pattern has its exact strings while they are few, else the strings it may begin and
//! end with, and what is required in between.

mod class;
mod part;

use regex_syntax::hir::{Hir, HirKind};

use self::class::one_of_class;
use self::part::Part;
use crate::grams::fold;
use crate::query::Query;
use crate::segment::Within;

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
