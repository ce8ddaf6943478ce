//! Translates GNU's basic and extended regular expressions, as grep 3.8's dfa.c reads them, into regex-syntax's HIR.
//!
//! No string goes through another regex syntax, so nothing can be escaped wrongly. What cannot be said exactly
//! (back-references, equivalence classes, whatever grep warns or complains about) is refused.
//!
//! [`parser`] is the grammar, which gathers [`pieces`]; [`tokens`] reads one thing after another, [`bracket`] what stands in brackets; [`sets`]
//! are the sets of characters that come of them. [`perl`] reads what `-P` and regex-syntax read alike.

mod bracket;
mod parser;
mod perl;
mod pieces;
mod sets;
mod tokens;

use regex_syntax::hir::Hir;

use super::errors::refuse;
use super::options::Matcher;
use crate::Refusal;
use parser::Parser;
use tokens::Tokens;

/// A translated pattern.
#[derive(Clone, Debug)]
pub(super) struct Translation {
    pub(super) hir: Hir,
    /// It asks about word boundaries, on which the C library and Unicode disagree for some characters.
    pub(super) asks_words: bool,
    /// It has `^`, `$`, or a word boundary.
    pub(super) has_looks: bool,
    /// An extended `{` begins a branch: an ordinary character to dfa.c, nothing at all to glibc's matcher.
    pub(super) opens_with_brace: bool,
    /// It means the same in ASCII text only.
    pub(super) only_ascii: bool,
}

/// Translates one pattern (without a newline).
pub(super) fn translate(
    pattern: &str,
    matcher: Matcher,
    ignore_case: bool,
) -> Result<Translation, Refusal> {
    if matcher == Matcher::Perl {
        return perl::translate(pattern, ignore_case);
    }
    if matcher == Matcher::Fixed {
        let characters: Result<Vec<Hir>, Refusal> = pattern
            .chars()
            .map(|character| sets::literal(character, ignore_case))
            .collect();
        return Ok(Translation {
            hir: Hir::concat(characters?),
            asks_words: false,
            has_looks: false,
            opens_with_brace: false,
            only_ascii: false,
        });
    }
    let tokens = Tokens::new(pattern, matcher == Matcher::Extended, ignore_case);
    let mut parser = Parser::new(tokens);
    let hir = parser.alternation()?;
    if !parser.tokens.at_end() {
        return refuse("an unmatched )");
    }
    Ok(Translation {
        hir,
        asks_words: parser.asks_words,
        has_looks: parser.has_looks,
        opens_with_brace: parser.opens_with_brace,
        only_ascii: false,
    })
}
