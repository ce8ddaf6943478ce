//! A session's text and state.

use curserve_sched::{RequestId, Segment, Turn};

use crate::workload::TurnPlan;

/// Streams of prefixes are numbered from here on, those of sessions from 0.
const PREFIXES: u64 = 1 << 40;

/// A session that has come.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Its next or present turn.
    pub turn: u32,
    /// Text that it shares with others: (which, tokens).
    pub prefix: (u32, u32),
    /// Tokens of its own text so far.
    pub own: u32,
    /// Tokens of the present turn's reply.
    pub reply: u32,
    /// The time until the turn after the present one.
    pub gap_ns: u64,
    /// The request that computes the present turn, or keeps the blocks.
    pub request: Option<RequestId>,
    /// Since when it has been idle, with blocks.
    pub idle_since_ns: Option<u64>,
    /// Blocks that it keeps between turns, and since when.
    pub kept: Option<(u32, u64)>,
    pub arrived_ns: u64,
    pub begun_ns: u64,
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
        self.reply = plan.reply;
        self.gap_ns = plan.gap_ns;
        self.arrived_ns = now_ns;
    }

    /// What is asked of a scheduler that keeps `kept` tokens of the conversation.
    pub fn ask(&self, number: u32, kept: u32) -> Turn {
        let (which, shared) = self.prefix;
        let of_prefix = shared.saturating_sub(kept);
        let of_own = self.own - kept.saturating_sub(shared);
        let prompt = vec![
            Segment {
                stream: PREFIXES + u64::from(which),
                offset: shared - of_prefix,
                tokens: of_prefix,
            },
            Segment {
                stream: u64::from(number),
                offset: self.own - of_own,
                tokens: of_own,
            },
        ];
        let reply = (u64::from(number), self.own);
        Turn {
            prompt,
            reply,
            max_tokens: self.reply,
            arrival: self.arrived_ns,
        }
    }
}
