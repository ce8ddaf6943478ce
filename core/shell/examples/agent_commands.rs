//! Commands as agents write them, on odd trees, each answered here and by the real shell and programs:
//!
//!     cargo run --release -p curserve-shell --example agent_commands -- COMMANDS SEED
//!
//! Every answer must be equal to the real one in output, messages and exit code; a refusal counts as none. Differences go to
//! standard error, each in the shortest form that still differs; the counts, with the reasons of refusals, are a line of JSON.
//! Exit code 1 after a difference.

#[path = "../tests/agents/mod.rs"]
mod agents;
#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::BTreeMap;

use agents::{Agent, Generator, Tree};
use common::Place;

/// Commands on one tree.
const PER_TREE: u64 = 60;

fn main() {
    let mut words = std::env::args().skip(1);
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
    let (Some(commands), Some(seed)) = (number(), number()) else {
        panic!("agent_commands COMMANDS SEED");
    };
    let mut random = Generator::new(seed);
    let (mut answered, mut wrong, mut done) = (0u64, 0u64, 0u64);
    let mut refused: BTreeMap<String, u64> = BTreeMap::new();
    while done < commands {
        let mut tree = Tree::default();
        let place = Place::new(|root| tree = Tree::write(root, &mut random));
        for _ in 0..PER_TREE.min(commands - done) {
            done += 1;
            let command = Agent::new(&mut random, &tree).command();
            if let Err(refusal) = place.ours(&command) {
                *refused.entry(reason(&refusal.to_string())).or_default() += 1;
                continue;
            }
            answered += 1;
            // A race of two programs is none of ours: what differs does so twice.
            if place.difference(&command).is_none() || place.difference(&command).is_none() {
                continue;
            }
            wrong += 1;
            let least = place.shortened(&command);
            eprintln!(
                "seed {seed}: {}",
                place.difference(&least).unwrap_or(command)
            );
        }
    }
    let counts = serde_json::json!({
        "seed": seed, "commands": done, "answered": answered, "wrong": wrong, "refused": refused,
    });
    println!("{counts}");
    std::process::exit(i32::from(wrong > 0));
}

/// A reason without what names this one command: a path, a number.
fn reason(text: &str) -> String {
    let short = match text.split_once(": ") {
        Some((before, _)) if before.ends_with("root") || before.starts_with("a version") => before,
        _ => text,
    };
    short
        .chars()
        .map(|c| if c.is_ascii_digit() { 'N' } else { c })
        .take(100)
        .collect()
}
