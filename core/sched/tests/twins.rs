//! One scheduler over runs, one over blocks: whatever is asked of both, they plan the same steps.

mod twin;

use curserve_sched::{Config, Kv, Policy, RequestId, RunCache, Scheduler, Segment, Step, Turn};
use proptest::prelude::*;
use twin::BlockCache;

#[derive(Clone, Debug)]
enum Op {
    Add {
        shared: u32,
        stream: u64,
        own: u32,
        reply: u32,
        priority: i32,
        session: bool,
    },
    Next {
        which: usize,
        new: u32,
        reply: u32,
    },
    Close {
        which: usize,
    },
    Abort {
        which: usize,
    },
    Plan,
    Update,
}

fn op() -> impl Strategy<Value = Op> {
    let add = (
        0..60_u32,
        0..6_u64,
        1..50_u32,
        1..20_u32,
        0..3_i32,
        any::<bool>(),
    );
    prop_oneof![
        2 => add.prop_map(|(shared, stream, own, reply, priority, session)| Op::Add { shared, stream, own, reply, priority, session }),
        2 => (any::<usize>(), 1..40_u32, 1..20_u32).prop_map(|(which, new, reply)| Op::Next { which, new, reply }),
        1 => any::<usize>().prop_map(|which| Op::Close { which }),
        1 => any::<usize>().prop_map(|which| Op::Abort { which }),
        12 => Just(Op::Plan),
        12 => Just(Op::Update),
    ]
}

fn config() -> impl Strategy<Value = Config> {
    let memory = (
        12..120_u32,
        prop_oneof![Just(4_u32), Just(8)],
        prop::bool::weighted(0.9),
        any::<bool>(),
        0..4_u32,
    );
    let step = (
        8..80_u32,
        1..9_u32,
        prop_oneof![Just(0_u32), 4..20_u32],
        any::<bool>(),
        any::<bool>(),
    );
    (memory, step).prop_map(
        |((blocks, size, caching, reserve, watermark), (tokens, seqs, long, priority, ahead))| {
            Config {
                block_size: size,
                enable_prefix_caching: caching,
                max_num_scheduled_tokens: tokens,
                max_num_seqs: seqs,
                max_model_len: 400,
                scheduler_reserve_full_isl: reserve,
                watermark_blocks: watermark,
                long_prefill_token_threshold: long,
                policy: if priority {
                    Policy::Priority
                } else {
                    Policy::Fcfs
                },
                async_scheduling: ahead,
                ..Config::new(blocks)
            }
        },
    )
}

/// A scheduler, the requests that it was given, and the steps that are not over.
struct Run<K: Kv> {
    scheduler: Scheduler<K>,
    ids: Vec<RequestId>,
    flying: Vec<Step>,
    clock: u64,
}

impl<K: Kv> Run<K> {
    fn new(config: Config) -> Self {
        Self {
            scheduler: Scheduler::new(config),
            ids: Vec::new(),
            flying: Vec::new(),
            clock: 0,
        }
    }

    fn turn(&mut self, prompt: Vec<Segment>, stream: u64, offset: u32, max_tokens: u32) -> Turn {
        self.clock += 1;
        Turn {
            prompt,
            reply: (stream, offset),
            max_tokens,
            arrival: self.clock,
            external: 0,
        }
    }

    /// Do it, and tell in words what came of it.
    fn ask(&mut self, op: &Op) -> String {
        let pick = |ids: &[RequestId], which: usize| ids[which % ids.len()];
        match *op {
            Op::Add {
                shared,
                stream,
                own,
                reply,
                priority,
                session,
            } => {
                let prompt = vec![
                    Segment {
                        stream: 100,
                        offset: 0,
                        tokens: shared,
                    },
                    Segment {
                        stream,
                        offset: 0,
                        tokens: own,
                    },
                ];
                let turn = self.turn(prompt, stream, own, reply);
                self.ids.push(self.scheduler.add(turn, priority, session));
            }
            Op::Next { which, new, reply } if !self.ids.is_empty() => {
                let stream = 200 + self.clock;
                let turn = self.turn(
                    vec![Segment {
                        stream,
                        offset: 0,
                        tokens: new,
                    }],
                    stream,
                    new,
                    reply,
                );
                self.scheduler.next_turn(pick(&self.ids, which), turn);
            }
            Op::Close { which } if !self.ids.is_empty() => {
                self.scheduler.close(pick(&self.ids, which))
            }
            Op::Abort { which } if !self.ids.is_empty() => {
                self.scheduler.abort(pick(&self.ids, which))
            }
            Op::Plan if self.flying.len() < 2 => {
                let step = self.scheduler.schedule();
                let said = format!("{step:?} {}", self.scheduler.free_blocks());
                self.flying.push(step);
                return said;
            }
            Op::Update if !self.flying.is_empty() => {
                let step = self.flying.remove(0);
                return format!("{:?}", self.scheduler.update(&step));
            }
            _ => (),
        }
        String::new()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn runs_plan_as_blocks_do(config in config(), ops in prop::collection::vec(op(), 1..200)) {
        let ahead = config.async_scheduling;
        let (mut runs, mut blocks) = (Run::<RunCache>::new(config.clone()), Run::<BlockCache>::new(config));
        for op in ops {
            if matches!(op, Op::Plan) && !ahead && !runs.flying.is_empty() {
                continue; // without asynchronous stepping a step is over before the next is planned
            }
            prop_assert_eq!(runs.ask(&op), blocks.ask(&op));
        }
    }
}
