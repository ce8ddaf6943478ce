//! How fast turns are simulated: long conversations on one replica, one thread.
//!
//! `cargo run --release -p curserve-sim --example turns -- SESSIONS [request|session]`

use std::time::Instant;

use curserve_sched::{Config, StepTime};
use curserve_sim::{simulate_into, Chance, Cluster, Policy, Start, TurnPlan, Workload};

/// 60 turns of 1,000 new tokens and replies of 60, after a task of 60,000: 90,000 tokens of context in the mean.
struct Long {
    sessions: u32,
}

impl Workload for Long {
    fn sessions(&self) -> u32 {
        self.sessions
    }

    fn start(&self, session: u32) -> Start {
        Start::At(u64::from(session) * 20_000_000_000)
    }

    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan> {
        let chance = Chance::new(1, u64::from(session));
        let new = if number == 0 { 60_000 } else { 1_000 };
        let gap_ns = chance.exponential(u64::from(number), 2e9);
        (number < 60).then_some(TurnPlan {
            new,
            reply: 60,
            gap_ns,
            ..TurnPlan::default()
        })
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let sessions = words
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(1000);
    let policy = match words.next().as_deref() {
        Some("session") => Policy::Session {
            idle_ns: 60_000_000_000,
        },
        _ => Policy::Request,
    };
    let h100 = StepTime {
        base_ps: 6_130_000_000,
        prefill_ps: 16_200_000,
        decode_ps: 9_800_000,
        kv_ps: 43_700,
        pair_ps: 790,
    };
    let config = Config {
        max_model_len: 200_000,
        ..Config::new(200_000)
    };
    let cluster = Cluster {
        policy,
        ..Cluster::new(config, h100)
    };
    let began = Instant::now();
    let outcome = simulate_into(
        &Long { sessions },
        &cluster,
        &mut |_: &curserve_sim::TurnRecord| (),
    );
    let (seconds, turns) = (began.elapsed().as_secs_f64(), outcome.turns);
    println!(
        "{turns} turns in {seconds:.2} s: {:.0} a second",
        turns as f64 / seconds
    );
    println!(
        "simulated {:.0} s, {} stuck, {:?}",
        outcome.end_ns as f64 / 1e9,
        outcome.stuck,
        outcome.work
    );
}
