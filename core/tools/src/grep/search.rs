//! Searches one file: how it is read, as text or as binary, before the printer goes over it as over one buffer.

use std::borrow::Cow;
use std::ops::Range;

use curserve_corpus::Content;

use super::errors::refuse;
use super::lines::Lines;
use super::matcher::Pattern;
use super::options::{Binary, List, Options};
use super::printer::{Found, Printer};
use crate::{Deadline, Refusal};

/// grep reads this much first; a NUL within it makes the file binary before anything is printed.
const FIRST_BUFFER: usize = 96 * 1024;

/// What is searched.
#[derive(Clone, Copy)]
pub(super) struct Text<'t> {
    pub(super) content: &'t Content,
    /// What it is known as.
    pub(super) name: &'t [u8],
    /// Lines are prefixed with that.
    pub(super) with_name: bool,
    /// Only these lines of it may match, ascending; None: any.
    pub(super) parts: Option<&'t [Range<usize>]>,
    /// When to give up.
    pub(super) deadline: Deadline,
}

/// Searches one text.
pub(super) fn search(
    pattern: &Pattern,
    options: &Options,
    text: Text<'_>,
) -> Result<Found, Refusal> {
    let content = text.content;
    let facts = content.facts();
    pattern.check_perl(content)?;
    if options.only_matching {
        pattern.check_only_matching(content)?;
    }
    let is_binary = facts.has_nul && options.binary != Binary::Text;
    let is_late = is_binary && memchr::memchr(0, content).is_some_and(|at| at >= FIRST_BUFFER);
    if is_binary && options.binary == Binary::WithoutMatch {
        return match is_late {
            true => refuse("-I with a NUL late in a file"),
            false => Ok(Found::default()),
        };
    }
    let mut finder = pattern.finder(facts.is_ascii, text.parts.filter(|_| !is_binary));
    // A newline for a NUL ends matches and begins none, but at anchors: what is not there before is not there after.
    let may_be_absent = is_binary && !options.invert && !pattern.has_looks();
    if may_be_absent && finder.find(content, 0)?.is_none() {
        return Ok(Found::default());
    }
    let bytes = match is_binary {
        true => Cow::Owned(with_newlines_for_nuls(content)),
        false => Cow::Borrowed(&content[..]),
    };
    pattern.check(&bytes, facts.is_ascii)?;
    let only_first = options.quiet || options.list != List::Nothing;
    let no_lines = options.count || only_first;
    // Of a binary file all that is said is whether it matches, or how often.
    let only_whether = is_binary && !options.count;
    let mut lines = Lines::new(
        pattern,
        options,
        text.with_name.then_some(text.name),
        &bytes,
    );
    lines.check_encoding = !facts.is_utf8 && options.binary != Binary::Text;
    let mut printer = Printer::new(finder, options, text.deadline, &bytes, &mut lines);
    printer.quiet = no_lines || only_whether;
    printer.stop_at_match = only_first || only_whether;
    printer.run()?;
    let mut found = printer.found;
    if is_late && found.lines > 0 && !no_lines {
        return refuse("a match in a file with a NUL late in it");
    }
    // Which context lines and separators it still prints hangs on where its buffers end.
    if lines.encoding_error && options.groups() {
        return refuse("context in a file with encoding errors");
    }
    found.binary_message = options.binary == Binary::Message
        && !no_lines
        && (lines.encoding_error || is_binary && found.lines > 0);
    found.out = lines.out;
    Ok(found)
}

/// `content` as grep reads a binary file: a NUL ends a line too.
fn with_newlines_for_nuls(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    for byte in bytes.iter_mut().filter(|byte| **byte == 0) {
        *byte = b'\n';
    }
    bytes
}
