//! Steps that are alike are counted when something else happens, instead of being planned one by one.
//!
//! A replica that looks ahead knows how many of its next steps would be copies of the last one, each reply a token
//! longer. It plans an event for the end of the first step that would not be. Whatever comes before that finds the
//! copies that are over by then counted, and the others planned anew.

use curserve_sched::{Load, Step};

use crate::replica::{Leap, Replica};

impl Replica {
    /// See how many steps would be alike.
    pub fn look_ahead(&mut self) {
        let last = self
            .flying
            .back()
            .filter(|_| self.flying.len() == self.depth);
        self.ahead = last.map(Step::load).and_then(|load| {
            let steps = self.scheduler.repeats(&self.flying);
            (steps > 0).then_some(Leap { steps, load })
        });
    }

    /// When the first step is over that is more than a copy.
    pub fn next_end_ns(&self) -> Option<u64> {
        let first = *self.ends_ns.front()?;
        Some(match &self.ahead {
            Some(leap) => self.end_ns(leap.steps + 1, &leap.load),
            None => first,
        })
    }

    /// When the step is over that is the `place`th to end, counted from 1.
    fn end_ns(&self, place: u32, load: &Load) -> u64 {
        match place.checked_sub(self.depth as u32) {
            None | Some(0) => self.ends_ns[place as usize - 1],
            Some(more) => {
                self.ends_ns[self.depth - 1] + self.step_time.many_ns(load, more, load.decodes)
            }
        }
    }

    /// Count the steps that are alike and over before now.
    pub(crate) fn leap(&mut self, now_ns: u64) {
        let Some(Leap { steps, load }) = self.ahead.take() else {
            return;
        };
        let steps = last_true(steps, |steps| self.end_ns(steps, &load) < now_ns);
        if steps == 0 {
            return;
        }
        let evicted = self.scheduler.evicted_blocks();
        self.pass(steps, load);
        self.scheduler.repeat(steps);
        self.work.evictions += self.scheduler.evicted_blocks() - evicted;
        for step in &mut self.flying {
            step.batch
                .iter_mut()
                .for_each(|part| part.computed += steps);
        }
    }

    /// Let the ends of steps go by, and count blocks up to each.
    fn pass(&mut self, steps: u32, mut load: Load) {
        let (free, idle) = (self.scheduler.free_blocks(), self.scheduler.idle_blocks());
        let (mut held, mut empty) = (self.blocks - free, free - idle);
        for new in self.scheduler.growth(steps) {
            let end = self.ends_ns.pop_front().expect("as many as steps");
            self.add_blocks(end, held, self.blocks - held - empty);
            held += new;
            empty = empty.saturating_sub(new);
            load.kv_tokens += load.decodes;
            let (last, ns) = (
                self.ends_ns.back().copied().unwrap_or(end),
                self.step_time.ns(&load),
            );
            self.ends_ns.push_back(last + ns);
            self.work.busy_ns += ns;
        }
        self.work.steps += u64::from(steps);
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
