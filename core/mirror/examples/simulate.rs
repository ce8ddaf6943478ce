//! `simulate WORLDS OPERATIONS [FIRST_SEED]`: the proof that nothing is lost, as one line of JSON.

#[path = "../simulation/mod.rs"]
mod simulation;

use simulation::{Tally, World};

fn main() {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .map(|number| number.parse().expect("a number"))
        .collect();
    let [worlds, operations] = numbers[..2] else {
        panic!("usage: simulate WORLDS OPERATIONS [FIRST_SEED]");
    };
    let first = numbers.get(2).copied().unwrap_or(0);
    let mut all = Tally::default();
    let mut failed = Vec::new();
    for seed in first..first + worlds {
        match std::panic::catch_unwind(|| World::run(seed, operations as usize)) {
            Ok(tally) => all += tally,
            Err(_) => failed.push(seed),
        }
    }
    println!(
        "{{\"worlds\": {worlds}, \"operations\": {}, \"first_seed\": {first}, \"versions\": {}, \"cuts\": {}, \"kills\": {}, \
         \"disk_faults\": {}, \"overflows\": {}, \"conflicts\": {}, \"bursts\": {}, \"answers_audited\": {}, \
         \"of_them_around_bursts\": {}, \"sent_home\": {}, \
         \"messages\": {}, \"bytes\": {}}}",
        all.users + all.agents,
        all.versions,
        all.cuts,
        all.kills,
        all.faults,
        all.overflows,
        all.conflicts,
        all.bursts,
        all.answers,
        all.whole,
        all.homes,
        all.messages,
        all.bytes
    );
    if !failed.is_empty() {
        eprintln!("{} worlds failed: {failed:?}", failed.len());
        std::process::exit(1);
    }
}
