//! Who comes when, and says what.

use curserve_sched::Segment;

/// One turn of a session.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TurnPlan {
    /// Tokens that are new in front of the reply: the task, or what a tool answered.
    pub new: u32,
    /// Tokens of the reply.
    pub reply: u32,
    /// From the reply's last token until the next turn arrives: the tool call with its way there and back.
    pub gap_ns: u64,
    /// The part of it that a processor of the server works for, before which the call may have to wait.
    pub work_ns: u64,
}

/// When a session comes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Start {
    /// At a time in nanoseconds.
    At(u64),
    /// So long after another one is over, whose number is smaller.
    After(u32, u64),
}

/// The sessions of a simulation. What it answers depends on the arguments alone, so nothing is kept for a session that has
/// not come.
pub trait Workload: Sync {
    /// How many sessions come.
    fn sessions(&self) -> u32;

    /// When a session's first turn arrives.
    fn start(&self, session: u32) -> Start;

    /// The session that comes after this one is over; None if nobody waits for it.
    fn follower(&self, _session: u32) -> Option<u32> {
        None
    }

    /// A session's turn; None after the last.
    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan>;

    /// The whole prompt of a turn, where it is not all that was said before with something new at its end: requests of a
    /// server's log, which share beginnings. Its streams are numbered from [`crate::TEXTS`] on, and [`crate::Policy::Request`] alone
    /// fits it.
    fn text(&self, _session: u32, _number: u32) -> Option<Vec<Segment>> {
        None
    }

    /// The text that a session begins with, shared by all that name the same: (which, tokens).
    fn prefix(&self, _session: u32) -> (u32, u32) {
        (0, 0)
    }
}
