//! Searches one file: whether it is text or binary, how far its search goes, and what is shown of it.

use std::borrow::Cow;
use std::ops::Range;

use curserve_corpus::Content;
use curserve_text::ctype;

use super::account::{Group, Shown};
use super::context::merge;
use super::errors::refuse;
use super::matcher::Pattern;
use super::options::{Binary, List, Options};
use super::page::Page;
use super::selection::Selection;
use crate::memory::Pool;
use crate::{Deadline, Refusal};

/// A NUL among so many first bytes makes a file binary before any line comes out; lines before a later one come out, or
/// not, as it happens. Seen with a NUL at 98,303 and at 98,304 (`tests/seen.rs` keeps both).
const EARLY: usize = 96 * 1024;

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
    /// What its lines may take.
    pub(super) pool: &'t Pool,
}

/// Searches one text.
pub(super) fn search(
    pattern: &Pattern,
    options: &Options,
    text: Text<'_>,
) -> Result<Shown, Refusal> {
    let content = text.content;
    let facts = content.facts();
    pattern.check_perl(content)?;
    if options.only_matching {
        pattern.check_only_matching(content)?;
    }
    let is_binary = facts.has_nul && options.binary != Binary::Text;
    let is_late = is_binary && memchr::memchr(0, content).is_some_and(|at| at >= EARLY);
    if is_binary && options.binary == Binary::WithoutMatch {
        return match is_late {
            true => refuse("-I with a NUL late in a file"),
            false => Ok(Shown::default()),
        };
    }
    let mut finder = pattern.finder(facts.is_ascii, text.parts.filter(|_| !is_binary));
    // A newline for a NUL ends matches and begins none, but at anchors: what is not there before is not there after.
    let may_be_absent = is_binary && !options.invert && !pattern.has_looks();
    if may_be_absent && finder.find(content, 0)?.is_none() {
        return Ok(Shown::default());
    }
    let bytes = match is_binary {
        true => Cow::Owned(with_newlines_for_nuls(content)),
        false => Cow::Borrowed(&content[..]),
    };
    pattern.check(&bytes, facts.is_ascii)?;
    if !facts.is_utf8 && !is_binary && ctype::has_disputed_bytes(content) {
        check_disputed(pattern, options, content)?;
    }
    let most = (options.max_count < u64::MAX).then_some(options.max_count);
    let mut selection = Selection::new(finder, &bytes, options.invert, most, text.deadline);
    let names_only = options.quiet || options.list != List::Nothing;
    if names_only || is_binary && !options.count {
        let selected = selection.next()?.is_some();
        if selected && is_late && !names_only {
            return refuse("a match in a file with a NUL late in it");
        }
        return Ok(Shown {
            selected: u64::from(selected),
            kept_back: selected && !names_only,
            group: match options.groups() && selected && !names_only {
                true => Group::Unseen,
                false => Group::None,
            },
            ..Shown::default()
        });
    }
    if options.count {
        return Ok(Shown {
            selected: selection.count()?,
            ..Shown::default()
        });
    }
    let checked = !facts.is_utf8 && options.binary != Binary::Text;
    let name = text.with_name.then_some(text.name);
    let page = Page::new(
        &bytes,
        name,
        checked,
        pattern,
        options,
        text.deadline,
        text.pool,
    );
    lines(options, &bytes, &mut selection, page)
}

/// Refuses where it matters whether some bytes of a text are a character: to which lines are selected, or to what is
/// shown of one.
fn check_disputed(pattern: &Pattern, options: &Options, text: &[u8]) -> Result<(), Refusal> {
    let only_counted = options.quiet || options.list != List::Nothing || options.count;
    let as_it_is = options.binary == Binary::Text && !options.only_matching;
    let disputed = text
        .split(|byte| *byte == b'\n')
        .filter(|line| ctype::has_disputed_bytes(line));
    for line in disputed {
        let selects = |line: &[u8]| -> Result<bool, Refusal> {
            let found = pattern.finder(false, None).find(line, 0)?;
            Ok(found.is_some())
        };
        let as_errors = selects(line)?;
        let as_characters = selects(&ctype::with_characters_for_disputed(line))?;
        let may_be_shown = options.groups() || as_errors != options.invert;
        if as_errors != as_characters || may_be_shown && !only_counted && !as_it_is {
            return refuse("bytes that may or may not be a character");
        }
    }
    Ok(())
}

/// Shows the selected lines and their context.
fn lines(
    options: &Options,
    bytes: &[u8],
    selection: &mut Selection<'_, '_>,
    mut page: Page<'_>,
) -> Result<Shown, Refusal> {
    let mut selected = 0;
    if options.groups() {
        let context = (options.before.unwrap_or(0), options.after.unwrap_or(0));
        merge(bytes, selection, context, |piece| {
            if let (true, true, Some(separator)) = (piece.opens, selected > 0, &options.separator) {
                page.out.extend_from_slice(separator);
                page.out.push(b'\n');
            }
            selected += u64::from(piece.selected || piece.opens);
            page.show(piece.lines, piece.selected)
        })?;
        // Which of its context and separators still come out was seen to depend on more than the lines.
        if page.kept_back {
            return refuse("context in a file that is not all characters");
        }
    } else {
        while let Some(lines) = selection.next()? {
            selected += 1;
            page.show(lines, true)?;
        }
    }
    Ok(Shown {
        selected,
        group: match options.groups() && selected > 0 {
            true => Group::Seen,
            false => Group::None,
        },
        kept_back: page.kept_back,
        out: page.out,
    })
}

/// `content` as a binary file is searched: a NUL was seen to end a line too.
fn with_newlines_for_nuls(content: &[u8]) -> Vec<u8> {
    let mut bytes = content.to_vec();
    for byte in bytes.iter_mut().filter(|byte| **byte == 0) {
        *byte = b'\n';
    }
    bytes
}
