//! Closed networks with a formula: users who think, one server that takes one request at a time, processors for tools.
//!
//! Exponential times, first come first served: mean value analysis is exact (Reiser and Lavenberg, "Mean-value analysis of closed
//! multichain queuing networks", 1980).

use curserve_sched::{Config, StepTime};
use curserve_sim::{simulate, Chance, Cluster, Start, TurnPlan, Workload};

const REPLICATIONS: u64 = 30;
/// Student's t with 29 degrees of freedom: 99.9 % of means lie within so many standard errors.
const T: f64 = 3.66;
const TURNS: u32 = 100;
const SESSIONS: u32 = 12;
/// Mean tokens of a turn, and how long one takes.
const TOKENS: f64 = 500.0;
const TOKEN_NS: f64 = 10_000.0;

/// Each user plays one session after the other, without a pause between them.
struct Users {
    seed: u64,
    users: u32,
    think_ns: f64,
    work_ns: f64,
}

impl Workload for Users {
    fn sessions(&self) -> u32 {
        self.users * SESSIONS
    }

    fn start(&self, session: u32) -> Start {
        if session < self.users {
            Start::At(0)
        } else {
            Start::After(session - self.users, 0)
        }
    }

    fn follower(&self, session: u32) -> Option<u32> {
        (session + self.users < self.sessions()).then_some(session + self.users)
    }

    fn turn(&self, session: u32, number: u32) -> Option<TurnPlan> {
        let chance = Chance::new(self.seed, u64::from(session));
        let n = u64::from(number) * 3;
        let tokens = chance.exponential(n, TOKENS).max(1) as u32;
        (number < TURNS).then(|| TurnPlan {
            // The last token of the last reply is computed with the next turn.
            new: if number == 0 {
                tokens
            } else {
                tokens.max(2) - 1
            },
            reply: 1,
            gap_ns: chance.exponential(n + 1, self.think_ns),
            work_ns: chance.exponential(n + 2, self.work_ns),
        })
    }
}

/// Turns a second, by replications: the mean and its standard error.
fn throughput(users: u32, think_ns: f64, work_ns: f64) -> (f64, f64) {
    let config = Config {
        max_num_seqs: 1,
        async_scheduling: false,
        block_size: 1,
        max_num_scheduled_tokens: 1 << 20,
        ..Config::new(100_000_000)
    };
    let step_time = StepTime {
        base_ps: 1,
        prefill_ps: (TOKEN_NS * 1000.0) as u64,
        decode_ps: (TOKEN_NS * 1000.0) as u64,
        kv_ps: 0,
        pair_ps: 0,
    };
    let cluster = Cluster {
        tool_workers: (work_ns > 0.0).then_some(1),
        ..Cluster::new(config, step_time)
    };
    let rates: Vec<f64> = (0..REPLICATIONS)
        .map(|seed| {
            let work = Users {
                seed,
                users,
                think_ns,
                work_ns,
            };
            let (outcome, turns) = simulate(&work, &cluster);
            assert_eq!(outcome.finished, work.sessions());
            // While everybody is there, and after a tenth of it.
            let over = |user: u32| {
                let mut own = turns.iter().filter(|turn| turn.session % users == user);
                own.next_back().expect("each user says something").last_ns
            };
            let end = (0..users).map(over).min().expect("there are users");
            let begin = end / 10;
            let within = turns
                .iter()
                .filter(|turn| (begin..end).contains(&turn.last_ns));
            within.count() as f64 / (end - begin) as f64 * 1e9
        })
        .collect();
    let mean = rates.iter().sum::<f64>() / REPLICATIONS as f64;
    let variance =
        rates.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / (REPLICATIONS - 1) as f64;
    (mean, (variance / REPLICATIONS as f64).sqrt())
}

/// Mean value analysis: turns a second of `users` over stations of these mean times, who think in between.
fn expected(users: u32, think_ns: f64, stations_ns: &[f64]) -> f64 {
    let mut queues = vec![0.0; stations_ns.len()];
    let mut rate = 0.0;
    for present in 1..=users {
        let times: Vec<f64> = stations_ns
            .iter()
            .zip(&queues)
            .map(|(service, queue)| service * (1.0 + queue))
            .collect();
        rate = f64::from(present) / (think_ns + times.iter().sum::<f64>());
        queues = times.iter().map(|time| rate * time).collect();
    }
    rate * 1e9
}

fn assert_agrees(users: u32, think_ns: f64, work_ns: f64) {
    // A turn's gap but the last of a session's: one in a hundred has none, nor work.
    let kept = 1.0 - 1.0 / f64::from(TURNS);
    let (mean, error) = throughput(users, think_ns, work_ns);
    let stations = [TOKENS * TOKEN_NS, work_ns * kept];
    let expected = expected(users, think_ns * kept, &stations);
    assert!(
        error < 0.006 * expected,
        "too few turns to tell: {error} of {expected}"
    );
    // Beside chance: tokens are whole, and a session's first turn follows at once.
    let allowed = T * error + 0.006 * expected;
    assert!(
        (mean - expected).abs() < allowed,
        "{users} users: {mean} ± {error}, and the formula says {expected}"
    );
}

#[test]
fn users_who_think_and_one_server() {
    for users in [1, 3, 8, 20] {
        assert_agrees(users, 20e6, 0.0);
    }
}

#[test]
fn users_who_think_one_server_and_one_processor_for_tools() {
    for users in [2, 6, 15] {
        assert_agrees(users, 10e6, 4e6);
    }
}
