//! Routers, memory below the GPU's, disaggregation, failures and tool workers: on numbers that can be said beforehand, and on
//! random clusters.

use curserve_sched::{Config, StepTime};
use curserve_sim::{
    simulate, Chance, Cluster, Failure, NextTurn, Offload, Outcome, Policy, Router, Split, Start,
    TurnPlan, TurnRecord, Way, Workload,
};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000_000;
const H100: StepTime = StepTime {
    base_ps: 6_130_000_000,
    prefill_ps: 16_200_000,
    decode_ps: 9_800_000,
    kv_ps: 43_700,
    pair_ps: 790,
};

/// Sessions of three turns, one after the other in a second: 1,000 tokens of task, then tool answers of 60, replies of 40.
struct Even {
    sessions: u32,
    gap_ns: u64,
    work_ns: u64,
}

impl Even {
    fn of(sessions: u32) -> Self {
        Self {
            sessions,
            gap_ns: 10 * SECOND,
            work_ns: 0,
        }
    }
}

impl Workload for Even {
    fn sessions(&self) -> u32 {
        self.sessions
    }

    fn start(&self, session: u32) -> Start {
        Start::At(u64::from(session) * SECOND)
    }

    fn turn(&self, _session: u32, number: u32) -> Option<TurnPlan> {
        (number < 3).then_some(TurnPlan {
            new: if number == 0 { 1000 } else { 60 },
            reply: 40,
            gap_ns: self.gap_ns,
            work_ns: self.work_ns,
        })
    }
}

fn cluster(blocks: u32, replicas: u32) -> Cluster {
    let config = Config {
        async_scheduling: false,
        ..Config::new(blocks)
    };
    Cluster {
        replicas,
        ..Cluster::new(config, H100)
    }
}

fn hits(outcome: &Outcome) -> u64 {
    outcome.work.iter().map(|work| work.hit_tokens).sum()
}

#[test]
fn turns_that_are_dealt_out_find_nothing_and_those_that_stay_find_all() {
    let found = |router| {
        let cluster = Cluster {
            router,
            ..cluster(10_000, 4)
        };
        let (outcome, _) = simulate(&Even::of(12), &cluster);
        assert_eq!((outcome.finished, outcome.stuck), (12, 0));
        hits(&outcome)
    };
    let all = 12 * (1024 + 1136);
    assert_eq!(found(Router::Dealt), all);
    assert_eq!(found(Router::Affinity), all);
    // A replica that is busy with another one's turn may cost more than computing again.
    assert!(found(Router::PrefixAware) > all * 9 / 10);
    assert!(found(Router::RoundRobin) < all);
}

#[test]
fn a_tier_below_gives_back_what_the_gpu_forgot() {
    let way = Way {
        token_ps: 2_000_000,
        latency_ns: 100_000,
    };
    let below = Cluster {
        offload: Some(Offload {
            blocks: 10_000,
            way,
        }),
        ..cluster(200, 1)
    };
    let work = Even::of(12);
    let (with, turns) = simulate(&work, &below);
    let (without, _) = simulate(&work, &cluster(200, 1));
    let [with, without] = [with, without].map(|outcome| outcome.work[0]);
    assert!(with.loaded_tokens > 0);
    assert!(with.prefill_tokens < without.prefill_tokens / 2);
    // Each later turn finds or loads whole blocks of all that was computed: 1,039 and 1,139 tokens.
    assert_eq!(with.hit_tokens + with.loaded_tokens, 12 * (1024 + 1136));
    let later = turns.iter().filter(|turn| turn.turn > 0);
    assert!(later
        .clone()
        .all(|turn| turn.cached == if turn.turn == 1 { 1024 } else { 1136 }));
    // Without room below it is as if there were none.
    let none = Cluster {
        offload: Some(Offload { blocks: 0, way }),
        ..cluster(200, 1)
    };
    assert_eq!(simulate(&work, &none).0.work[0], without);
}

fn split(next: NextTurn, latency_ns: u64) -> Cluster {
    let way = Way {
        token_ps: 1_000_000,
        latency_ns,
    };
    Cluster {
        split: Some(Split {
            prefill: 1,
            way,
            next,
        }),
        ..cluster(10_000, 2)
    }
}

