//! Generated lines of shell on a small tree, each answered here and by the real `bash -c`.
//!
//!     cargo run --release -p curserve-shell --example lines -- CASES SEED [--reasons]
//!
//! Every answer must be equal to the real one in output, messages and exit code; a refusal counts as none. A difference
//! is shown in the shortest form that still differs. `--reasons` counts the refusals by their reason. Exit code 1
//! after a difference.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/lines/mod.rs"]
mod lines;

use std::collections::BTreeMap;

use common::{fill, Place};
use lines::Lines;

fn main() {
    let mut words = std::env::args().skip(1);
    let usage = "lines CASES SEED [--reasons]";
    let mut number = || {
        words
            .next()
            .and_then(|n| n.parse::<u64>().ok())
            .expect(usage)
    };
    let (cases, seed) = (number(), number());
    let tell = words.next().is_some();
    let place = Place::new(fill);
    let mut lines = Lines::new(seed);
    let (mut answered, mut refused, mut wrong) = (0u64, 0u64, 0u64);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for _ in 0..cases {
        let line = lines.line();
        match place.ours(&line) {
            Ok(_) => answered += 1,
            Err(refusal) => {
                refused += 1;
                *reasons.entry(refusal.to_string()).or_default() += 1;
                continue;
            }
        }
        // A race of two programs is none of ours: what differs does so twice.
        if place.difference(&line).is_none() || place.difference(&line).is_none() {
            continue;
        }
        wrong += 1;
        let least = place.shortened(&line);
        println!("{}", place.difference(&least).unwrap_or(line));
    }
    if tell {
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.1));
        for (reason, count) in reasons.iter().take(80) {
            println!("{count:7}  {reason}");
        }
    }
    println!("seed {seed}: {answered} answered, {refused} refused, {wrong} wrong");
    std::process::exit(i32::from(wrong > 0));
}
