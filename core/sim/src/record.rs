//! What is kept of a turn, of a session, and of everything.

/// A turn that is over. Times are nanoseconds since the simulation began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TurnRecord {
    /// Whose.
    pub session: u32,
    /// Which, from 0.
    pub turn: u32,
    /// When its prompt was there.
    pub arrived_ns: u64,
    /// When it was given to the scheduler: later, if it waited for blocks to be reserved, or for a replica.
    pub begun_ns: u64,
    /// When the first step with a part of it was planned.
    pub admitted_ns: u64,
    /// When its first token was sampled.
    pub first_ns: u64,
    /// When its last one was.
    pub last_ns: u64,
    /// Until the next turn arrives; 0 after the last one.
    pub tool_ns: u64,
    /// What of that a call waited for a processor of the server.
    pub tool_wait_ns: u64,
    /// Tokens in front of the reply.
    pub prompt: u32,
    /// Those of them that need not be computed when the first step was planned: kept, found or loaded.
    pub cached: u32,
    /// How often it lost its blocks.
    pub preemptions: u32,
    /// Tokens of the reply.
    pub reply: u32,
}

/// A session that is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SessionRecord {
    /// Which.
    pub session: u32,
    /// When its first turn arrived.
    pub started_ns: u64,
    /// When it was over.
    pub ended_ns: u64,
    /// Turns that were answered.
    pub turns: u32,
    /// Whether it said all that it had to say.
    pub finished: bool,
}

/// Takes what ends; nothing is kept of it elsewhere.
pub trait Sink {
    /// A turn is over.
    fn turn(&mut self, turn: &TurnRecord);

    /// A session is over.
    fn session(&mut self, _session: &SessionRecord) {}
}

impl<F: FnMut(&TurnRecord)> Sink for F {
    fn turn(&mut self, turn: &TurnRecord) {
        self(turn);
    }
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
    /// Turns that a failing replica had, and that another one answered.
    pub retried: u64,
    /// Blocks that sessions kept between turns, times nanoseconds: a part of what the replicas count as held.
    pub kept_block_ns: u128,
    /// Time that processors of the server worked for tools.
    pub tool_work_ns: u128,
    /// Tokens that were new in turns that were answered: what the replicas computed beyond them was computed again.
    pub new_tokens: u64,
    /// Tokens of replies.
    pub reply_tokens: u64,
    /// Turns that ended.
    pub turns: u64,
    /// When the last of them did.
    pub end_ns: u64,
    /// The most sessions that were there at once.
    pub most_present: u32,
    /// Whether there were more at once than the cluster allows, so that the simulation was stopped.
    pub overrun: bool,
}