#[test]
fn a_decoder_loads_the_prompt_and_the_next_turn_costs_what_its_rule_says() {
    let work = Even::of(1);
    let run = |next| simulate(&work, &split(next, 0));
    let (recompute, turns) = run(NextTurn::Recompute);
    let [prefill, decode] = [recompute.work[0], recompute.work[1]];
    // Prompts of 1,000, 1,100 and 1,200 tokens. The prefill replica finds whole blocks of its own prompts: 62, then 68.
    assert_eq!(
        prefill.prefill_tokens,
        1000 + (1100 - 62 * 16) + (1200 - 68 * 16)
    );
    // The decoder finds what it computed itself (1,039 and 1,139 tokens), and loads the rest.
    assert_eq!(
        decode.loaded_tokens,
        1000 + (1100 - 64 * 16) + (1200 - 71 * 16)
    );
    assert_eq!(decode.prefill_tokens, 0);
    assert_eq!(turns.len(), 3);
    assert!(turns.iter().all(|turn| turn.reply == 40));
    let (back, _) = run(NextTurn::TransferBack);
    // Of 1,040 and 1,140 tokens all but the last come back, beyond the whole blocks of its own prompts.
    assert_eq!(
        back.work[0].loaded_tokens,
        (1039 - 62 * 16) + (1139 - 68 * 16)
    );
    assert_eq!(back.work[0].prefill_tokens, 1000 + 61 + 61);
    let (append, _) = run(NextTurn::Append);
    assert_eq!(append.work[0].prefill_tokens, 1000);
    assert_eq!(append.work[1].prefill_tokens, (1100 - 1024) + (1200 - 1136));
    assert_eq!(append.work[1].loaded_tokens, 1000);
}

#[test]
fn the_handover_takes_the_time_of_its_bytes() {
    let work = Even::of(1);
    let first = |latency_ns| {
        let (_, turns) = simulate(&work, &split(NextTurn::Recompute, latency_ns));
        turns[0].first_ns - turns[0].arrived_ns
    };
    // A prompt of 1,000 tokens, 1 µs a token on the way, then a step that computes the last token.
    let pairs = 1000 * 1001 / 2;
    let prefill = 6_130_000 + 1000 * 16_200 + (pairs * 790) / 1000;
    let decode = 6_130_000 + 9_800 + (1000 * 43_700) / 1000;
    assert!(first(0).abs_diff(prefill + 1_000_000 + decode) <= 2);
    assert_eq!(first(5_000_000), first(0) + 5_000_000);
}

#[test]
fn what_a_failing_replica_had_is_asked_again_elsewhere() {
    let failures = vec![Failure {
        replica: 0,
        at_ns: SECOND / 100,
        down_ns: 5 * SECOND,
    }];
    let failing = |replicas| Cluster {
        failures: failures.clone(),
        router: Router::Affinity,
        ..cluster(10_000, replicas)
    };
    let (outcome, turns) = simulate(&Even::of(2), &failing(2));
    assert_eq!((outcome.finished, outcome.retried), (2, 1));
    assert!(turns[0].last_ns < 2 * SECOND, "the other one answers");
    let (outcome, turns) = simulate(&Even::of(2), &failing(1));
    assert_eq!((outcome.finished, outcome.retried), (2, 1));
    assert!(
        turns[0].begun_ns >= 5 * SECOND,
        "it waits until the only one is back"
    );
    assert_eq!(turns[0].arrived_ns, 0);
}

#[test]
fn calls_wait_for_a_processor_of_the_server() {
    let work = Even {
        sessions: 6,
        gap_ns: 1,
        work_ns: 20 * SECOND,
    };
    let wait = |tool_workers| {
        let cluster = Cluster {
            tool_workers,
            ..cluster(10_000, 1)
        };
        let (outcome, turns) = simulate(&work, &cluster);
        assert_eq!(outcome.tool_work_ns, u128::from(12 * 20 * SECOND));
        turns.iter().map(|turn| turn.tool_wait_ns).sum::<u64>()
    };
    assert_eq!(wait(None), 0);
    assert_eq!(wait(Some(6)), 0);
    // Six calls come a second apart, and one worker needs twenty for each.
    assert!(wait(Some(1)) > (19 + 38 + 57 + 76 + 95) * SECOND);
    assert!(wait(Some(2)) < wait(Some(1)) / 2);
}

#[test]
fn more_sessions_than_may_be_there_stop_it() {
    let cluster = Cluster {
        most_sessions: 4,
        ..cluster(10_000, 1)
    };
    let (outcome, _) = simulate(&Even::of(12), &cluster);
    assert!(outcome.overrun && outcome.finished == 0);
    assert_eq!(outcome.most_present, 5);
}

/// Sessions by chance, some of whom come after others.
struct Chancy {
    seed: u64,
    sessions: u32,
    users: u32,
}

impl Workload for Chancy {
    fn sessions(&self) -> u32 {
        self.sessions
    }

    fn start(&self, session: u32) -> Start {
        if self.users > 0 && session >= self.users {
            return Start::After(session - self.users, 1_000_000);
        }
        Start::At(Chance::new(self.seed, u64::from(session)).exponential(0, 2e9))
    }

