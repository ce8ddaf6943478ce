//! When a call has to be answered, for what runs in this process.

use std::time::{Duration, Instant};

use curserve_proto::Answer;

/// The time at which a call gives up.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    end: Option<Instant>,
    limit: Duration,
}

impl Due {
    /// In `limit` from now; one that no clock can tell never comes.
    pub fn after(limit: Duration) -> Self {
        Due {
            end: Instant::now().checked_add(limit),
            limit,
        }
    }

    /// Goes on, unless it is over.
    ///
    /// # Errors
    /// What a call is answered then.
    pub fn check(&self) -> Result<(), Answer> {
        match self.end.is_some_and(|end| Instant::now() >= end) {
            false => Ok(()),
            true => Err(late(self.limit)),
        }
    }
}

/// What a call is answered that has taken longer than `limit`.
pub fn late(limit: Duration) -> Answer {
    Answer::failed(format!("timed out after {} s", limit.as_secs_f64()))
}
