//! The common form of output, `path:number:line`, without the general printer: dense answers are bound by what a line
//! costs.

use std::ops::Range;

use curserve_corpus::Content;
use grep_matcher::Matcher;
use grep_regex::RegexMatcher;
use grep_searcher::{Searcher, Sink, SinkMatch};

use super::lead::Lead;
use super::options::{Mode, Options};
use super::pattern::literal;
use super::room::Room;
use crate::Deadline;

/// More than this is not searched without a look at the clock.
const LONG: usize = 1 << 20;

/// How lines are found and written.
pub(super) struct Plain {
    /// Only lines with it are looked at.
    lead: Option<Lead>,
    /// The pattern means itself: such a line matches.
    itself: bool,
    numbers: bool,
}

impl Plain {
    /// None where the output has another form.
    pub(super) fn of(options: &Options) -> Option<Plain> {
        let another = options.mode != Mode::Lines
            || options.quiet
            || options.invert
            || options.only_matching
            || options.column
            || options.byte_offset
            || options.heading
            || options.null
            || options.trim
            || options.vimgrep
            || options.multiline
            || options.max_columns.is_some()
            || options.max_count.is_some()
            || options.replace.is_some()
            || options.context() != (0, 0);
        if another {
            return None;
        }
        let itself = literal(options).map(|text| Lead::literal(text.as_bytes()));
        Some(Plain {
            itself: itself.is_some(),
            lead: itself.or_else(|| Lead::of(options)),
            numbers: options.line_number.unwrap_or(false),
        })
    }

    /// Whether this content is searched as it is: nothing to transcode, no binary file to tell of.
    pub(super) fn serves(&self, content: &Content) -> bool {
        let facts = content.facts();
        !facts.has_nul && !facts.has_bom
    }

    /// The compiled pattern is not needed: what is looked for is the match.
    pub(super) fn is_itself(&self) -> bool {
        self.itself
    }

    /// Appends to `into` the lines of `bytes` that match, as printed, where only `parts` (whole lines) may; None where the
    /// search failed.
    /// `with`: what a pattern needs that does not mean itself.
    pub(super) fn search(
        &self,
        deadline: Deadline,
        with: Option<(&mut Searcher, &RegexMatcher)>,
        bytes: &[u8],
        parts: &[Range<usize>],
        name: Option<&[u8]>,
        into: &mut Room,
    ) -> Option<()> {
        let mut lines = Lines {
            out: into,
            name,
            bytes,
            counted: 0,
            before: 0,
            start: 0,
        };
        match (&self.lead, with) {
            (Some(lead), with) => {
                let matcher = with.map(|(_, matcher)| matcher);
                for part in parts.iter().flat_map(|part| pieces(bytes, part)) {
                    self.find(lead, matcher, part, &mut lines)?;
                    deadline.check().ok()?;
                }
            }
            (None, Some((searcher, matcher))) => {
                for part in parts.iter().flat_map(|part| pieces(bytes, part)) {
                    lines.start = part.start;
                    let part = &bytes[part];
                    searcher.search_slice(matcher, part, &mut lines).ok()?;
                    deadline.check().ok()?;
                }
            }
            (None, None) => return None,
        }
        Some(())
    }

    fn find(
        &self,
        lead: &Lead,
        matcher: Option<&RegexMatcher>,
        part: Range<usize>,
        lines: &mut Lines<'_>,
    ) -> Option<()> {
        let (mut at, bytes) = (part.start, &lines.bytes[..part.end]);
        while let Some(found) = lead.find(&bytes[at..]) {
            let hit = at + found;
            let start = memchr::memrchr(b'\n', &bytes[at..hit]).map_or(at, |end| at + end + 1);
            let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |end| hit + end + 1);
            let line = &bytes[start..end];
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            if self.itself || matcher?.is_match(text).ok()? {
                let number = self.numbers.then(|| lines.before(start) + 1);
                lines.push(number, line).then_some(())?;
            }
            at = end;
        }
        Some(())
    }
}

/// `part` of `bytes` in pieces of whole lines, between which the clock is looked at.
fn pieces<'b>(bytes: &'b [u8], part: &Range<usize>) -> impl Iterator<Item = Range<usize>> + 'b {
    let mut rest = part.clone();
    std::iter::from_fn(move || {
        let start = rest.start;
        if start >= rest.end {
            return None;
        }
        let end = match rest.len() > LONG {
            true => memchr::memchr(b'\n', &bytes[start + LONG - 1..rest.end])
                .map_or(rest.end, |end| start + LONG + end),
            false => rest.end,
        };
        rest.start = end;
        Some(start..end)
    })
}

struct Lines<'l> {
    out: &'l mut Room,
    name: Option<&'l [u8]>,
    bytes: &'l [u8],
    /// So many bytes were looked through for line ends …
    counted: usize,
    /// … and so many were there.
    before: u64,
    /// Where the part begins that is searched.
    start: usize,
}

impl Lines<'_> {
    /// How many lines end before `place`; places ascend.
    fn before(&mut self, place: usize) -> u64 {
        let between = &self.bytes[self.counted..place];
        self.before += memchr::memchr_iter(b'\n', between).count() as u64;
        self.counted = place;
        self.before
    }

    /// Prints a line; false where there is no room for it.
    fn push(&mut self, number: Option<u64>, line: &[u8]) -> bool {
        let before = self.name.map_or(0, |name| name.len() + 1) + 21;
        if !self.out.has_room(before + line.len() + 1) {
            return false;
        }
        let out = self.out.bytes();
        if let Some(name) = self.name {
            out.extend_from_slice(name);
            out.push(b':');
        }
        if let Some(number) = number {
            crate::decimal::push_number(out, number);
            out.push(b':');
        }
        out.extend_from_slice(line);
        if line.last() != Some(&b'\n') {
            out.push(b'\n');
        }
        true
    }
}

impl Sink for Lines<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        let number = found.line_number();
        // Lines are counted from where the part begins.
        let above = number.map_or(0, |_| self.before(self.start));
        for (place, line) in found.lines().enumerate() {
            if !self.push(number.map(|n| above + n + place as u64), line) {
                return Err(std::io::ErrorKind::OutOfMemory.into());
            }
        }
        Ok(true)
    }
}