    fn follower(&self, session: u32) -> Option<u32> {
        let next = session + self.users;
        (self.users > 0 && next < self.sessions).then_some(next)
    }

    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan> {
        let (chance, n) = (
            Chance::new(self.seed, u64::from(session)),
            u64::from(number) * 4 + 10,
        );
        (u64::from(number) < 1 + chance.bits(1) % 6).then(|| TurnPlan {
            new: 1 + (chance.bits(n) % 300) as u32,
            reply: 1 + (chance.bits(n + 1) % 60) as u32,
            gap_ns: chance.exponential(n + 2, 1e8),
            work_ns: chance.exponential(n + 3, 1e7),
        })
    }

    fn prefix(&self, session: u32) -> (u32, u32) {
        (session % 3, session % 3 * 100)
    }
}

fn clusters() -> impl Strategy<Value = Cluster> {
    let router = prop_oneof![
        Just(Router::Dealt),
        Just(Router::RoundRobin),
        Just(Router::LeastLoaded),
        Just(Router::Affinity),
        Just(Router::PrefixAware),
    ];
    let policy = prop_oneof![
        Just(Policy::Request),
        Just(Policy::Session {
            idle_ns: 50_000_000
        }),
        Just(Policy::Session {
            idle_ns: u64::MAX / 4
        }),
        Just(Policy::TimeToLive {
            keep_ns: 20_000_000
        }),
    ];
    let next = prop_oneof![
        Just(None),
        Just(Some(NextTurn::Recompute)),
        Just(Some(NextTurn::TransferBack)),
        Just(Some(NextTurn::Append)),
    ];
    let way = (1..5_000_000_u64, 0..1_000_000_u64).prop_map(|(token_ps, latency_ns)| Way {
        token_ps,
        latency_ns,
    });
    let failure = (0..5_u32, 0..3 * SECOND, 0..SECOND);
    let memory = (160..800_u32, 1..20_u32, any::<bool>());
    (
        (1..5_u32, router, policy, next, way, memory),
        proptest::option::of(0..3_000_u64),
        proptest::option::of(1..4_u32),
        proptest::collection::vec(failure, 0..3),
    )
        .prop_map(
            |(
                (replicas, router, policy, next, way, (blocks, seqs, ahead)),
                below,
                tool_workers,
                failures,
            )| {
                let config = Config {
                    max_num_seqs: seqs,
                    async_scheduling: ahead,
                    ..Config::new(blocks)
                };
                let replicas = if next.is_some() {
                    replicas + 1
                } else {
                    replicas
                };
                let failures = failures
                    .into_iter()
                    .map(|(replica, at_ns, down_ns)| Failure {
                        replica: replica % replicas,
                        at_ns,
                        down_ns,
                    });
                Cluster {
                    replicas,
                    router,
                    policy: if next.is_some() {
                        Policy::Request
                    } else {
                        policy
                    },
                    split: next.map(|next| Split {
                        prefill: 1 + replicas / 3,
                        way,
                        next,
                    }),
                    offload: below.map(|blocks| Offload { blocks, way }),
                    tool_workers,
                    failures: failures.collect(),
                    ..Cluster::new(config, H100)
                }
            },
        )
}

fn answers(work: &Chancy, turns: &[TurnRecord]) -> Result<(), TestCaseError> {
    let mut next = vec![0; work.sessions as usize];
    for turn in turns {
        prop_assert_eq!(turn.turn, next[turn.session as usize]);
        next[turn.session as usize] += 1;
        let plan = work.turn(turn.session, turn.turn).unwrap();
        prop_assert_eq!(turn.reply, plan.reply);
        prop_assert!(turn.arrived_ns <= turn.begun_ns && turn.begun_ns <= turn.admitted_ns);
        prop_assert!(turn.admitted_ns < turn.first_ns && turn.first_ns <= turn.last_ns);
        prop_assert!(turn.cached < turn.prompt);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_cluster_answers_every_turn_once_and_as_step_by_step(
        seed: u64, sessions in 1..40_u32, users in 0..6_u32, cluster in clusters(),
    ) {
        let work = Chancy { seed, sessions, users };
        let (outcome, turns) = simulate(&work, &cluster);
        prop_assert_eq!(outcome.finished + outcome.too_long + outcome.stuck, sessions);
        if !matches!(cluster.policy, Policy::TimeToLive { .. }) {
            prop_assert_eq!(outcome.stuck, 0, "{:?}", cluster);
        }
        answers(&work, &turns)?;
        let slowly = Cluster { step_by_step: true, ..cluster.clone() };
        prop_assert_eq!(simulate(&work, &slowly), (outcome, turns), "leaps change nothing");
    }
}
