//! How lines that match are found in a text.

use std::ops::Range;

use regex_automata::Input;

use super::automata::{Automata, Lines};
use super::forward::Searcher;
use super::strings::Strings;
use crate::Refusal;

/// A selected line: where it begins, and where the next one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Finds lines in one text.
pub(super) struct Finder<'p> {
    by: By<'p>,
    /// Only in these lines, ascending; None: in any.
    parts: Option<&'p [Range<usize>]>,
}

/// What a line is found by.
pub(super) enum By<'p> {
    /// Nothing: every line matches.
    All,
    /// One of these.
    Strings(&'p Strings),
    /// An automaton that matches in it.
    Automaton(Search<'p>),
}

impl<'p> Finder<'p> {
    /// In a text of which only `parts` (whole lines, ascending) may match, where that is known.
    pub(super) fn new(by: By<'p>, parts: Option<&'p [Range<usize>]>) -> Self {
        Finder { by, parts }
    }

    /// The first line at or after `from` (a line's beginning) that matches. A last line without newline counts.
    pub(super) fn find(&mut self, bytes: &[u8], from: usize) -> Result<Option<Line>, Refusal> {
        let Some(parts) = &mut self.parts else {
            return self.by.find(bytes, from);
        };
        while let [part, rest @ ..] = parts {
            let end = part.end.min(bytes.len());
            let found = self.by.find(&bytes[..end], from.max(part.start))?;
            if found.is_some() || part.end > bytes.len() {
                // Where `bytes` is the text's beginning, the rest of the part comes with more of it.
                return Ok(found);
            }
            *parts = rest;
        }
        Ok(None)
    }
}

impl By<'_> {
    fn find(&mut self, bytes: &[u8], from: usize) -> Result<Option<Line>, Refusal> {
        if from >= bytes.len() {
            return Ok(None);
        }
        Ok(match self {
            By::All => line_at(bytes, from, from),
            By::Strings(strings) => strings
                .find(bytes, from)
                .and_then(|at| line_at(bytes, from, at)),
            By::Automaton(search) => search.find(bytes, from)?,
        })
    }
}

/// One text under an automaton.
pub(super) struct Search<'p> {
    automata: &'p Automata,
    lines: &'p Lines,
    searcher: Option<Box<Searcher<'p>>>,
}

impl<'p> Search<'p> {
    /// In a text, all of which is ASCII or not.
    pub(super) fn new(automata: &'p Automata, is_ascii: bool) -> Self {
        Search {
            automata,
            lines: automata.lines(is_ascii),
            searcher: None,
        }
    }

    fn find(&mut self, bytes: &[u8], mut from: usize) -> Result<Option<Line>, Refusal> {
        let Some(needles) = &self.lines.needles else {
            let found = self.end(bytes, from, bytes.len())?;
            return Ok(found.and_then(|at| line_at(bytes, from, at)));
        };
        while let Some(line) = needles
            .find(bytes, from)
            .and_then(|at| line_at(bytes, from, at))
        {
            if self.has_match(bytes, line)? {
                return Ok(Some(line));
            }
            from = line.end;
        }
        Ok(None)
    }

    fn has_match(&mut self, bytes: &[u8], line: Line) -> Result<bool, Refusal> {
        if self.searcher.is_none() {
            let input = input(bytes, line.start, line.end);
            if let Some(found) = self.lines.forward.is_match(&input)? {
                return Ok(found);
            }
        }
        Ok(self.end(bytes, line.start, line.end)?.is_some())
    }

    /// Where a match ends in whole lines, the first of those that match.
    fn end(&mut self, bytes: &[u8], from: usize, to: usize) -> Result<Option<usize>, Refusal> {
        let input = input(bytes, from, to);
        let searcher = match &mut self.searcher {
            Some(searcher) => searcher,
            none => none.insert(Box::new(self.lines.forward.searcher()?)),
        };
        match searcher.end(&input) {
            Ok(found) => Ok(found),
            Err(()) => {
                let regex = self.automata.any()?;
                Ok(regex.search_half(&input).map(|half| half.offset()))
            }
        }
    }
}

/// Whole lines to search, without the newline of the last one, behind which an empty match would be in the next.
fn input(bytes: &[u8], from: usize, to: usize) -> Input<'_> {
    let to = to - usize::from(bytes[from..to].ends_with(b"\n"));
    Input::new(bytes).range(from..to).earliest(true)
}

/// The line that `at` is in, which is not before `from`.
fn line_at(bytes: &[u8], from: usize, at: usize) -> Option<Line> {
    let start = memchr::memrchr(b'\n', &bytes[from..at]).map_or(from, |before| from + before + 1);
    if start >= bytes.len() {
        // The empty string after the last newline is no line.
        return None;
    }
    let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |after| at + after + 1);
    Some(Line { start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_outside_the_parts_are_passed_over_and_a_cut_part_is_taken_up_again() {
        let text = b"xa\nxb\nxc\nxd\nxe\n";
        let x = Strings::any(&[b"x".to_vec()]).unwrap();
        let parts = [3..9, 12..15];
        let mut finder = Finder::new(By::Strings(&x), Some(&parts));
        let mut starts = Vec::new();
        for all in [3, 6, 12, text.len()] {
            let mut from = starts.last().map_or(0, |last| last + 3);
            while let Some(line) = finder.find(&text[..all], from).unwrap() {
                starts.push(line.start);
                from = line.end;
            }
        }
        assert_eq!(starts, [3, 6, 12]);
    }
}
