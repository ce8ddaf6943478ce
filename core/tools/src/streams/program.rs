//! A program on streams: what is computed for each block, in which order.

use super::bits::{along, each, shifted, Bits};
use super::class::Set;

/// A stream, by the number of what makes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stream {
    /// Of this set.
    Set(usize),
    /// Made by this step.
    Step(usize),
}

/// The line ends.
pub(super) const ENDS: Stream = Stream::Set(0);
/// The bytes beyond ASCII.
pub(super) const HIGH: Stream = Stream::Set(1);

/// What makes one stream of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// So many bytes later.
    Shift(Stream, u32),
    /// The same by one byte, and the first byte of the text is marked.
    Behind(Stream),
    And(Stream, Stream),
    Or(Stream, Stream),
    Xor(Stream, Stream),
    Not(Stream),
    /// Marks, and where a run of a class leads from them.
    Along(Stream, Stream),
}

/// A whole program.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) sets: Vec<Set>,
    pub(super) steps: Vec<Step>,
    /// The marks of the lines that match; None: no line does.
    pub(super) marks: Option<Stream>,
}

impl Program {
    /// What each step keeps from block to block, before the first one.
    pub(super) fn kept(&self, into: &mut Vec<u64>) {
        into.clear();
        into.extend(self.steps.iter().map(|step| match step {
            Step::Behind(_) => u64::MAX,
            _ => 0,
        }));
    }

    /// Where a stream lies among all of them.
    pub(super) fn place(&self, stream: Stream) -> usize {
        match stream {
            Stream::Set(number) => number,
            Stream::Step(number) => self.sets.len() + number,
        }
    }

    /// Makes the streams of the steps, those of the sets being there.
    #[inline(always)]
    pub(super) fn take_steps(&self, kept: &mut [u64], streams: &mut [Bits]) {
        for ((number, step), kept) in self.steps.iter().enumerate().zip(kept) {
            let of = |stream: Stream| &streams[self.place(stream)];
            let made = match *step {
                Step::Shift(from, by) => shifted(of(from), by, kept),
                Step::Behind(from) => shifted(of(from), 1, kept),
                Step::And(a, b) => each(of(a), of(b), |a, b| a & b),
                Step::Or(a, b) => each(of(a), of(b), |a, b| a | b),
                Step::Xor(a, b) => each(of(a), of(b), |a, b| a ^ b),
                Step::Not(a) => of(a).map(|word| !word),
                Step::Along(marks, class) => along(of(marks), of(class), kept),
            };
            streams[self.sets.len() + number] = made;
        }
    }
}
