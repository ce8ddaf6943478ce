//! Goes over one buffer and chooses what comes out, selected lines and their context: a port of grep 3.8's `grep` and
//! `prtext`, with the whole file as one buffer.

use super::finder::{Finder, Line};
use super::lines::Lines;
use super::options::Options;
use crate::deadline::Watch;
use crate::{Deadline, Refusal};

/// What one file gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What it prints.
    pub(super) out: Vec<u8>,
    /// Lines selected.
    pub(super) lines: u64,
    /// `grep: NAME: binary file matches` is due.
    pub(super) binary_message: bool,
    /// A group separator comes before `out` if an earlier file had a group.
    pub(super) wants_separator: bool,
    /// A group was seen.
    pub(super) used: bool,
}

/// The state between two lines.
pub(super) struct Printer<'l, 'p> {
    finder: Finder<'p>,
    options: &'p Options,
    deadline: Deadline,
    bytes: &'p [u8],
    /// The lines that come out.
    lines: &'l mut Lines<'p>,
    /// Lines are counted, not printed.
    pub(super) quiet: bool,
    /// The first selected line is enough.
    pub(super) stop_at_match: bool,
    /// Lines of trailing context still due.
    pending: u64,
    /// Lines that may still be selected.
    left: u64,
    /// What has been found, but for what comes out.
    pub(super) found: Found,
}

impl<'l, 'p> Printer<'l, 'p> {
    /// Before the first line of `bytes`, which come out as `lines`.
    pub(super) fn new(
        finder: Finder<'p>,
        options: &'p Options,
        deadline: Deadline,
        bytes: &'p [u8],
        lines: &'l mut Lines<'p>,
    ) -> Self {
        Printer {
            finder,
            options,
            deadline,
            bytes,
            lines,
            quiet: false,
            stop_at_match: false,
            pending: 0,
            left: options.max_count,
            found: Found::default(),
        }
    }

    /// Goes over the whole buffer.
    pub(super) fn run(&mut self) -> Result<(), Refusal> {
        let mut at = 0;
        let mut watch = Watch::new(self.deadline);
        while at < self.bytes.len() && self.left > 0 {
            let all = self.piece(at);
            let line = self.finder.find(&self.bytes[..all], at)?;
            watch.pass(line.map_or(all, |line| line.end) - at)?;
            if self.options.invert {
                let end = line.map_or(all, |line| line.start);
                if at < end {
                    self.text(at, end)?;
                    if self.left == 0 || self.stop_at_match {
                        break;
                    }
                }
            } else if let Some(Line { start, end }) = line {
                self.text(start, end)?;
                if self.left == 0 || self.stop_at_match {
                    break;
                }
            }
            match line {
                Some(line) => at = line.end,
                None => at = all,
            }
        }
        if self.pending > 0 {
            self.pending_context(self.bytes.len())?;
        }
        Ok(())
    }

    /// Where a piece of whole lines ends that begins at `at`: more is not searched without a look at the clock.
    fn piece(&self, at: usize) -> usize {
        const LONG: usize = 1 << 20;
        let rest = self.bytes.len() - at;
        match rest > LONG {
            true => self.lines.end(at + LONG - 1),
            false => self.bytes.len(),
        }
    }

    /// `prtext`: the lines from `start` to `end` are selected.
    fn text(&mut self, start: usize, end: usize) -> Result<(), Refusal> {
        if !self.quiet {
            if self.pending > 0 {
                self.pending_context(start)?;
            }
            let mut at = start;
            let bound = self.lines.last.unwrap_or(0);
            for _ in 0..self.options.before.unwrap_or(0) {
                if at <= bound {
                    break;
                }
                at = memchr::memrchr(b'\n', &self.bytes[..at - 1]).map_or(0, |before| before + 1);
            }
            self.separator(at);
            while at < start {
                let next = self.lines.end(at);
                self.lines.print(at, next, b'-')?;
                at = next;
            }
        }
        let mut selected = 0;
        if self.options.invert {
            let mut at = start;
            while at < end && selected < self.left {
                let next = self.lines.end(at);
                if !self.quiet {
                    self.lines.print(at, next, b':')?;
                }
                at = next;
                selected += 1;
                if self.stop_at_match {
                    break;
                }
            }
        } else {
            if !self.quiet {
                self.lines.print(start, end, b':')?;
            }
            selected = 1;
        }
        self.pending = if self.quiet {
            0
        } else {
            self.options.after.unwrap_or(0)
        };
        self.found.used = true;
        self.left -= selected;
        self.found.lines += selected;
        Ok(())
    }

    fn separator(&mut self, at: usize) {
        let Some(separator) = self
            .options
            .separator
            .as_ref()
            .filter(|_| self.options.groups())
        else {
            return;
        };
        if !self.found.used {
            self.found.wants_separator = true;
        } else if self.lines.last != Some(at) {
            self.lines.out.extend_from_slice(separator);
            self.lines.out.push(b'\n');
        }
    }

    /// `prpending`: trailing context before `limit`.
    fn pending_context(&mut self, limit: usize) -> Result<(), Refusal> {
        let mut at = *self.lines.last.get_or_insert(0);
        while self.pending > 0 && at < limit {
            let next = self.lines.end(at);
            self.lines.print(at, next, b'-')?;
            self.pending -= 1;
            at = self.lines.last.unwrap_or(0);
        }
        Ok(())
    }
}
