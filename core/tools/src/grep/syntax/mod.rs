//! Reads a pattern: POSIX basic and extended expressions (The Open Group Base Specifications, chapter 9), plain strings,
//! and what Perl's have in common with the automata here.
//!
//! Basic and extended expressions are two spellings of one language, so [`symbols`] spells them alike and [`grammar`]
//! reads the result. What the standard leaves undefined is what grep 3.8 was seen to do, where that was one thing in
//! every form of call (`core/shell/tests/answered.txt` has a case for each such rule), and is refused elsewhere:
//!
//! * `\+`, `\?`, `\|` in basic expressions; `\<`, `\>`, `\b`, `\B`, `\w`, `\W`, `\s`, `\S` in both (the manual has these).
//! * A backslash before any other character means that character.
//! * An empty branch or group matches the empty string, a repetition may be repeated, `{,n}` begins at none.
//! * An extended `{` that begins no interval is a character, and so is a `)` that closes nothing.
//! * Refused: an operator with nothing to repeat (an extended one brings a warning), a repeated anchor, back-references,
//!   collating symbols and equivalence classes, ranges that end beyond ASCII.

mod bracket;
mod cases;
mod grammar;
mod perl;
mod symbols;

use regex_syntax::hir::Hir;

use super::errors::refuse;
use super::options::Matcher;
use crate::Refusal;

/// What a pattern means.
pub(super) struct Translation {
    pub(super) hir: Hir,
    /// It asks for word boundaries.
    pub(super) asks_words: bool,
    /// It asks where in a line, or beside what, it is.
    pub(super) has_looks: bool,
    /// An extended `{` that begins no interval begins a branch: which lines it selects is known, where it matches not.
    pub(super) opens_with_brace: bool,
    /// It is known to mean the same to real grep in ASCII text only.
    pub(super) only_ascii: bool,
}

/// Reads one pattern; refuses what is invalid, and what is not known to mean one thing.
pub(super) fn translate(
    pattern: &str,
    matcher: Matcher,
    ignore_case: bool,
) -> Result<Translation, Refusal> {
    if pattern.contains('\0') {
        return refuse("a NUL in a pattern");
    }
    match matcher {
        Matcher::Perl => perl::translate(pattern, ignore_case),
        Matcher::Fixed => fixed(pattern, ignore_case),
        Matcher::Basic => grammar::translate(pattern, false, ignore_case),
        Matcher::Extended => grammar::translate(pattern, true, ignore_case),
    }
}

/// A string, in which nothing is special.
fn fixed(pattern: &str, ignore_case: bool) -> Result<Translation, Refusal> {
    let hir = match ignore_case {
        false => Hir::literal(pattern.as_bytes()),
        true => Hir::concat(
            pattern
                .chars()
                .map(cases::any_case)
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Translation {
        hir,
        asks_words: false,
        has_looks: false,
        opens_with_brace: false,
        only_ascii: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pattern: &str, matcher: Matcher) -> Option<Hir> {
        translate(pattern, matcher, false)
            .ok()
            .map(|translation| translation.hir)
    }

    #[test]
    fn the_two_spellings_mean_the_same() {
        for (basic, extended) in [
            (r"a\(b\|c\)\{2,3\}", "a(b|c){2,3}"),
            (r"^a\+$", "^a+$"),
            ("a|b", r"a\|b"),
            ("a(b)", r"a\(b\)"),
            ("a+?{1}", r"a\+\?\{1\}"),
            ("*a", r"\*a"),
            (r"\(*a\)", r"(\*a)"),
            ("^*a", r"^\*a"),
            ("a^b$c", r"a\^b\$c"),
            (r"x\|^a$\|b", "x|^a$|b"),
            ("[]a^-]", r"[]a^-]"),
            ("[[:digit:]]*", "[[:digit:]]*"),
        ] {
            let (basic, extended) = (
                read(basic, Matcher::Basic),
                read(extended, Matcher::Extended),
            );
            assert!(basic.is_some());
            assert_eq!(basic, extended);
        }
    }

    #[test]
    fn what_means_nothing_certain_is_refused() {
        for basic in [
            r"\(a",
            r"a\)",
            r"a\{",
            r"a\{1",
            r"a\{2,1\}",
            r"a\{40000\}",
            r"\+a",
            r"\{1\}",
            r"\(a\)\1",
            "[a",
            "[]",
            "[z-a]",
            "[[:foo:]]",
            "[:alpha:]",
            "[[.a.]]",
            "[[=a=]]",
            "[a-[:digit:]]",
            "[[:digit:]-z]",
            "[a-c-e]",
            r"a\",
            r"\<*",
            "[à-ÿ]",
        ] {
            assert!(read(basic, Matcher::Basic).is_none(), "{basic}");
        }
        for extended in [
            "(a", "*a", "^*", "(+a)", "a|?b", "{1}a", "a{}", "a{2,1}", "(^a)*", "$*", r"\b+",
            "({)", "(a)\\1",
        ] {
            assert!(read(extended, Matcher::Extended).is_none(), "{extended}");
        }
    }

    #[test]
    fn what_nests_or_repeats_without_end_is_refused() {
        for deep in [r"\(", "[", r"\(a\)*\("] {
            assert!(read(&deep.repeat(20_000), Matcher::Basic).is_none());
        }
        for deep in ["(", "[", "(a)*(", "(|"] {
            assert!(read(&deep.repeat(20_000), Matcher::Extended).is_none());
        }
        let closed = "(".repeat(20_000) + "a" + &")".repeat(20_000);
        assert!(read(&closed, Matcher::Extended).is_none());
        assert!(read(&("a".to_string() + &"*".repeat(20_000)), Matcher::Basic).is_none());
    }
}
