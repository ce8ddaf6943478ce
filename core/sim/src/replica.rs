//! One server: a scheduler, and the steps that its machine computes one after the other.

use std::collections::VecDeque;

use curserve_sched::{Config, Load, RunCache, Sampled, Scheduler, Step, StepTime};

/// A scheduler with a machine.
#[derive(Debug)]
pub struct Replica {
    /// Who computes when.
    pub scheduler: Scheduler<RunCache>,
    /// Blocks that there are.
    blocks: u32,
    step_time: StepTime,
    /// Steps that may be planned at once: two with asynchronous stepping.
    depth: usize,
    flying: VecDeque<Step>,
    /// When each of them will be over.
    ends_ns: VecDeque<u64>,
    /// What it did so far.
    pub work: Work,
    /// Until when blocks are counted.
    counted_ns: u64,
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
            work: Work::default(),
            counted_ns: 0,
        }
    }

    /// When the oldest step in flight will be over.
    pub fn next_end_ns(&self) -> Option<u64> {
        self.ends_ns.front().copied()
    }

    /// Count blocks up to now, before anything changes.
    pub fn count_blocks(&mut self, now_ns: u64) {
        let (free, idle) = (self.scheduler.free_blocks(), self.scheduler.idle_blocks());
        self.add_blocks(now_ns, self.blocks - free, idle);
    }

    fn add_blocks(&mut self, until_ns: u64, held: u32, idle: u32) {
        let ns = u128::from(until_ns - self.counted_ns);
        self.work.held_block_ns += u128::from(held) * ns;
        self.work.idle_block_ns += u128::from(idle) * ns;
        self.counted_ns = until_ns;
    }

    /// Plan steps as far ahead as may be.
    pub fn plan(&mut self, now_ns: u64) {
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

    /// Count all steps that are alike and end before `until_ns`, instead of planning them one by one.
    pub fn leap(&mut self, until_ns: u64) {
        let depth = self.flying.len();
        let Some(load) = self
            .flying
            .back()
            .filter(|_| depth == self.depth)
            .map(Step::load)
        else {
            return;
        };
        let most = self.scheduler.repeats(&self.flying);
        let end_ns = *self.ends_ns.back().expect("as many as steps");
        let end_after = |steps: u32| end_ns + self.step_time.many_ns(&load, steps, load.decodes);
        // When the last step would be over that makes room for another: up to then nothing else may happen.
        let over = |steps: u32| match steps.checked_sub(depth as u32) {
            Some(steps) => end_after(steps),
            None => self.ends_ns[steps as usize - 1],
        };
        let steps = last_true(most, |steps| over(steps) < until_ns);
        if steps == 0 {
            return;
        }
        let busy_ns = end_after(steps) - end_ns;
        self.pass(steps, &load);
        self.work.steps += u64::from(steps);
        self.work.busy_ns += busy_ns;
        let evicted = self.scheduler.evicted_blocks();
        self.scheduler.repeat(steps);
        self.work.evictions += self.scheduler.evicted_blocks() - evicted;
        for step in &mut self.flying {
            step.batch
                .iter_mut()
                .for_each(|part| part.computed += steps);
        }
    }

    /// Let the ends of steps go by, as many as are alike, and count blocks up to each; `load` is that of the last one planned.
    fn pass(&mut self, steps: u32, load: &Load) {
        let (free, idle) = (self.scheduler.free_blocks(), self.scheduler.idle_blocks());
        let (mut held, mut empty, mut load) = (self.blocks - free, free - idle, *load);
        for new in self.scheduler.growth(steps) {
            let end = self.ends_ns.pop_front().expect("as many as steps");
            self.add_blocks(end, held, self.blocks - held - empty);
            held += new;
            empty = empty.saturating_sub(new);
            load.kv_tokens += load.decodes;
            let last = self.ends_ns.back().copied().unwrap_or(end);
            self.ends_ns.push_back(last + self.step_time.ns(&load));
        }
    }
}

/// The largest number from 1 to `most` that has a property which all smaller ones have too; 0 if not even 1 has it.
fn last_true(most: u32, has: impl Fn(u32) -> bool) -> u32 {
    let (mut yes, mut no) = (0, most.saturating_add(1));
    while no - yes > 1 {
        let middle = yes + (no - yes) / 2;
        if has(middle) {
            yes = middle;
        } else {
            no = middle;
        }
    }
    yes
}
