//! A quick sample of the simulation: `cargo run --release -p curserve-mirror --example simulate -- 1000 100` is the proof.

#[path = "../simulation/mod.rs"]
mod simulation;

use simulation::{Tally, World};

/// `CURSERVE_SEED` plays that world alone.
#[test]
fn both_sides_come_to_be_the_same_and_nothing_is_lost() {
    if let Ok(seed) = std::env::var("CURSERVE_SEED") {
        let tally = World::run(seed.parse().expect("a number"), 100);
        println!("{tally:?}");
        return;
    }
    let mut all = Tally::default();
    for seed in 0..200 {
        all += World::run(seed, 100);
    }
    println!("{all:?}");
    // The worlds are not as empty as they would have to be to pass by themselves.
    assert!(all.users > 3000 && all.agents > 3000, "{all:?}");
    assert!(
        all.cuts > 100 && all.kills > 100 && all.faults > 50,
        "{all:?}"
    );
    assert!(all.answers > 200 && all.conflicts > 50, "{all:?}");
    assert!(all.bursts > 200 && all.whole > 100, "{all:?}");
}
