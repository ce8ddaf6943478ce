//! What a watch for each file costs: a tree is loaded with them and without, in turns.
//!
//!     cargo run --release -p curserve-corpus --example watch_price -- ROOT ROUNDS
//!
//! Each round is a line of JSON for each of the two: seconds to load, microseconds of a snapshot where nothing has happened
//! (without watches each file is looked at), how many files are looked at, and by how much the kernel's own memory
//! grew meanwhile, which other processes change as well.

use std::path::Path;
use std::time::{Duration, Instant};

use curserve_corpus::{Corpus, Options};

/// Snapshots of which the median is taken.
const SNAPSHOTS: usize = 51;

/// Kilobytes that the kernel holds and cannot give back, for all processes.
fn kernel_kb() -> Option<i64> {
    let table = std::fs::read_to_string("/proc/meminfo").ok()?;
    let mut rows = table.lines();
    let row = rows.find_map(|row| row.strip_prefix("SUnreclaim:"))?;
    row.trim().strip_suffix(" kB")?.parse().ok()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usage = "watch_price ROOT ROUNDS";
    let mut words = std::env::args().skip(1);
    let root = words.next().ok_or(usage)?;
    let rounds: usize = words.next().ok_or(usage)?.parse()?;
    for _ in 0..rounds {
        for watches in [None, Some(0)] {
            let before = kernel_kb();
            let began = Instant::now();
            let options = Options {
                watches,
                ..Options::default()
            };
            let corpus = Corpus::load(Path::new(&root), options)?;
            let load = began.elapsed();
            let after = kernel_kb();
            let mut times = Vec::with_capacity(SNAPSHOTS);
            for _ in 0..SNAPSHOTS {
                let began = Instant::now();
                corpus.snapshot()?;
                times.push(began.elapsed());
            }
            let grown = before
                .zip(after)
                .map_or(0, |(before, after)| after - before);
            println!(
                "{{\"each_file\": {}, \"load_s\": {:.4}, \"snapshot_us\": {:.1}, \"looked_at\": {}, \"kernel_kb\": {grown}}}",
                watches.is_none(),
                load.as_secs_f64(),
                median(times).as_secs_f64() * 1e6,
                corpus.counters().unwatched,
            );
        }
    }
    Ok(())
}
