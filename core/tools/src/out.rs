//! Where a tool's output goes: memory, with limits that can tell a producer to stop early.

use memchr::memchr_iter;

use crate::memory::Memory;

/// An output stream held in memory, of which it takes what it needs from its call's budget.
///
/// A reader that needs no more (`head -5`) sets a limit of lines: beyond it nothing is kept, and [`Out::full`]
/// tells the producer that it may stop. The hard limit is the caller's: beyond it the answer is void
/// ([`Out::overflowed`]).
#[derive(Debug)]
pub struct Out {
    bytes: Vec<u8>,
    hard_limit: usize,
    lines_left: Option<usize>,
    full: bool,
    overflowed: bool,
    /// With a limit of lines: so many bytes come first in any case.
    least: usize,
    nowhere: bool,
    marks: Vec<Mark>,
    spans: Vec<Span>,
    /// Where its memory is taken from; None: from nowhere.
    budget: Option<Budget>,
}

/// What a stream has taken of its call's memory.
#[derive(Debug)]
struct Budget {
    memory: Memory,
    /// For its bytes: as many as there is room for.
    room: usize,
    /// For marks and spans.
    notes: usize,
}

/// Where a message on standard error stands among the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where the message starts on standard error.
    pub at: usize,
    /// How much had been written to standard output.
    pub out: usize,
    /// The program had not flushed that output.
    pub early: bool,
}

/// What one program wrote that `find -exec` or `xargs` started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where its output starts.
    pub start: usize,
    /// Where its output ends.
    pub end: usize,
    /// Its name.
    pub name: Vec<u8>,
}

impl Out {
    /// A stream that may hold `hard_limit` bytes.
    pub fn new(hard_limit: usize) -> Out {
        Out {
            bytes: Vec::new(),
            hard_limit,
            lines_left: None,
            full: false,
            overflowed: false,
            least: 0,
            nowhere: false,
            marks: Vec::new(),
            spans: Vec::new(),
            budget: None,
        }
    }

    /// The same, of a call that may take so much memory.
    pub fn within(hard_limit: usize, memory: &Memory) -> Out {
        let mut out = Out::new(hard_limit);
        out.budget = Some(Budget {
            memory: memory.clone(),
            room: 0,
            notes: 0,
        });
        out
    }

    /// Only the first `lines` lines are wanted.
    pub fn want_lines(mut self, lines: usize) -> Out {
        self.lines_left = Some(lines);
        self.full |= lines == 0;
        self
    }

    /// Only the first `lines` lines are wanted, but at least `least` bytes: a program whose output is buffered goes on
    /// until its first block is full, whatever its reader does, and may complain until then.
    pub fn want_lines_and(self, lines: usize, least: usize) -> Out {
        let mut out = self.want_lines(lines);
        out.least = least;
        out
    }

    /// Notes where the message that is written next stands.
    pub(crate) fn mark(&mut self, out: usize, early: bool) {
        let at = self.bytes.len();
        self.note(size_of::<Mark>());
        self.marks.push(Mark { at, out, early });
    }

    /// The places of the messages, in order.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Every byte of this stream belongs to a marked message.
    pub fn marks_cover(&self) -> bool {
        self.bytes.is_empty() || self.marks.first().is_some_and(|m| m.at == 0)
    }

    /// Notes what a program wrote that was started by another.
    pub(crate) fn span(&mut self, start: usize, name: &[u8]) {
        let end = self.bytes.len();
        self.note(size_of::<Span>() + name.len());
        self.spans.push(Span {
            start,
            end,
            name: name.to_vec(),
        });
    }

    /// What the programs wrote that were started by another, in order.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// About to be written: so many bytes. Room for them is made once, not by doubling, which copies, and leaves free
    /// blocks of half the size behind.
    pub(crate) fn expect(&mut self, bytes: usize) {
        if !self.full {
            self.make_room(bytes.min(self.room()));
        }
    }

    /// Makes room for so many bytes more; false where the call has no memory left for them.
    fn make_room(&mut self, bytes: usize) -> bool {
        let needed = self.bytes.len() + bytes;
        if needed <= self.bytes.capacity() {
            return true;
        }
        let Some(budget) = &mut self.budget else {
            self.bytes.reserve(bytes);
            return true;
        };
        // Twice as much as before, as a vector grows; where there is not so much, what is needed.
        for capacity in [needed.max(2 * self.bytes.capacity()).max(64), needed] {
            if budget.memory.take(capacity - budget.room).is_ok() {
                budget.room = capacity;
                self.bytes.reserve_exact(capacity - self.bytes.len());
                return true;
            }
        }
        false
    }

