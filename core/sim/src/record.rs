//! What is kept of a turn.

/// A turn that is over. Times are nanoseconds since the simulation began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TurnRecord {
    /// Whose.
    pub session: u32,
    /// Which, from 0.
    pub turn: u32,
    /// When its prompt was there.
    pub arrived_ns: u64,
    /// When it was given to the scheduler: later, if it waited for blocks to be reserved.
    pub begun_ns: u64,
    /// When its first token was sampled.
    pub first_ns: u64,
    /// When its last one was.
    pub last_ns: u64,
    /// Tokens in front of the reply.
    pub prompt: u32,
    /// Tokens of the reply.
    pub reply: u32,
}

/// What came of a simulation, but for its turns.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// What each replica did.
    pub work: Vec<crate::Work>,
    /// Sessions that said all that they had to say.
    pub finished: u32,
    /// Sessions that ended early: what they would have said next is longer than the model or its memory allows.
    pub too_long: u32,
    /// Sessions that could not go on when nothing was left to happen: blocks that nobody releases, or a session that the
    /// scheduler lost, as vLLM does.
    pub stuck: u32,
    /// Sessions that lost their blocks while idle, so that the next turn is a new request.
    pub released: u64,
    /// Blocks that sessions kept between turns, times nanoseconds: a part of what the replicas count as held.
    pub kept_block_ns: u128,
    /// Turns that ended.
    pub turns: u64,
    /// When the last of them did.
    pub end_ns: u64,
}
