//! Which lines of a text are selected, as an iterator of ranges: a line that matches, or, with `-v`, as many as stand
//! together between two that match.

use std::ops::Range;

use super::finder::Finder;
use crate::deadline::{Deadline, Watch};
use crate::Refusal;

/// About so much is searched between two looks at the clock.
const STRIDE: usize = 256 << 10;

/// The selected lines of one text, in order.
pub(super) struct Selection<'b, 'p> {
    finder: Finder<'p>,
    bytes: &'b [u8],
    invert: bool,
    /// Lines that may still be selected; None: any number.
    left: Option<u64>,
    /// All before this has been searched.
    at: usize,
    /// So far the next search goes: the end of a line.
    horizon: usize,
    deadline: Deadline,
    watch: Watch,
}

impl<'b, 'p> Selection<'b, 'p> {
    /// Of the lines that `finder` finds in `bytes`, or of the others; at most so many of them.
    pub(super) fn new(
        finder: Finder<'p>,
        bytes: &'b [u8],
        invert: bool,
        most: Option<u64>,
        deadline: Deadline,
    ) -> Self {
        Selection {
            finder,
            bytes,
            invert,
            left: most,
            at: 0,
            horizon: 0,
            deadline,
            watch: Watch::new(deadline),
        }
    }

    /// The next whole lines that are selected; only the last line of the text may lack its newline.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Range<usize>>, Refusal> {
        if self.left == Some(0) {
            return Ok(None);
        }
        while self.at < self.bytes.len() {
            let from = self.at;
            let found = self.search()?;
            let selected = match (self.invert, found) {
                (false, Some(line)) => line,
                (false, None) => continue,
                (true, Some(line)) => from..line.start,
                (true, None) => from..self.at,
            };
            if selected.is_empty() {
                continue;
            }
            self.watch.pass(selected.len())?;
            return Ok(Some(self.within_limit(selected)));
        }
        Ok(None)
    }

    /// How many lines are selected.
    pub(super) fn count(mut self) -> Result<u64, Refusal> {
        let mut count = 0;
        while let Some(lines) = self.next()? {
            count += match self.invert {
                true => lines_in(&self.bytes[lines]),
                false => 1,
            };
        }
        Ok(count)
    }

    /// The next line that matches, if it comes before the horizon; goes on behind it, or at the horizon.
    #[inline]
    fn search(&mut self) -> Result<Option<Range<usize>>, Refusal> {
        if self.at >= self.horizon {
            if self.at > 0 {
                self.deadline.check()?;
            }
            self.horizon = match self.bytes.get(self.at + STRIDE..) {
                Some(rest) => memchr::memchr(b'\n', rest)
                    .map_or(self.bytes.len(), |end| self.at + STRIDE + end + 1),
                None => self.bytes.len(),
            };
        }
        let found = self.finder.find(&self.bytes[..self.horizon], self.at)?;
        self.at = found.map_or(self.horizon, |line| line.end);
        Ok(found.map(|line| line.start..line.end))
    }

    /// As many of these lines as may still be selected.
    fn within_limit(&mut self, lines: Range<usize>) -> Range<usize> {
        let Some(left) = self.left else {
            return lines;
        };
        let mut taken = 1;
        let mut end = lines.end;
        if self.invert {
            taken = lines_in(&self.bytes[lines.clone()]).min(left);
            end = skip_lines(&self.bytes[..lines.end], lines.start, taken);
        }
        self.left = Some(left - taken);
        lines.start..end
    }
}

/// How many lines these are.
pub(super) fn lines_in(bytes: &[u8]) -> u64 {
    let whole = memchr::memchr_iter(b'\n', bytes).count() as u64;
    whole + u64::from(bytes.last().is_some_and(|last| *last != b'\n'))
}

/// Where the line begins that comes so many lines after the one at `from`, or the end of `bytes`.
pub(super) fn skip_lines(bytes: &[u8], from: usize, lines: u64) -> usize {
    let before = match lines.checked_sub(1) {
        Some(before) if from < bytes.len() => before,
        _ => return from,
    };
    let mut ends = memchr::memchr_iter(b'\n', &bytes[from..]);
    match usize::try_from(before).ok().and_then(|n| ends.nth(n)) {
        Some(end) => from + end + 1,
        None => bytes.len(),
    }
}
