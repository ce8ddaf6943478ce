//! What the policies in the tool gap do, on sessions whose numbers can be said beforehand, and on random ones.

use curserve_sched::{Config, StepTime};
use curserve_sim::{
    each_cell, simulate, Chance, Cluster, Outcome, Policy, Start, TurnPlan, TurnRecord, Workload,
};
use proptest::prelude::*;

/// Sessions that say the same: 1,000 tokens of task, then tool answers of 60, replies of 40, gaps of a second.
struct Even {
    sessions: u32,
    turns: u32,
}

impl Workload for Even {
    fn sessions(&self) -> u32 {
        self.sessions
    }

    fn start(&self, session: u32) -> Start {
        Start::At(u64::from(session) * 100_000_000)
    }

    fn turn(&self, _session: u32, number: u32) -> Option<TurnPlan> {
        let new = if number == 0 { 1000 } else { 60 };
        (number < self.turns).then_some(TurnPlan {
            new,
            reply: 40,
            gap_ns: 1_000_000_000,
            ..TurnPlan::default()
        })
    }
}

const SECOND: u64 = 1_000_000_000;
const H100: StepTime = StepTime {
    base_ps: 6_130_000_000,
    prefill_ps: 16_200_000,
    decode_ps: 9_800_000,
    kv_ps: 43_700,
    pair_ps: 790,
};

fn run<W: Workload>(workload: &W, blocks: u32, policy: Policy) -> Outcome {
    run_all(workload, blocks, policy).0
}

fn run_all<W: Workload>(workload: &W, blocks: u32, policy: Policy) -> (Outcome, Vec<TurnRecord>) {
    let config = Config {
        async_scheduling: false,
        ..Config::new(blocks)
    };
    simulate(
        workload,
        &Cluster {
            policy,
            ..Cluster::new(config, H100)
        },
    )
}

#[test]
fn a_request_finds_whole_blocks_and_a_session_all_that_was_computed() {
    let work = Even {
        sessions: 1,
        turns: 3,
    };
    let request = run(&work, 1000, Policy::Request);
    // Before turns 2 and 3 lie 1,040 and 1,140 tokens; all but the last were computed, and whole blocks are found.
    assert_eq!(request.work[0].hit_tokens, 1024 + 1136);
    assert_eq!(
        request.work[0].prefill_tokens,
        1000 + (1100 - 1024) + (1200 - 1136)
    );
    let session = run(
        &work,
        1000,
        Policy::Session {
            idle_ns: 2 * SECOND,
        },
    );
    assert_eq!(session.work[0].hit_tokens, 0);
    assert_eq!(session.work[0].prefill_tokens, 1000 + 61 + 61);
    // Of 1,040 and 1,140 tokens all but the last are kept for a second each; the replies take the rest of the time.
    let second = u128::from(SECOND);
    assert_eq!(session.kept_block_ns, (65 + 72) * second);
    let busy = u128::from(session.work[0].busy_ns);
    assert!(session.work[0].held_block_ns > (65 + 72) * second + 63 * busy);
    assert!(session.work[0].held_block_ns < (65 + 72) * second + 78 * busy);
    // A request holds nothing in between, and what it held is found.
    assert!(request.work[0].held_block_ns < 78 * u128::from(request.work[0].busy_ns));
    assert_eq!(request.kept_block_ns, 0);
    assert!(request.work[0].idle_block_ns >= (64 + 71) * second);
    assert_eq!(session.released, 0);
}

#[test]
fn a_session_that_is_idle_too_long_asks_anew() {
    let work = Even {
        sessions: 1,
        turns: 3,
    };
    for policy in [
        Policy::Session {
            idle_ns: SECOND / 2,
        },
        Policy::TimeToLive {
            keep_ns: SECOND / 2,
        },
    ] {
        let outcome = run(&work, 1000, policy);
        assert_eq!((outcome.released, outcome.finished), (2, 1));
        assert_eq!(
            outcome.work[0].hit_tokens,
            1024 + 1136,
            "what nobody else needed is still found"
        );
    }
}

#[test]
fn under_pressure_a_request_computes_again_and_a_session_waits() {
    // A session takes up to 77 blocks; forty at once want 3,080.
    let work = Even {
        sessions: 40,
        turns: 3,
    };
    let (wide, narrow) = (
        run(&work, 4000, Policy::Request),
        run(&work, 300, Policy::Request),
    );
    assert_eq!(wide.work[0].evictions, 0);
    assert!(
        narrow.work[0].hit_tokens < wide.work[0].hit_tokens / 2,
        "{:?}",
        narrow.work
    );
    let (session, turns) = run_all(
        &work,
        300,
        Policy::Session {
            idle_ns: 100 * SECOND,
        },
    );
    assert_eq!(session.work[0].preemptions, 0, "what is reserved is there");
    assert!(session.released > 0, "idle sessions make room");
    assert!(turns.iter().all(|turn| turn.begun_ns >= turn.arrived_ns));
    for outcome in [wide, narrow, session] {
        assert_eq!(
            (outcome.finished, outcome.stuck, outcome.turns),
            (40, 0, 120)
        );
    }
}

