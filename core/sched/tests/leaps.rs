//! Many steps at once against one after the other: nothing may tell them apart afterwards.

use curserve_sched::{
    Config, Policy, RequestId, RunCache, Scheduled, Scheduler, Segment, Step, Turn,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Ask {
    /// Cycles before it comes.
    after: u32,
    shared: u32,
    stream: u64,
    own: u32,
    reply: u32,
    session: bool,
}

fn ask() -> impl Strategy<Value = Ask> {
    let numbers = (
        0..6_u32,
        prop_oneof![Just(0), 0..30_u32],
        0..3_u64,
        1..90_u32,
        2..90_u32,
        prop::bool::weighted(0.3),
    );
    numbers.prop_map(|(after, shared, stream, own, reply, session)| Ask {
        after,
        shared,
        stream,
        own,
        reply,
        session,
    })
}

struct Run {
    scheduler: Scheduler<RunCache>,
    flying: Vec<Step>,
    depth: usize,
}

impl Run {
    fn new(config: Config) -> Self {
        let depth = if config.async_scheduling { 2 } else { 1 };
        Self {
            scheduler: Scheduler::new(config),
            flying: Vec::new(),
            depth,
        }
    }

    fn add(&mut self, ask: &Ask) {
        let prompt = vec![
            Segment {
                stream: 100,
                offset: 0,
                tokens: ask.shared,
            },
            Segment {
                stream: ask.stream,
                offset: 0,
                tokens: ask.own,
            },
        ];
        let turn = Turn {
            prompt,
            reply: (ask.stream, ask.own),
            max_tokens: ask.reply,
            ..Turn::default()
        };
        self.scheduler.add(turn, 0, ask.session);
    }

    /// Let the oldest step be over, and plan.
    fn cycle(&mut self) {
        if self.flying.len() == self.depth {
            let step = self.flying.remove(0);
            self.scheduler.update(&step);
        }
        let step = self.scheduler.schedule();
        if step.batch.is_empty() && !self.flying.is_empty() {
            let step = self.flying.remove(0);
            self.scheduler.update(&step);
        } else if !step.batch.is_empty() {
            self.flying.push(step);
        }
    }

    fn leap(&mut self, steps: u32) {
        self.scheduler.repeat(steps);
        for step in &mut self.flying {
            step.batch
                .iter_mut()
                .for_each(|part| part.computed += steps);
        }
    }

    fn state(&self) -> (Vec<Vec<Scheduled>>, Vec<RequestId>, u32, u64) {
        let batches = self.flying.iter().map(|step| step.batch.clone()).collect();
        let queued = self
            .scheduler
            .holding()
            .chain(self.scheduler.waiting())
            .collect();
        (
            batches,
            queued,
            self.scheduler.free_blocks(),
            self.scheduler.evicted_blocks(),
        )
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_leap_is_as_many_steps(
        blocks in 20..80_u32, seqs in 1..6_u32, ahead: bool, priority: bool,
        asks in prop::collection::vec(ask(), 1..12), share in 1..4_u32,
    ) {
        let config = Config {
            block_size: 4,
            max_num_seqs: seqs,
            max_num_scheduled_tokens: 64,
            max_model_len: 200,
            async_scheduling: ahead,
            policy: if priority { Policy::Priority } else { Policy::Fcfs },
            ..Config::new(blocks)
        };
        let (mut leaping, mut stepping) = (Run::new(config.clone()), Run::new(config));
        let mut asks = asks.into_iter();
        let mut next = asks.next();
        let mut wait = 0;
        for _ in 0..400 {
            wait += 1;
            while next.as_ref().is_some_and(|ask| ask.after <= wait) {
                let ask = next.take().unwrap();
                leaping.add(&ask);
                stepping.add(&ask);
                (next, wait) = (asks.next(), 0);
            }
            let full = leaping.flying.len() == leaping.depth;
            let steps = if full { leaping.scheduler.repeats(&leaping.flying) / share } else { 0 };
            let growth = leaping.scheduler.growth(steps);
            let free = leaping.scheduler.free_blocks();
            leaping.leap(steps);
            prop_assert_eq!(free - growth.iter().sum::<u32>(), leaping.scheduler.free_blocks());
            (0..steps).for_each(|_| stepping.cycle());
            prop_assert_eq!(leaping.state(), stepping.state());
            leaping.cycle();
            stepping.cycle();
            prop_assert_eq!(leaping.state(), stepping.state());
        }
    }
}

/// While a block fills, nothing is taken; when it is full, whoever waits with the same text needs one block less.
#[test]
fn who_waits_may_fit_when_its_text_is_found() {
    let config = Config {
        block_size: 4,
        async_scheduling: false,
        ..Config::new(5)
    };
    let (mut leaping, mut stepping) = (Run::new(config.clone()), Run::new(config));
    let ask = |own, reply| Ask {
        after: 0,
        shared: 0,
        stream: 0,
        own,
        reply,
        session: false,
    };
    for run in [&mut leaping, &mut stepping] {
        run.add(&ask(10, 40));
        run.cycle();
        run.cycle();
        run.add(&ask(20, 2));
    }
    assert_eq!(stepping.flying[0].batch.len(), 1);
    stepping.cycle();
    assert_eq!(
        stepping.flying[0].batch.len(),
        2,
        "the one that waited was admitted"
    );
    assert_eq!(
        leaping.scheduler.repeats(&leaping.flying),
        0,
        "so that step may not be passed over"
    );
}
