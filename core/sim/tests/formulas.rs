//! Queues with a formula: one server, one request at a time, arrivals by chance.

use curserve_sched::{Config, StepTime};
use curserve_sim::{simulate, Chance, Cluster, Start, TurnPlan, Workload};

const REQUESTS: u32 = 20_000;
const WARM_UP: usize = 1_000;
const REPLICATIONS: u64 = 30;
/// Student's t with 29 degrees of freedom: 99.9 % of means lie within so many standard errors.
const T: f64 = 3.66;

/// Requests of one token each, whose prompts are of one length or another.
struct Arrivals {
    starts_ns: Vec<u64>,
    chance: Chance,
    /// (share, tokens of the prompt)
    lengths: [(f64, u32); 2],
}

impl Arrivals {
    fn new(seed: u64, mean_gap_ns: f64, lengths: [(f64, u32); 2]) -> Self {
        let (gaps, chance) = (Chance::new(seed, 0), Chance::new(seed, 1));
        let starts_ns = (0..u64::from(REQUESTS))
            .scan(0, |now, n| {
                *now += gaps.exponential(n, mean_gap_ns);
                Some(*now)
            })
            .collect();
        Self {
            starts_ns,
            chance,
            lengths,
        }
    }
}

impl Workload for Arrivals {
    fn sessions(&self) -> u32 {
        REQUESTS
    }

    fn start(&self, session: u32) -> Start {
        Start::At(self.starts_ns[session as usize])
    }

    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan> {
        let [(share, one), (_, other)] = self.lengths;
        let new = if self.chance.share(u64::from(session)) < share {
            one
        } else {
            other
        };
        (number == 0).then_some(TurnPlan {
            new,
            reply: 1,
            gap_ns: 0,
            ..TurnPlan::default()
        })
    }
}

/// A step of `n` tokens lasts 1 ms and 10 µs a token.
fn service_ns(tokens: u32) -> f64 {
    1e6 + 1e4 * f64::from(tokens)
}

/// The mean wait, by replications: its mean and standard error.
fn waits(load: f64, lengths: [(f64, u32); 2]) -> (f64, f64) {
    let config = Config {
        max_num_seqs: 1,
        async_scheduling: false,
        ..Config::new(1000)
    };
    let step_time = StepTime {
        base_ps: 1_000_000_000,
        prefill_ps: 10_000_000,
        decode_ps: 0,
        kv_ps: 0,
        pair_ps: 0,
    };
    let cluster = Cluster::new(config, step_time);
    let service = lengths
        .iter()
        .map(|&(share, tokens)| share * service_ns(tokens))
        .sum::<f64>();
    let means: Vec<f64> = (0..REPLICATIONS)
        .map(|seed| {
            let (outcome, turns) =
                simulate(&Arrivals::new(seed, service / load, lengths), &cluster);
            assert_eq!(outcome.finished, REQUESTS);
            let late = &turns[WARM_UP..];
            let wait = |turn: &curserve_sim::TurnRecord| {
                (turn.first_ns - turn.arrived_ns) as f64 - service_ns(turn.prompt)
            };
            late.iter().map(wait).sum::<f64>() / late.len() as f64
        })
        .collect();
    let mean = means.iter().sum::<f64>() / REPLICATIONS as f64;
    let variance =
        means.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (REPLICATIONS - 1) as f64;
    (mean, (variance / REPLICATIONS as f64).sqrt())
}

/// Pollaczek and Khinchine: load × E[S²] / E[S] / 2 (1 − load).
fn expected(load: f64, lengths: [(f64, u32); 2]) -> f64 {
    let moment = |power| {
        lengths
            .iter()
            .map(|&(share, tokens)| share * service_ns(tokens).powi(power))
            .sum::<f64>()
    };
    load * moment(2) / moment(1) / (2.0 * (1.0 - load))
}

fn assert_agrees(load: f64, lengths: [(f64, u32); 2]) {
    let ((mean, error), expected) = (waits(load, lengths), expected(load, lengths));
    assert!(
        error < 0.03 * expected,
        "too few requests to tell: {error} of {expected}"
    );
    assert!(
        (mean - expected).abs() < T * error,
        "{mean} ± {error}, and the formula says {expected}"
    );
}

#[test]
fn requests_of_one_length_wait_as_in_m_d_1() {
    assert_agrees(0.5, [(1.0, 400), (0.0, 0)]);
    assert_agrees(0.8, [(1.0, 400), (0.0, 0)]);
}

#[test]
fn requests_of_two_lengths_wait_as_in_m_g_1() {
    assert_agrees(0.5, [(0.8, 100), (0.2, 3000)]);
    assert_agrees(0.7, [(0.8, 100), (0.2, 3000)]);
}
