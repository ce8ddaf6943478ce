//! What a step computes, and what comes of it.

use crate::request::RequestId;

/// A request's part in a step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scheduled {
    /// Whose.
    pub request: RequestId,
    /// Tokens computed before.
    pub computed: u32,
    /// Tokens computed now.
    pub tokens: u32,
    /// Whether a token is sampled: not if part of the prompt is left.
    pub samples: bool,
}

impl Scheduled {
    /// Whether it is one step of a reply, rather than a part of a prompt.
    pub fn decodes(&self) -> bool {
        self.tokens == 1 && self.samples
    }
}

/// A step that was planned. Give it to [`crate::Scheduler::update`] when the model has computed it, in the order of planning.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// The batch: those that ran already in their order, then those admitted.
    pub batch: Vec<Scheduled>,
    /// How many of the batch, from its end, were admitted in this step.
    pub admitted: usize,
    /// Requests that lost their blocks.
    pub preempted: Vec<RequestId>,
    /// Requests that were given blocks and wait for so many tokens to be loaded into them: say [`crate::Scheduler::loaded`].
    pub loads: Vec<(RequestId, u32)>,
    /// Tokens that admitted requests found in the cache.
    pub hit_tokens: u64,
    /// Hashed blocks that were given to somebody else.
    pub evicted: u64,
}

impl Step {
    /// What the batch asks of the machine.
    pub fn load(&self) -> Load {
        let mut load = Load::default();
        for part in &self.batch {
            let (tokens, computed) = (u64::from(part.tokens), u64::from(part.computed));
            if part.decodes() {
                load.decodes += 1;
                load.kv_tokens += computed + 1;
            } else {
                load.prefill_tokens += tokens;
                load.pairs += tokens * computed + tokens * (tokens + 1) / 2;
            }
        }
        load
    }
}

/// A batch, as far as its duration depends on it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Tokens of prompts.
    pub prefill_tokens: u64,
    /// Requests that compute one token and sample the next.
    pub decodes: u64,
    /// Tokens whose KV those read, the new one included.
    pub kv_tokens: u64,
    /// Pairs of a prompt's token and one that it attends to, itself included.
    pub pairs: u64,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The request is over, and its blocks are free.
    Finished,
    /// A session waits for its next turn.
    Paused,
    /// A session whose next turn was there already waits for its place.
    Continued,
}

/// A token that a step sampled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sampled {
    /// For whom.
    pub request: RequestId,
    /// Tokens of this turn's reply so far.
    pub outputs: u32,
    /// Set with the last one.
    pub end: Option<End>,
}
