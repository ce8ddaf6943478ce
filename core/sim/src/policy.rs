//! What becomes of a session's blocks while it waits for a tool.

/// Between two turns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Policy {
    /// Each turn is a request of its own: its blocks join the free ones, and the cache has them until they are evicted.
    Request,
    /// A session keeps its blocks, for `idle_ns` at most. A [`crate::Ledger`] reserves what a turn can need before it
    /// begins, and evicts those that have been idle longest.
    Session {
        /// The longest gap that blocks are kept for.
        idle_ns: u64,
    },
    /// A session keeps its blocks for `keep_ns` and then lets them join the free ones; nothing is reserved, so a turn may
    /// have to wait for others to expire.
    TimeToLive {
        /// How long.
        keep_ns: u64,
    },
}

impl Policy {
    /// How long blocks are kept; None if not at all.
    pub fn keeps_ns(&self) -> Option<u64> {
        match *self {
            Policy::Request => None,
            Policy::Session { idle_ns } => Some(idle_ns),
            Policy::TimeToLive { keep_ns } => Some(keep_ns),
        }
    }
}