    /// About to be noted: something of so many bytes, which the vector may double.
    fn note(&mut self, bytes: usize) {
        if let Some(budget) = &mut self.budget {
            match budget.memory.take(2 * bytes) {
                Ok(()) => budget.notes += 2 * bytes,
                Err(_) => self.overflow(),
            }
        }
    }

    /// Not all that is written can be kept.
    fn overflow(&mut self) {
        self.overflowed = true;
        self.full = true;
    }

    /// Appends `bytes`, as far as they are wanted.
    pub fn write(&mut self, bytes: &[u8]) {
        if self.full {
            return;
        }
        let mut wanted = bytes;
        if let (Some(left), true) = (self.lines_left, self.least > 0) {
            let seen = memchr_iter(b'\n', bytes).count();
            self.lines_left = Some(left.saturating_sub(seen));
            self.full = seen >= left && self.bytes.len() + bytes.len() >= self.least;
        } else if let Some(left) = self.lines_left {
            let mut seen = 0;
            for end in memchr_iter(b'\n', bytes) {
                seen += 1;
                if seen == left {
                    wanted = &bytes[..=end];
                    self.full = true;
                    break;
                }
            }
            self.lines_left = Some(left - seen);
        }
        if wanted.len() > self.hard_limit - self.bytes.len() {
            wanted = &wanted[..self.hard_limit - self.bytes.len()];
            self.overflow();
        }
        match self.make_room(wanted.len()) {
            true => self.bytes.extend_from_slice(wanted),
            false => self.overflow(),
        }
    }

    /// Nothing more will be kept: a producer may stop.
    pub fn full(&self) -> bool {
        self.full
    }

    /// Whether less than all may be wanted.
    pub fn is_limited(&self) -> bool {
        self.lines_left.is_some()
    }

    /// How many more bytes can be kept before [`Out::full`].
    pub fn room(&self) -> usize {
        self.hard_limit - self.bytes.len()
    }

    /// The hard limit was hit: the answer is not whole.
    pub fn overflowed(&self) -> bool {
        self.overflowed
    }

    /// It is `/dev/null`, as a program that looks can see.
    pub fn to_nowhere(mut self) -> Out {
        self.nowhere = true;
        self
    }

    /// Whether it is `/dev/null`.
    pub fn goes_nowhere(&self) -> bool {
        self.nowhere
    }

    /// What has been written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What has been written, the stream given up.
    pub fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Out {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.memory.give(budget.room + budget.notes);
        }
    }
}

impl std::io::Write for Out {
    /// Never fails; bytes that are not wanted are dropped.
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Out::write(self, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_limit_cuts_after_the_line_and_reports_full() {
        let mut out = Out::new(100).want_lines(2);
        out.write(b"a\nb");
        assert!(!out.full());
        out.write(b"c\nd\n");
        assert!(out.full() && !out.overflowed());
        assert_eq!(out.into_bytes(), b"a\nbc\n");
    }

    #[test]
    fn a_least_number_of_bytes_comes_before_the_line_limit() {
        let mut out = Out::new(100).want_lines_and(1, 4);
        out.write(b"a\n");
        assert!(!out.full());
        out.write(b"b\n");
        assert!(out.full());
        assert_eq!(out.into_bytes(), b"a\nb\n");
    }

    #[test]
    fn the_hard_limit_voids_the_answer() {
        let mut out = Out::new(3);
        out.write(b"abc");
        assert!(!out.overflowed());
        out.write(b"d");
        assert!(out.overflowed() && out.full());
        assert_eq!(out.as_bytes(), b"abc");
    }

    #[test]
    fn streams_of_one_call_take_from_one_budget_and_give_back() {
        let memory = Memory::new(1000);
        let mut first = Out::within(1 << 20, &memory);
        let mut second = Out::within(1 << 20, &memory);
        first.write(&[b'a'; 600]);
        second.write(&[b'b'; 300]);
        assert!(!first.overflowed() && !second.overflowed());
        second.write(&[b'b'; 300]);
        assert!(second.overflowed() && second.full());
        drop(first);
        let mut third = Out::within(1 << 20, &memory);
        third.write(&[b'c'; 600]);
        assert!(!third.overflowed());
        drop((second, third));
        assert_eq!(memory.left(), 1000);
    }
}
