//! When an answer has to be there.

use std::time::{Duration, Instant};

use crate::Refusal;

/// The time at which a call gives up; by default it never does. Tools ask for it between files and steps, not within one.
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
    pub fn check(&self) -> Result<(), Refusal> {
        match self.has_passed() {
            false => Ok(()),
            true => Err(Refusal::new("out of time")),
        }
    }
}
