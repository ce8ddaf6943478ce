//! Who comes when, and says what.

/// One turn of a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TurnPlan {
    /// Tokens that are new in front of the reply: the task, or what a tool answered.
    pub new: u32,
    /// Tokens of the reply.
    pub reply: u32,
    /// From the reply's last token until the next turn arrives: the tool call with its way there and back.
    pub gap_ns: u64,
}

/// The sessions of a simulation. What it answers depends on the arguments alone, so nothing is kept for a session that has
/// not come.
pub trait Workload: Sync {
    /// How many sessions come.
    fn sessions(&self) -> u32;

    /// When a session's first turn arrives.
    fn start_ns(&self, session: u32) -> u64;

    /// A session's turn; None after the last.
    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan>;

    /// The text that a session begins with, shared by all that name the same: (which, tokens).
    fn prefix(&self, _session: u32) -> (u32, u32) {
        (0, 0)
    }
}
