//! Planning a step: first those that run, then those that wait.

use crate::config::{Config, Policy};
use crate::content::Tree;
use crate::kv::Kv;
use crate::queue::Queue;
use crate::request::{RequestId, Requests, Status};
use crate::step::{Scheduled, Step};

/// A replica's requests, and their blocks.
#[derive(Debug)]
pub struct Scheduler<K: Kv> {
    pub(crate) config: Config,
    pub(crate) kv: K,
    pub(crate) tree: Tree,
    pub(crate) requests: Requests<K::Holding>,
    pub(crate) running: Vec<RequestId>,
    /// Those that wait and hold blocks: sessions between turns, or with a new one. They go before `waiting`.
    pub(crate) holding: Queue,
    pub(crate) waiting: Queue,
    /// Sessions between turns.
    pub(crate) paused: usize,
}

impl<K: Kv> Scheduler<K> {
    /// A replica without requests.
    pub fn new(config: Config) -> Self {
        let kv = K::new(
            config.blocks,
            config.block_size,
            config.enable_prefix_caching,
        );
        let (holding, waiting) = (Queue::new(config.policy), Queue::new(config.policy));
        let (tree, requests) = (Tree::default(), Requests::default());
        Self {
            config,
            kv,
            tree,
            requests,
            running: Vec::new(),
            holding,
            waiting,
            paused: 0,
        }
    }

    /// Requests that run, in their order.
    pub fn running(&self) -> &[RequestId] {
        &self.running
    }

    /// Requests that wait and hold blocks: in their order, or as the heap of [`Policy::Priority`] lies.
    pub fn holding(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.holding.iter()
    }

    /// The other requests that wait.
    pub fn waiting(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.waiting.iter()
    }

    /// Tokens a block.
    pub fn block_size(&self) -> u32 {
        self.config.block_size
    }

    /// Blocks that nobody holds.
    pub fn free_blocks(&self) -> u32 {
        self.kv.free()
    }

    /// Those of them that the cache still finds.
    pub fn idle_blocks(&self) -> u32 {
        self.kv.idle()
    }

    /// Blocks that a request holds.
    pub fn blocks_of(&self, id: RequestId) -> u32 {
        self.requests
            .get(id)
            .map_or(0, |request| K::held(&request.holding))
    }

    /// Tokens of a prompt that the cache would find now.
    pub fn found(&self, prompt: &[crate::Segment]) -> u32 {
        let path = self.tree.known(prompt);
        let tokens = prompt.iter().map(|segment| segment.tokens).sum::<u32>();
        match self.config.enable_prefix_caching {
            true => self.kv.hit(&path, tokens.saturating_sub(1)).blocks * self.config.block_size,
            false => 0,
        }
    }

    /// Tokens that a session between two turns keeps; None if it is not one.
    pub fn kept_tokens(&self, id: RequestId) -> Option<u32> {
        let request = self.requests.get(id)?;
        (request.status == Status::Paused).then_some(request.computed)
    }

    /// Hashed blocks that were given to somebody else, so far.
    pub fn evicted_blocks(&self) -> u64 {
        self.kv.evicted()
    }

    /// Plan the next step; an empty batch if nothing can go on.
    pub fn schedule(&mut self) -> Step {
        let mut step = Step::default();
        let evicted = self.kv.evicted();
        let mut budget = self.config.max_num_scheduled_tokens;
        let chunk = self
            .config
            .chunk(self.running.len() + self.holding.len() + self.waiting.len());
        self.go_on(&mut step, &mut budget, chunk);
        if step.preempted.is_empty() {
            self.admit(&mut step, &mut budget, chunk);
        }
        self.advance(&mut step);
        step.evicted = self.kv.evicted() - evicted;
        step
    }

    /// Let those that run go on in their order, each as far as it can, preempting others where blocks run out.
    fn go_on(&mut self, step: &mut Step, budget: &mut u32, chunk: u32) {
        let mut place = 0;
        while place < self.running.len() && *budget > 0 {
            let id = self.running[place];
            let tokens = self.left(id).min(chunk).min(*budget);
            if tokens == 0 {
                place += 1;
                continue;
            }
            while !self.extend(id, tokens) {
                let victim = self.victim();
                place -= usize::from(victim < place);
                if self.preempt(victim, step, budget) == id {
                    return;
                }
            }
            let computed = self.requests[id].computed;
            step.batch.push(Scheduled {
                request: id,
                computed,
                tokens,
                samples: false,
            });
            *budget -= tokens;
            place += 1;
        }
    }

    /// Tokens that a running request could compute now.
    fn left(&self, id: RequestId) -> u32 {
        let request = &self.requests[id];
        let in_sight = request.computed + 2;
        if request.placeholders > 0
            && in_sight >= request.prompt + request.max_tokens + request.placeholders
        {
            return 0; // a step in flight samples the last token
        }
        let known = request.tokens() + request.placeholders - request.computed;
        known.min(
            self.config
                .max_model_len
                .saturating_sub(request.computed + 1),
        )
    }

    /// Give a running request blocks for `tokens` more, if there are as many.
    fn extend(&mut self, id: RequestId, tokens: u32) -> bool {
        let request = &mut self.requests[id];
        let end = request.computed + tokens;
        let needed = self.config.blocks_of(end.min(self.config.max_model_len));
        let needed = needed.saturating_sub(K::held(&request.holding));
        if needed > self.kv.free() {
            return false;
        }
        self.kv.grow(&mut request.holding, needed);
        let whole = end.min(request.tokens()) / self.config.block_size;
        self.kv.publish(&mut request.holding, &request.path, whole);
        true
    }

    /// The place of the running request to preempt.
    fn victim(&self) -> usize {
        let last = self.running.len() - 1;
        match self.config.policy {
            Policy::Fcfs => last,
            Policy::Priority => (0..last).rev().fold(last, |worst, place| {
                let rank = |place: usize| self.requests[self.running[place]].rank();
                if rank(place) >= rank(worst) {
                    place
                } else {
                    worst
                }
            }),
        }
    }

    /// Take all blocks of a running request, and its part in this step: it starts anew, ahead of those that wait.
    fn preempt(&mut self, place: usize, step: &mut Step, budget: &mut u32) -> RequestId {
        let id = self.running.remove(place);
        if let Some(part) = step.batch.iter().position(|part| part.request == id) {
            *budget += step.batch.remove(part).tokens;
        }
        let request = &mut self.requests[id];
        self.kv.release(&mut request.holding);
        request.status = Status::Preempted;
        request.computed = 0;
        request.drop_stale &= request.stale > 0;
        request.stale = request.in_flight;
        request.placeholders = 0;
        self.waiting.push_front(id, &self.requests);
        step.preempted.push(id);
        id
    }

    /// Count the step's tokens as computed: the next one may be planned before this one is over.
    fn advance(&mut self, step: &mut Step) {
        for part in &mut step.batch {
            let request = &mut self.requests[part.request];
            request.computed += part.tokens;
            request.in_flight += part.tokens;
            part.samples = request.computed >= request.tokens() + request.placeholders;
            request.placeholders += u32::from(self.config.async_scheduling && part.samples);
        }
    }
}
