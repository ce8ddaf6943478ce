//! Reads recorded workloads, one JSON object a line, and says of each whether this scheduler answers the same.
//!
//! `.venv-vllm/bin/python tests/bench/scheduling/drive.py 0 100 | cargo run --release -p curserve-sched --example compare`

#[path = "../tests/replay/mod.rs"]
mod replay;

use std::collections::BTreeSet;
use std::io::BufRead;
use std::process::ExitCode;

use curserve_sched::{RunCache, FOLLOWS};

fn main() -> ExitCode {
    let (mut same, mut other) = (0, 0);
    let mut versions = BTreeSet::new();
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("standard input is text");
        let workload: replay::Workload =
            serde_json::from_str(&line).expect("each line is a recorded workload");
        versions.insert(workload.vllm.clone());
        match replay::replay::<RunCache>(&workload) {
            Ok(()) => same += 1,
            Err(difference) => {
                other += 1;
                println!("{difference}");
            }
        }
    }
    println!(
        "{same} the same, {other} not; recorded from vLLM {versions:?}, followed is {FOLLOWS}"
    );
    let right = other == 0 && versions.iter().eq([FOLLOWS]);
    ExitCode::from(u8::from(!right))
}
