//! What fuzzers call: translations of expressions that are otherwise private.

use crate::{grep, sed};

/// The first match of an expression of `sed`; the outer None where it is refused.
pub fn sed_match(
    pattern: &str,
    extended: bool,
    fold: bool,
    text: &[u8],
) -> Option<Option<(usize, usize)>> {
    sed::first_match(pattern.as_bytes(), extended, fold, text).ok()
}

/// Whether `grep` selects this one line; None where it refuses.
///
/// # Panics
/// If the index would not have looked at a text that matches.
pub fn grep_selects(pattern: &str, extended: bool, fold: bool, text: &[u8]) -> Option<bool> {
    grep::selects(pattern, extended, fold, text).ok()
}
