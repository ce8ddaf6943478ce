//! When an answer has to be there.

use std::time::{Duration, Instant};

use crate::Refusal;

/// After about so many bytes of one text a tool looks at the clock: tens of microseconds of its work.
pub(crate) const BETWEEN_LOOKS: usize = 64 << 10;

/// The time at which a call gives up; by default it never does. Tools ask for it between files and steps, and within a long
/// text through a [`Watch`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// In `limit` from now; one that no clock can tell never comes.
    pub fn after(limit: Duration) -> Self {
        Deadline(Instant::now().checked_add(limit))
    }

    /// Whether it is over.
    pub fn has_passed(&self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }

    /// Goes on, unless it is over.
    ///
    /// # Errors
    /// Where it is over.
    pub fn check(&self) -> Result<(), Refusal> {
        match self.has_passed() {
            false => Ok(()),
            true => Err(Refusal::OutOfTime("out of time".into())),
        }
    }
}

/// Looks at the clock once in a while: asking for each line would cost more than many a line does.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    deadline: Deadline,
    passed: usize,
}

impl Watch {
    /// One that gives up when `deadline` is over.
    pub fn new(deadline: Deadline) -> Self {
        Watch {
            deadline,
            passed: 0,
        }
    }

    /// A line (or a step) of so many bytes is done with.
    ///
    /// # Errors
    /// Where the clock was looked at, and the time is over.
    #[inline]
    pub fn pass(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.passed += bytes + 16; // an empty one takes its time too
        if self.passed < BETWEEN_LOOKS {
            return Ok(());
        }
        self.passed = 0;
        self.deadline.check()
    }
}
