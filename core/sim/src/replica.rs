//! One server: a scheduler, and the steps that its machine computes one after the other.

use std::collections::VecDeque;

use curserve_sched::{Config, Load, RequestId, RunCache, Sampled, Scheduler, Step, StepTime};

/// A scheduler with a machine.
#[derive(Debug)]
pub struct Replica {
    /// Who computes when.
    pub scheduler: Scheduler<RunCache>,
    /// Blocks that there are.
    pub(crate) blocks: u32,
    pub(crate) step_time: StepTime,
    /// Steps that may be planned at once: two with asynchronous stepping.
    pub(crate) depth: usize,
    pub(crate) flying: VecDeque<Step>,
    /// When each of them will be over.
    pub(crate) ends_ns: VecDeque<u64>,
    /// Steps that are alike and were not counted yet.
    pub(crate) ahead: Option<Leap>,
    /// Requests that were given blocks and wait for so many tokens to be loaded.
    pub(crate) loads: Vec<(RequestId, u32)>,
    /// Requests that were admitted, with the tokens that they need not compute, and of which nobody was told yet.
    pub(crate) admitted: Vec<(RequestId, u32)>,
    /// Requests that were preempted, likewise.
    pub(crate) preempted: Vec<RequestId>,
    /// How often the end of a step was planned as an event.
    pub(crate) plans: u64,
    /// When that end is.
    pub(crate) planned_ns: Option<u64>,
    /// Requests that it was given and that are not over.
    pub(crate) active: u32,
    /// How often it failed, and until when it is down.
    pub(crate) failures: u32,
    pub(crate) down_until_ns: u64,
    /// What it did so far.
    pub work: Work,
    /// Until when blocks are counted.
    counted_ns: u64,
}

/// So many steps are alike; `load` is that of the last one that was planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leap {
    pub steps: u32,
    pub load: Load,
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
    /// Tokens that were loaded from elsewhere.
    pub loaded_tokens: u64,
    /// Requests that lost their blocks in the middle of a turn.
    pub preemptions: u64,
    /// Hashed blocks that were given to somebody else.
    pub evictions: u64,
    /// Blocks that requests and sessions held, times nanoseconds.
    pub held_block_ns: u128,
    /// Free blocks that the cache could still find, times nanoseconds.
    pub idle_block_ns: u128,
}

impl Replica {
    /// An idle server.
    pub fn new(config: Config, step_time: StepTime) -> Self {
        let depth = if config.async_scheduling { 2 } else { 1 };
        Self {
            blocks: config.blocks,
            scheduler: Scheduler::new(config),
            step_time,
            depth,
            flying: VecDeque::new(),
            ends_ns: VecDeque::new(),
            ahead: None,
            loads: Vec::new(),
            admitted: Vec::new(),
            preempted: Vec::new(),
            plans: 0,
            planned_ns: None,
            active: 0,
            failures: 0,
            down_until_ns: 0,
            work: Work::default(),
            counted_ns: 0,
        }
    }

    /// Bring everything up to now, before anything changes.
    pub fn catch_up(&mut self, now_ns: u64) {
        self.leap(now_ns);
        let (free, idle) = (self.scheduler.free_blocks(), self.scheduler.idle_blocks());
        self.add_blocks(now_ns, self.blocks - free, idle);
    }

    pub(crate) fn add_blocks(&mut self, until_ns: u64, held: u32, idle: u32) {
        let ns = u128::from(until_ns - self.counted_ns);
        self.work.held_block_ns += u128::from(held) * ns;
        self.work.idle_block_ns += u128::from(idle) * ns;
        self.counted_ns = until_ns;
    }

    /// Plan steps as far ahead as may be.
    pub fn plan(&mut self, now_ns: u64) {
        while self.flying.len() < self.depth {
            let mut step = self.scheduler.schedule();
            self.work.preemptions += step.preempted.len() as u64;
            self.work.evictions += step.evicted;
            self.work.hit_tokens += step.hit_tokens;
            let old = step.batch.len() - step.admitted;
            let new = step.batch[old..]
                .iter()
                .map(|part| (part.request, part.computed));
            self.admitted.extend(new);
            self.preempted.extend(&step.preempted);
            self.loads.append(&mut step.loads);
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
            self.ends_ns
                .push_back(self.ends_ns.back().map_or(now_ns, |&end| end.max(now_ns)) + ns);
            self.flying.push_back(step);
        }
    }

    /// Let the oldest step be over.
    pub fn finish(&mut self) -> Vec<Sampled> {
        self.ends_ns.pop_front();
        let step = self.flying.pop_front().expect("a step ends once");
        self.scheduler.update(&step)
    }

    /// Forget everything but what was done: the machine has failed.
    pub fn fail(&mut self, config: Config, until_ns: u64) {
        let fresh = Self::new(config, self.step_time);
        *self = Self {
            work: self.work,
            counted_ns: self.counted_ns,
            plans: self.plans + 1,
            failures: self.failures + 1,
            down_until_ns: until_ns,
            ..fresh
        };
    }
}
