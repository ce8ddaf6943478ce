//! One server: a scheduler, and the steps that its machine computes one after the other.

use std::collections::VecDeque;

use curserve_sched::{Config, RunCache, Sampled, Scheduler, Step, StepTime};

/// A scheduler with a machine.
#[derive(Debug)]
pub struct Replica {
    /// Who computes when.
    pub scheduler: Scheduler<RunCache>,
    step_time: StepTime,
    /// Steps that may be planned at once: two with asynchronous stepping.
    depth: usize,
    flying: VecDeque<Step>,
    /// When the machine is done with all of them.
    busy_until_ns: u64,
    /// What it did so far.
    pub work: Work,
}

/// What a replica did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Work {
    /// Steps.
    pub steps: u64,
    /// Time in steps.
    pub busy_ns: u64,
    /// Tokens of prompts.
    pub prefill_tokens: u64,
    /// Tokens that were found in the cache.
    pub hit_tokens: u64,
    /// Requests that lost their blocks in the middle of a turn.
    pub preemptions: u64,
    /// Hashed blocks that were given to somebody else.
    pub evictions: u64,
}

impl Replica {
    /// An idle server.
    pub fn new(config: Config, step_time: StepTime) -> Self {
        let depth = if config.async_scheduling { 2 } else { 1 };
        let scheduler = Scheduler::new(config);
        Self {
            scheduler,
            step_time,
            depth,
            flying: VecDeque::new(),
            busy_until_ns: 0,
            work: Work::default(),
        }
    }

    /// Plan steps as far ahead as may be; returns when each of the new ones will be over.
    pub fn plan(&mut self, now_ns: u64) -> Vec<u64> {
        let mut ends = Vec::new();
        while self.flying.len() < self.depth {
            let step = self.scheduler.schedule();
            self.work.preemptions += step.preempted.len() as u64;
            self.work.evictions += step.evicted;
            self.work.hit_tokens += step.hit_tokens;
            if step.batch.is_empty() {
                if step.preempted.is_empty() {
                    break;
                }
                continue; // who was preempted may fit now
            }
            let load = step.load();
            let ns = self.step_time.ns(&load);
            self.work.steps += 1;
            self.work.busy_ns += ns;
            self.work.prefill_tokens += load.prefill_tokens;
            self.busy_until_ns = self.busy_until_ns.max(now_ns) + ns;
            self.flying.push_back(step);
            ends.push(self.busy_until_ns);
        }
        ends
    }

    /// Let the oldest step be over.
    pub fn finish(&mut self) -> Vec<Sampled> {
        let step = self.flying.pop_front().expect("a step ends once");
        self.scheduler.update(&step)
    }
}
