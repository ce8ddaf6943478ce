//! How fast turns are simulated: long conversations, as many as a replica can just serve, each cell on a thread of its own.
//!
//! `cargo run --release -p curserve-sim --example turns -- SESSIONS [request|session|steps [THREADS [REPLICAS]]]`: `steps` plans
//! each step by itself. Prints turns for each second of a processor, and by the clock, and the most memory.

use std::time::Instant;

use curserve_sched::{Config, StepTime};
use curserve_sim::{each_cell, simulate_into, Chance, Cluster, Policy, Start, TurnPlan, Workload};

/// 60 turns of 1,000 new tokens and replies of 60, after a task of 60,000: 90,000 tokens of context in the mean.
struct Long {
    seed: u64,
    sessions: u32,
    replicas: u32,
}

impl Workload for Long {
    fn sessions(&self) -> u32 {
        self.sessions
    }

    fn start(&self, session: u32) -> Start {
        Start::At(u64::from(session) * 40_000_000_000 / u64::from(self.replicas))
    }

    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan> {
        let chance = Chance::new(self.seed, u64::from(session));
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
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, otherwise: u32| {
        let word = words.get(place).and_then(|word| word.parse().ok());
        word.unwrap_or(otherwise)
    };
    let (sessions, threads, replicas) = (number(0, 1000), number(2, 1), number(3, 1));
    let how = words.get(1).map_or("request", String::as_str);
    let policy = match how {
        "session" => Policy::Session {
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
        replicas,
        step_by_step: how == "steps",
        ..Cluster::new(config, h100)
    };
    let cells: Vec<u64> = (0..u64::from(threads)).collect();
    let began = Instant::now();
    let outcomes = each_cell(&cells, threads as usize, |&seed| {
        let work = Long {
            seed,
            sessions: sessions / threads,
            replicas,
        };
        simulate_into(&work, &cluster, &mut |_: &curserve_sim::TurnRecord| ())
    });
    let (seconds, busy) = (began.elapsed().as_secs_f64(), processor_seconds());
    let turns: u64 = outcomes.iter().map(|outcome| outcome.turns).sum();
    let present = outcomes.iter().map(|outcome| outcome.most_present).max();
    println!(
        "{turns} turns in {seconds:.2} s, {busy:.2} s of a processor: {:.0} a second of one; {} MB; {} at once, {} stuck",
        turns as f64 / busy,
        most_memory_mb(),
        present.unwrap_or_default(),
        outcomes.iter().map(|outcome| outcome.stuck).sum::<u32>()
    );
}

/// What this process has used of processors, in ticks of 10 ms.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|word| word.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

fn most_memory_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let kb = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kb.unwrap_or_default() / 1024
}
