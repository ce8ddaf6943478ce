//! One line against one pattern, for fuzzers: what the automaton says, and that the index would have let it look.

use curserve_index::{Grams, Query, Within};

use super::matcher::Pattern;
use super::options;
use crate::Refusal;

/// Whether the pattern selects this one line, for fuzzers.
///
/// # Panics
/// If the index would not have looked at a text that matches, or the automata find different lines.
pub(crate) fn selects(
    pattern: &str,
    extended: bool,
    fold: bool,
    text: &[u8],
) -> Result<bool, Refusal> {
    let flags = [
        if extended { "-E" } else { "-G" },
        if fold { "-i" } else { "-s" },
    ];
    let words: Vec<Vec<u8>> = [flags[0], flags[1], "-e", pattern]
        .map(|word| word.as_bytes().to_vec())
        .into();
    let options = options::parse(&words, None)?;
    let patterns: Vec<&[u8]> = pattern.as_bytes().split(|byte| *byte == b'\n').collect();
    let compiled = Pattern::new(&patterns, &options)?;
    compiled.check(text, text.is_ascii())?;
    let found = compiled.finder(false, None).find(text, 0)?;
    if text.is_ascii() {
        let by_ascii = compiled.finder(true, None).find(text, 0)?;
        assert_eq!(
            found, by_ascii,
            "the automaton for ASCII differs for {pattern:?} on {text:?}"
        );
    }
    let found = found.is_some();
    let grams = Grams::of(text);
    assert!(
        !found || Query::of(compiled.hir(), Within::Line).admits(&grams),
        "the index leaves out {text:?} for {pattern:?}"
    );
    Ok(found)
}
