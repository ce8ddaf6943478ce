//! A session's text and state.

use curserve_sched::{RequestId, Segment, Turn};

use crate::workload::TurnPlan;

/// Streams of prefixes are numbered from here on, those of sessions from 0.
const PREFIXES: u64 = 1 << 40;

/// Streams of texts that a workload names itself are numbered from here on.
pub const TEXTS: u64 = 1 << 41;

/// What a session does.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Stage {
    /// It has not come, waits for a tool, or is over.
    #[default]
    Away,
    /// Its turn waits for blocks to be reserved, or for a replica.
    Asking,
    /// A replica has its turn.
    Served,
    /// A replica computes its prompt, another one will reply.
    Prefill,
}

/// A session that has come.
#[derive(Clone, Debug, Default)]
pub struct Session {
    pub stage: Stage,
    /// Its next or present turn.
    pub turn: u32,
    /// Text that it shares with others: (which, tokens).
    pub prefix: (u32, u32),
    /// Tokens of its own text so far.
    pub own: u32,
    /// The present turn: tokens in front of the reply that are new, tokens of the reply.
    pub new: u32,
    pub reply: u32,
    /// The time until the turn after the present one, and that of a processor of the server in it.
    pub gap_ns: u64,
    pub work_ns: u64,
    /// The request that computes the present turn, or keeps the blocks.
    pub request: Option<RequestId>,
    /// The replica that has that request, or had the last one.
    pub at: u32,
    /// The replica that had the last turn first; with disaggregation, the one that replied.
    pub home: Option<u32>,
    pub decoder: Option<u32>,
    /// Since when it has been idle, with blocks.
    pub idle_since_ns: Option<u64>,
    /// Blocks that it keeps between turns, and since when.
    pub kept: Option<(u32, u64)>,
    pub started_ns: u64,
    pub arrived_ns: u64,
    pub begun_ns: u64,
    pub admitted_ns: Option<u64>,
    /// Tokens of the present turn's prompt that need not be computed, and how often it lost its blocks.
    pub cached: u32,
    pub preemptions: u32,
    pub first_ns: u64,
}

impl Session {
    /// Tokens of the whole conversation.
    pub fn tokens(&self) -> u32 {
        self.prefix.1 + self.own
    }

    /// Keep no blocks any longer; returns how many were kept, times nanoseconds.
    pub fn used_kept(&mut self, now_ns: u64) -> u128 {
        self.kept.take().map_or(0, |(blocks, since)| {
            u128::from(blocks) * u128::from(now_ns - since)
        })
    }

    /// Say what is new in a turn that arrives.
    pub fn say(&mut self, plan: TurnPlan, now_ns: u64) {
        self.own += plan.new;
        self.new = plan.new;
        self.reply = plan.reply;
        self.gap_ns = plan.gap_ns;
        self.work_ns = plan.work_ns;
        self.arrived_ns = now_ns;
        self.stage = Stage::Asking;
    }

    /// The conversation from token `kept` on.
    pub fn text(&self, number: u32, kept: u32) -> Vec<Segment> {
        let (which, shared) = self.prefix;
        let of_prefix = shared.saturating_sub(kept);
        let of_own = self.own - kept.saturating_sub(shared);
        vec![
            Segment {
                stream: prefix_text(which),
                offset: shared - of_prefix,
                tokens: of_prefix,
            },
            Segment {
                stream: u64::from(number),
                offset: self.own - of_own,
                tokens: of_own,
            },
        ]
    }

    /// What is asked of a scheduler for this text, of which it can load the first `external` tokens.
    pub fn ask(&self, number: u32, prompt: Vec<Segment>, external: u32) -> Turn {
        Turn {
            prompt,
            reply: (u64::from(number), self.own),
            max_tokens: if self.stage == Stage::Prefill {
                1
            } else {
                self.reply
            },
            arrival: self.arrived_ns,
            external,
        }
    }
}

/// The stream of a text that sessions begin with.
pub fn prefix_text(which: u32) -> u64 {
    PREFIXES + u64::from(which)
}