#[test]
fn what_can_never_fit_ends_the_session_and_is_counted() {
    let outcome = run(
        &Even {
            sessions: 2,
            turns: 3,
        },
        68,
        Policy::Request,
    );
    assert_eq!(
        (outcome.too_long, outcome.finished, outcome.turns),
        (2, 0, 2)
    );
}

/// Sessions by chance: shared beginnings, long and short turns.
struct Chancy {
    seed: u64,
    sessions: u32,
    gap_ns: f64,
}

impl Workload for Chancy {
    fn sessions(&self) -> u32 {
        self.sessions
    }

    fn start(&self, session: u32) -> Start {
        Start::At(Chance::new(self.seed, u64::from(session)).exponential(0, 2e9))
    }

    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan> {
        let (chance, n) = (
            Chance::new(self.seed, u64::from(session)),
            u64::from(number) * 4 + 10,
        );
        let turns = 1 + chance.bits(1) % 6;
        (u64::from(number) < turns).then(|| TurnPlan {
            new: 1 + (chance.bits(n) % 300) as u32,
            reply: 1 + (chance.bits(n + 1) % 60) as u32,
            gap_ns: chance.exponential(n + 2, self.gap_ns),
            ..TurnPlan::default()
        })
    }

    fn prefix(&self, session: u32) -> (u32, u32) {
        (session % 3, session % 3 * 100)
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let cells: Vec<u64> = (0..24).collect();
    let cell = |&seed: &u64| {
        run(
            &Chancy {
                seed,
                sessions: 12,
                gap_ns: 1e8,
            },
            400,
            Policy::Request,
        )
    };
    let alone = each_cell(&cells, 1, cell);
    assert_eq!(alone, each_cell(&cells, 4, cell));
    assert_ne!(alone[0], alone[1]);
}

fn policy() -> impl Strategy<Value = Policy> {
    let time = prop_oneof![Just(0_u64), Just(100_000_000), Just(u64::MAX / 4)];
    prop_oneof![
        Just(Policy::Request),
        time.clone().prop_map(|idle_ns| Policy::Session { idle_ns }),
        time.prop_map(|keep_ns| Policy::TimeToLive { keep_ns }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_turn_is_answered_once_and_in_order(
        seed: u64, sessions in 1..40_u32, blocks in 160..800_u32, replicas in 1..4_u32, seqs in 1..20_u32,
        policy in policy(), ahead: bool, priority: bool, gap_ns in prop_oneof![Just(1e6), Just(1e9)],
    ) {
        let work = Chancy { seed, sessions, gap_ns };
        let order = if priority { curserve_sched::Policy::Priority } else { curserve_sched::Policy::Fcfs };
        let config = Config { max_num_seqs: seqs, async_scheduling: ahead, policy: order, ..Config::new(blocks) };
        let cluster = Cluster { replicas, policy, ..Cluster::new(config, H100) };
        let (outcome, turns) = simulate(&work, &cluster);
        prop_assert_eq!(outcome.finished + outcome.too_long + outcome.stuck, sessions);
        if policy == Policy::Request || matches!(policy, Policy::Session { .. }) {
            prop_assert_eq!(outcome.stuck, 0);
        }
        let mut next = vec![0; sessions as usize];
        for turn in &turns {
            prop_assert_eq!(turn.turn, next[turn.session as usize]);
            next[turn.session as usize] += 1;
            let plan = work.turn(turn.session, turn.turn).unwrap();
            prop_assert_eq!(turn.reply, plan.reply);
            prop_assert!(turn.arrived_ns <= turn.begun_ns && turn.begun_ns < turn.first_ns);
            prop_assert!(turn.first_ns + u64::from(turn.reply - 1) * 6_130_000 <= turn.last_ns);
        }
        let held: u128 = outcome.work.iter().map(|work| work.held_block_ns).sum();
        prop_assert!(outcome.kept_block_ns <= held);
        prop_assert!(policy != Policy::Request || outcome.kept_block_ns == 0);
        if let Policy::Session { .. } = policy {
            prop_assert_eq!(outcome.work.iter().map(|work| work.preemptions).sum::<u64>(), 0);
        }
        let found = (outcome, turns);
        prop_assert_eq!(&simulate(&work, &cluster), &found, "a seed gives the same again");
        let slowly = Cluster { step_by_step: true, ..cluster };
        prop_assert_eq!(simulate(&work, &slowly), found, "leaps change nothing");
    }
}
