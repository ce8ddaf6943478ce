//! Commands as agents write them, on odd trees, against the real shell and programs: equal, or refused.

mod agents;
mod common;

use agents::{Agent, Generator, Tree};
use common::Place;

/// Commands on one tree.
const PER_TREE: u64 = 60;

/// As many commands as CURSERVE_CASES says, from the seed that CI gives, or from the clock.
#[test]
fn commands_are_answered_as_the_real_programs_answer() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases: u64 = number("CURSERVE_CASES").unwrap_or(900);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock past 1970").as_nanos() as u64
    });
    let mut random = Generator::new(seed);
    let (mut answered, mut wrong) = (0, Vec::new());
    for _ in 0..cases / PER_TREE {
        let mut tree = Tree::default();
        let place = Place::new(|root| tree = Tree::write(root, &mut random));
        for _ in 0..PER_TREE {
            let command = Agent::new(&mut random, &tree).command();
            answered += u64::from(place.ours(&command).is_ok());
            // A race of two programs is none of ours: what differs does so twice.
            if place.difference(&command).is_some() {
                wrong.extend(place.difference(&command));
            }
        }
    }
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    assert!(
        answered > cases / 3,
        "seed {seed}: {answered} of {cases} answered"
    );
}
