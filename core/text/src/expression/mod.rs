//! Reads expressions: POSIX basic and extended ones as grep and sed take them, plain strings, and what Perl's have in
//! common with the automata here.
//!
//! Basic and extended expressions are two spellings of one language, so [`symbols`] spells them alike and [`grammar`]
//! reads the result. The accepted language, for both programs:
//!
//! ```text
//! expression  = branch { "|" branch }
//! branch      = { piece }
//! piece       = atom { repeat }                  an anchor or a word's edge is not repeated
//! atom        = character | "." | set | anchor | edge | class | "(" expression ")"
//! repeat      = "*" | "+" | "?" | "{" n "}" | "{" n "," "}" | "{" "," m "}" | "{" n "," m "}"     n ≤ m
//! anchor      = "^" | "$"
//! edge        = "\<" | "\>" | "\b" | "\B"
//! class       = "\w" | "\W" | "\s" | "\S"
//! set         = "[" [ "^" ] member { member } "]"          a "]" that comes first is a member
//! member      = character | character "-" character | "[:" name ":]"
//! ```
//!
//! The spelling is the extended one. In a basic expression the operators `| + ? { } ( )` have a backslash before them, and
//! are characters without; there `*` is a character where a branch begins, `^` elsewhere, `$` but before an end. A
//! backslash before another character means that character (a digit but 0 and a quote excepted), in sets itself. A range
//! goes upwards, ends within ASCII, and does not begin where another ends.
//!
//! | | grep | sed |
//! |---|---|---|
//! | a letter behind a backslash | that letter | `\n`, `\t`, `\r` in sets too: a control character; others are refused |
//! | an extended `{` that begins no interval | a character | refused |
//! | an extended `)` that closes nothing | a character | refused |
//! | an operator behind an operator, basic | repeats what was repeated | refused |
//! | `.` and `[^…]` | do not take a newline | take it |
//! | `^` and `$` | at each line | at the ends of the text; refused where something stands before or behind them |
//! | numbers in intervals | up to 32,767 | up to 999 |
//!
//! What lies outside is refused: the real programs complain of it, warn, or mean something by it that no automaton here does
//! (back-references, collating symbols, equivalence classes). What was seen beyond the manuals has a line in
//! `core/shell/tests/answered.txt`, and the border is searched by `core/tools/tests/expressions.rs`.

mod bracket;
mod cases;
mod grammar;
mod perl;
mod symbols;

use regex_syntax::hir::Hir;

use crate::Refusal;

/// How an expression is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// POSIX basic.
    Basic,
    /// POSIX extended.
    Extended,
    /// A string, in which nothing is special.
    Fixed,
    /// Perl's, as PCRE2 reads it.
    Perl,
}

/// Whose expression it is: POSIX leaves some things to the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Matches lines.
    Grep,
    /// Matches a text that may hold newlines, and asks for groups.
    Sed,
}

/// What an expression means.
#[derive(Clone, Debug)]
pub struct Expression {
    /// For the automata; with captures where the program asks for groups.
    pub hir: Hir,
    /// It asks for word boundaries.
    pub asks_words: bool,
    /// It asks where in a line, or beside what, it is.
    pub has_looks: bool,
    /// An extended `{` that begins no interval begins a branch, or follows an anchor or an edge: which lines it selects is known, where it matches not.
    pub opens_with_brace: bool,
    /// An extended `)` that closes nothing is a character: grep puts no expression around it.
    pub closes_nothing: bool,
    /// It is known to mean the same to the real program in ASCII text only.
    pub only_ascii: bool,
    /// How many groups it has.
    pub groups: usize,
    /// It has branches.
    pub has_branches: bool,
    /// How many repetitions it has.
    pub repetitions: usize,
    /// One of them repeats a group.
    pub repeats_group: bool,
}

impl Expression {
    fn new(hir: Hir) -> Expression {
        Expression {
            hir,
            asks_words: false,
            has_looks: false,
            opens_with_brace: false,
            closes_nothing: false,
            only_ascii: false,
            groups: 0,
            has_branches: false,
            repetitions: 0,
            repeats_group: false,
        }
    }
}

