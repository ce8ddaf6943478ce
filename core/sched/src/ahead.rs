//! Many steps at once, where all are alike.
//!
//! Most steps of a server only let each running reply go on by a token. As long as nobody ends, comes in, or runs out of
//! blocks, `n` of them can be counted instead of planned, and what comes of them is exactly the same.

use crate::config::Policy;
use crate::content::{self, NodeId, Segment};
use crate::kv::Kv;
use crate::request::RequestId;
use crate::scheduler::Scheduler;
use crate::step::Step;

impl<K: Kv> Scheduler<K> {
    /// How many times at least updating the oldest step in flight and planning another one would give the same batch
    /// again, each with one token more. `flying` are all steps in flight.
    pub fn repeats<'a>(&self, flying: impl IntoIterator<Item = &'a Step>) -> u32 {
        let mut depth = 0;
        for step in flying {
            depth += 1;
            let replies = step
                .batch
                .iter()
                .filter(|part| part.decodes())
                .map(|part| part.request);
            if step.batch.len() != self.running.len() || !replies.eq(self.running.iter().copied()) {
                return 0;
            }
        }
        if depth == 0 || self.running.is_empty() || self.may_admit() || self.shares_a_text() {
            return 0;
        }
        let left = |id| {
            let request = &self.requests[id];
            if request.outputs == 0 {
                return 0; // its first token is worth an event
            }
            let turn = request.max_tokens.saturating_sub(request.outputs);
            turn.min(self.config.max_model_len.saturating_sub(request.tokens()))
                .saturating_sub(depth + 1)
        };
        let mut steps = self.running.iter().map(|&id| left(id)).min().unwrap_or(0);
        while steps > 0 && self.blocks_for(steps) > self.kv.free() {
            steps /= 2;
        }
        steps
    }

    /// Let that many such steps be over; no more than [`Scheduler::repeats`] says. The steps in flight stand for the last ones.
    pub fn repeat(&mut self, steps: u32) {
        for &id in &self.running {
            let request = &mut self.requests[id];
            let (stream, offset) = request.reply;
            self.tree.append(
                &mut request.path,
                Segment {
                    stream,
                    offset,
                    tokens: steps,
                },
            );
            request.reply.1 += steps;
            request.outputs += steps;
            request.computed += steps;
            let blocks = self
                .config
                .blocks_of(request.computed)
                .saturating_sub(K::held(&request.holding));
            self.kv.grow(&mut request.holding, blocks);
            let whole = request.computed.min(request.tokens()) / self.config.block_size;
            self.kv.publish(&mut request.holding, &request.path, whole);
        }
    }

    /// Blocks that each of so many steps would take.
    pub fn growth(&self, steps: u32) -> Vec<u32> {
        let mut growth = vec![0; steps as usize];
        for &id in &self.running {
            let request = &self.requests[id];
            let room = K::held(&request.holding) * self.config.block_size - request.computed;
            (room..steps)
                .step_by(self.config.block_size as usize)
                .for_each(|step| growth[step as usize] += 1);
        }
        growth
    }

    /// Whether a step might admit somebody, or move a queue.
    ///
    /// Who does not fit now will not fit later: replies only take blocks. What the cache has of them can only become less,
    /// unless a running one says the same. A heap of [`Policy::Priority`] is moved even by those that it passes over.
    fn may_admit(&self) -> bool {
        let full = self.running.len() + self.paused >= self.config.max_num_seqs as usize;
        if full || self.waiting.len() + self.holding.len() == 0 {
            return false;
        }
        if self.config.policy == Policy::Priority && self.holding.len() > 0 {
            return true;
        }
        let first = self
            .holding
            .iter()
            .find(|&id| self.ready(id))
            .or_else(|| self.waiting.first());
        let Some(id) = first else { return false };
        let budget = self.config.max_num_scheduled_tokens - self.running.len() as u32;
        let chunk = self
            .config
            .chunk(self.running.len() + self.holding.len() + self.waiting.len());
        let same = |step: &content::Step| {
            self.running
                .iter()
                .any(|&id| self.node(id) == Some(step.node))
        };
        self.requests[id].path.steps().iter().any(same)
            || (budget > 0 && self.fit(id, budget, chunk).is_some())
    }

    /// The node that a request's reply is in.
    fn node(&self, id: RequestId) -> Option<NodeId> {
        self.requests[id].path.steps().last().map(|step| step.node)
    }

    /// Whether two running requests say the same: then it matters whose block is published first.
    fn shares_a_text(&self) -> bool {
        let mut nodes: Vec<_> = self.running.iter().map(|&id| self.node(id)).collect();
        nodes.sort_unstable();
        nodes.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Blocks that so many steps would take.
    fn blocks_for(&self, steps: u32) -> u32 {
        let more = |&id| {
            let request = &self.requests[id];
            self.config
                .blocks_of(request.computed + steps)
                .saturating_sub(K::held(&request.holding))
        };
        self.running.iter().map(more).sum()
    }
}
