//! What a cluster is made of.

use curserve_sched::{Config, StepTime};

use crate::policy::Policy;
use crate::router::Router;

/// Servers, and what they do with blocks between turns.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Of each replica.
    pub config: Config,
    /// Of each replica.
    pub step_time: StepTime,
    /// How many.
    pub replicas: u32,
    /// Between a session's turns.
    pub policy: Policy,
    /// Which replica answers a turn.
    pub router: Router,
    /// Memory below that of the GPU, at each replica.
    pub offload: Option<Offload>,
    /// Prompts are computed by some replicas, replies by others.
    pub split: Option<Split>,
    /// Processors for tools on the server; None: as many as there are calls.
    pub tool_workers: Option<u32>,
    /// Replicas that fail.
    pub failures: Vec<Failure>,
    /// Sessions that may be there at once: with more the simulation stops, since it would never end.
    pub most_sessions: u32,
    /// Plan each step, even where many are alike: slower, and the same. For tests.
    pub step_by_step: bool,
}

impl Cluster {
    /// One replica, which drops blocks between turns.
    pub fn new(config: Config, step_time: StepTime) -> Self {
        Self {
            config,
            step_time,
            replicas: 1,
            policy: Policy::Request,
            router: Router::Dealt,
            offload: None,
            split: None,
            tool_workers: None,
            failures: Vec::new(),
            most_sessions: u32::MAX,
            step_by_step: false,
        }
    }
}

/// A tier of KV memory that takes every whole block as it is computed, and forgets those that were used longest ago.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Offload {
    /// Blocks that it holds.
    pub blocks: u64,
    /// What a token's KV takes.
    pub way: Way,
}

/// A way for KV, used by one transfer at a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Way {
    /// Time for a token's KV, in picoseconds.
    pub token_ps: u64,
    /// Time before the first of it comes.
    pub latency_ns: u64,
}

/// Disaggregation: the first replicas compute prompts, the others replies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Split {
    /// How many compute prompts.
    pub prefill: u32,
    /// Between them all, in one direction.
    pub way: Way,
    /// What is done about a turn that follows another.
    pub next: NextTurn,
}

/// Who computes what a reply and a tool added to a conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NextTurn {
    /// The prefill replica: it finds its own prompts, and computes the last reply again.
    Recompute,
    /// The prefill replica, after the decoder's KV came back to it.
    TransferBack,
    /// The decoder that has the conversation.
    Append,
}

/// A machine that is lost with all that it held, and comes back empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Failure {
    /// Which.
    pub replica: u32,
    /// When.
    pub at_ns: u64,
    /// For how long.
    pub down_ns: u64,
}
