//! Admission: who waits goes in, as long as the first of them fits.

use crate::kv::{Hit, Kv};
use crate::request::{RequestId, Status};
use crate::scheduler::Scheduler;
use crate::step::{Scheduled, Step};

impl<K: Kv> Scheduler<K> {
    /// Admit those that wait, holders of blocks first, until one does not fit or the step is full.
    pub(crate) fn admit(&mut self, step: &mut Step, budget: &mut u32, chunk: u32) {
        let mut passed = Vec::new();
        while *budget > 0 && self.running.len() + self.paused < self.config.max_num_seqs as usize {
            let queue = if self.holding.len() > 0 {
                &self.holding
            } else {
                &self.waiting
            };
            let Some(id) = queue.first() else { break };
            if !self.ready(id) {
                self.pop_waiting();
                passed.push(id);
                continue;
            }
            let Some(part) = self.place(id, *budget, chunk) else {
                break;
            };
            self.pop_waiting();
            let request = &mut self.requests[id];
            if part.tokens == 0 {
                request.status = Status::Loading;
                step.hit_tokens += u64::from(part.computed);
                step.loads.push((id, request.external - part.computed));
                continue;
            }
            step.hit_tokens += u64::from(part.computed - request.computed);
            request.status = Status::Running;
            request.computed = part.computed;
            self.running.push(id);
            step.batch.push(part);
            step.admitted += 1;
            *budget -= part.tokens;
        }
        for id in passed.into_iter().rev() {
            let queue = if self.requests[id].computed > 0 {
                &mut self.holding
            } else {
                &mut self.waiting
            };
            queue.push_front(id, &self.requests);
        }
    }

    fn pop_waiting(&mut self) {
        let queue = if self.holding.len() > 0 {
            &mut self.holding
        } else {
            &mut self.waiting
        };
        queue.pop(&self.requests);
    }

    /// A session between turns is not, and neither is who was preempted with a step in flight: what that one samples
    /// is still to come.
    pub(crate) fn ready(&self, id: RequestId) -> bool {
        let request = &self.requests[id];
        request.status != Status::Paused && (request.stale == 0 || request.drop_stale)
    }

    /// What a waiting request would take for its first tokens; None if it does not fit.
    pub(crate) fn fit(&self, id: RequestId, budget: u32, chunk: u32) -> Option<Fit> {
        let (config, request) = (&self.config, &self.requests[id]);
        let hit = match request.computed {
            0 if config.enable_prefix_caching => self.kv.hit(&request.path, request.tokens() - 1),
            _ => Hit::default(),
        };
        let computed = request.computed + hit.blocks * config.block_size;
        let loads = request.computed == 0 && request.external > computed;
        let tokens = if loads {
            0
        } else {
            (request.tokens() - computed).min(chunk)
        };
        if !config.enable_chunked_prefill && tokens > budget {
            return None;
        }
        let tokens = tokens.min(budget);
        let have = hit.blocks + K::held(&request.holding);
        let missing = |end: u32| {
            config
                .blocks_of(end.min(config.max_model_len))
                .saturating_sub(have)
        };
        let watermark = if self.running.is_empty() {
            0
        } else {
            config.watermark_blocks
        };
        let room = self.kv.free().checked_sub(hit.idle + watermark)?;
        if config.scheduler_reserve_full_isl && missing(request.tokens()) > room {
            return None;
        }
        let new = missing(if loads {
            request.external
        } else {
            computed + tokens
        });
        (new <= room).then_some(Fit {
            found: hit.blocks,
            computed,
            tokens,
            new,
        })
    }

    /// Give a waiting request blocks for its first tokens, those first that the cache has; None if it does not fit.
    fn place(&mut self, id: RequestId, budget: u32, chunk: u32) -> Option<Scheduled> {
        let Fit {
            found,
            computed,
            tokens,
            new,
        } = self.fit(id, budget, chunk)?;
        let whole = (computed + tokens) / self.config.block_size;
        let request = &mut self.requests[id];
        if found > 0 {
            self.kv.take(&mut request.holding, &request.path, found);
        }
        self.kv.grow(&mut request.holding, new);
        // What is loaded is not there before it was: only what the cache had is whole.
        self.kv.publish(&mut request.holding, &request.path, whole);
        Some(Scheduled {
            request: id,
            computed,
            tokens,
            samples: false,
        })
    }
}

/// What a request would take.
pub(crate) struct Fit {
    /// Blocks that the cache has.
    found: u32,
    /// Tokens computed by then.
    computed: u32,
    /// Tokens to compute.
    tokens: u32,
    /// Blocks to allocate.
    new: u32,
}
