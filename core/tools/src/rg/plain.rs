//! The common form of output, `path:number:line`, without the general printer: dense answers are bound by what a line
//! costs.

use std::ops::Range;
use std::sync::OnceLock;

use curserve_corpus::Content;
use grep_matcher::Matcher;
use grep_searcher::{Searcher, Sink, SinkMatch};
use memchr::memmem::Finder;
use regex_syntax::hir::Hir;

use super::lead;
use super::options::{Mode, Options};
use super::pattern::{literal, parsed, Matchers};
use super::printer::searcher;
use super::room::Room;
use crate::streams::{Desk, Streams};
use crate::Deadline;

/// More than this is not searched without a look at the clock.
const LONG: usize = 1 << 20;
/// Where lines with the lead come closer than this to each other, all bytes are looked at alike.
const CLOSE: usize = 600;
/// So many say how close they come.
const SOME: usize = 16;

/// How lines are found and written.
pub(super) struct Plain {
    patterns: Option<Vec<Hir>>,
    /// Only lines with it are looked at.
    lead: Option<Finder<'static>>,
    /// The pattern means itself: such a line matches.
    itself: bool,
    /// The pattern as a program on streams of bits, where that is wanted.
    streams: OnceLock<Option<Streams>>,
    numbers: bool,
    deadline: Deadline,
}

/// What one thread has seen, and keeps from file to file.
#[derive(Default)]
pub(super) struct Habit {
    desk: Desk,
    searcher: Option<Searcher>,
    /// Lines with the lead, and in how many bytes.
    lines: usize,
    bytes: usize,
}

impl Habit {
    fn is_dense(&self) -> bool {
        self.lines >= SOME && self.bytes < self.lines * CLOSE
    }
}

impl Plain {
    /// None where the output has another form.
    pub(super) fn of(options: &Options, deadline: Deadline) -> Option<Plain> {
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
        let itself = literal(options).map(|text| Finder::new(text).into_owned());
        let patterns = parsed(options);
        let whole = options.word || options.line;
        Some(Plain {
            itself: itself.is_some(),
            lead: itself.or_else(|| lead::of(options, patterns.as_ref()?)),
            patterns: patterns.filter(|_| !whole),
            streams: OnceLock::new(),
            numbers: options.line_number.unwrap_or(false),
            deadline,
        })
    }

    /// Whether this content is searched as it is: nothing to transcode, no binary file to tell of.
    pub(super) fn serves(&self, content: &Content) -> bool {
        let facts = content.facts();
        !facts.has_nul && !facts.has_bom
    }

    /// Few lines, if any, need the compiled pattern.
    pub(super) fn is_enough(&self) -> bool {
        self.lead.is_none() && self.streams().is_some()
    }

    fn streams(&self) -> Option<&Streams> {
        let streams = || Streams::of(self.patterns.as_ref()?);
        self.streams.get_or_init(streams).as_ref()
    }

    /// Appends to `into` the lines of `content` that match, as printed, where only `parts` (whole lines) may; None where the
    /// search failed.
    pub(super) fn search(
        &self,
        matchers: &Matchers<'_>,
        habit: &mut Habit,
        content: &Content,
        parts: &[Range<usize>],
        name: Option<&[u8]>,
        into: &mut Room,
    ) -> Option<()> {
        let mut lines = Lines {
            out: into,
            name,
            bytes: content,
            counted: 0,
            before: 0,
            start: 0,
        };
        let is_match = |line: &[u8]| match &self.lead {
            Some(lead) if self.itself => Some(lead.find(line).is_some()),
            _ => matchers.of(content)?.is_match(line).ok(),
        };
        for part in parts.iter().flat_map(|part| pieces(content, part)) {
            let mut rest = part.clone();
            if let Some(lead) = &self.lead {
                rest = self.find(lead, &is_match, habit, rest, &mut lines)?;
            }
            if !rest.is_empty() {
                match self.streams() {
                    Some(streams) => {
                        self.stream(streams, &is_match, habit, content, rest, &mut lines)?;
                    }
                    None => {
                        let options = matchers.options();
                        let searcher = habit.searcher.get_or_insert_with(|| searcher(options));
                        lines.start = rest.start;
                        let (matcher, text) = (matchers.of(content)?, &content[rest]);
                        searcher.search_slice(matcher, text, &mut lines).ok()?;
                    }
                }
            }
            self.deadline.check().ok()?;
        }
        Some(())
    }

    /// Looks at the lines of `part` that hold the lead; returns what is left where they come too close.
    fn find(
        &self,
        lead: &Finder<'_>,
        is_match: &impl Fn(&[u8]) -> Option<bool>,
        habit: &mut Habit,
        part: Range<usize>,
        lines: &mut Lines<'_>,
    ) -> Option<Range<usize>> {
        let (mut at, bytes) = (part.start, &lines.bytes[..part.end]);
        while !(habit.is_dense() && self.streams().is_some()) {
            let Some(found) = lead.find(&bytes[at..]) else {
                habit.bytes += part.end - at;
                return Some(part.end..part.end);
            };
            let hit = at + found;
            let start = memchr::memrchr(b'\n', &bytes[at..hit]).map_or(at, |end| at + end + 1);
            let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |end| hit + end);
            if self.itself || is_match(&bytes[start..end])? {
                let number = self.numbers.then(|| lines.before(start) + 1);
                lines.push(number, &bytes[start..end]).then_some(())?;
            }
            let next = bytes.len().min(end + 1);
            habit.lines += 1;
            habit.bytes += next - at;
            at = next;
        }
        Some(at..part.end)
    }

    /// Prints the lines of `part` that a pass over all its bytes finds.
    fn stream(
        &self,
        streams: &Streams,
        is_match: &impl Fn(&[u8]) -> Option<bool>,
        habit: &mut Habit,
        content: &Content,
        part: Range<usize>,
        lines: &mut Lines<'_>,
    ) -> Option<()> {
        let above = match self.numbers {
            true => lines.before(part.start),
            false => 0,
        };
        let (bytes, mut failed) = (lines.bytes, false);
        let mut found = 0;
        let count = streams.lines(
            bytes,
            part.clone(),
            content.facts(),
            &mut habit.desk,
            |line| {
                let text = &bytes[line.range];
                let matches = match line.sure {
                    true => Some(true),
                    false => is_match(text),
                };
                found += 1;
                let number = self.numbers.then_some(above + line.before + 1);
                failed = match matches {
                    None => true,
                    Some(true) => !lines.push(number, text),
                    Some(false) => false,
                };
                !failed
            },
        );
        habit.lines += found;
        habit.bytes += part.len();
        (lines.counted, lines.before) = (part.end, above + count?);
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

    /// Prints a line, which is given without its end; false where there is no room for it.
    #[inline]
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
        out.push(b'\n');
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
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if !self.push(number.map(|n| above + n + place as u64), line) {
                return Err(std::io::ErrorKind::OutOfMemory.into());
            }
        }
        Ok(true)
    }
}