/// Reads an expression; `fold` ignores case.
///
/// # Errors
/// Where it is invalid, or is not known to mean one thing.
pub fn read(
    pattern: &str,
    syntax: Syntax,
    program: Program,
    fold: bool,
) -> Result<Expression, Refusal> {
    if pattern.contains('\0') {
        return refuse("a NUL");
    }
    match syntax {
        Syntax::Perl => perl::read(pattern, fold),
        Syntax::Fixed => fixed(pattern, fold),
        Syntax::Basic => grammar::read(pattern, Dialect::new(program, false, fold)),
        Syntax::Extended => grammar::read(pattern, Dialect::new(program, true, fold)),
    }
}

/// A string, in which nothing is special.
fn fixed(pattern: &str, fold: bool) -> Result<Expression, Refusal> {
    let hir = match fold {
        false => Hir::literal(pattern.as_bytes()),
        true => Hir::concat(
            pattern
                .chars()
                .map(cases::any_case)
                .collect::<Result<_, _>>()?,
        ),
    };
    Ok(Expression::new(hir))
}

/// Whose POSIX expression is read, and how.
#[derive(Clone, Copy)]
struct Dialect {
    program: Program,
    extended: bool,
    fold: bool,
}

impl Dialect {
    fn new(program: Program, extended: bool, fold: bool) -> Dialect {
        Dialect {
            program,
            extended,
            fold,
        }
    }

    fn is_sed(self) -> bool {
        self.program == Program::Sed
    }
}

/// Refuses the expression that has, or lacks, `what`.
fn refuse<T>(what: impl std::fmt::Display) -> Result<T, Refusal> {
    Err(Refusal::new(format!("in an expression: {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hir(pattern: &str, syntax: Syntax, program: Program) -> Option<Hir> {
        Some(read(pattern, syntax, program, false).ok()?.hir)
    }

    fn basic(pattern: &str) -> Option<Hir> {
        hir(pattern, Syntax::Basic, Program::Grep)
    }

    fn extended(pattern: &str) -> Option<Hir> {
        hir(pattern, Syntax::Extended, Program::Grep)
    }

    #[test]
    fn the_two_spellings_mean_the_same() {
        for (one, other) in [
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
            assert!(basic(one).is_some(), "{one}");
            assert_eq!(basic(one), extended(other));
            let of_sed = hir(one, Syntax::Basic, Program::Sed);
            assert_eq!(of_sed, hir(other, Syntax::Extended, Program::Sed));
        }
    }

    #[test]
    fn what_means_nothing_certain_is_refused() {
        for pattern in [
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
            "[^:a:]",
            "a$|b",
            "a$)b",
            "[[.a.]]",
            "[[=a=]]",
            "[a-[:digit:]]",
            "[[:digit:]-z]",
            "[a-c-e]",
            r"a\",
            r"\<*",
            "[à-ÿ]",
        ] {
            assert!(basic(pattern).is_none(), "{pattern}");
        }
        for pattern in [
            "(a", "*a", "^*", "(+a)", "a|?b", "{1}a", "a{}", "a{2,1}", "a{1,2,3}", "a{,,",
            "[^:a:]", "(^a)*", "$*", r"\b+", "({)", "(a)\\1",
        ] {
            assert!(extended(pattern).is_none(), "{pattern}");
        }
    }

    #[test]
    fn anchors_of_sed_stand_at_the_ends() {
        for (pattern, fine) in [
            ("(^|x)a", true),
            ("a($|x)", true),
            ("^(a|b)$", true),
            ("a$b", false),
            ("$.b", false),
            (".(^b|q)", false),
            ("(a$|b).c", false),
        ] {
            let read = hir(pattern, Syntax::Extended, Program::Sed);
            assert_eq!(read.is_some(), fine, "{pattern}");
        }
    }

    #[test]
    fn what_nests_or_repeats_without_end_is_refused() {
        for deep in [r"\(", "[", r"\(a\)*\("] {
            assert!(basic(&deep.repeat(20_000)).is_none());
        }
        for deep in ["(", "[", "(a)*(", "(|"] {
            assert!(extended(&deep.repeat(20_000)).is_none());
        }
        let closed = "(".repeat(20_000) + "a" + &")".repeat(20_000);
        assert!(extended(&closed).is_none());
        assert!(basic(&("a".to_string() + &"*".repeat(20_000))).is_none());
    }
}
