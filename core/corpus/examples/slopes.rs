//! What an edit and an answer cost, and how that grows with the tree.
//!
//!     cargo run --release -p curserve-corpus --example slopes -- ROOT STATE ROUNDS
//!
//! One line of JSON: seconds to load without and with what `STATE` keeps, then for each operation the median of its
//! microseconds. ROOT gets a folder `slopes-probe`, which goes again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use curserve_corpus::{Corpus, Options};
use curserve_index::{Query, Within};

/// Names in the small folder that is edited …
const FEW: usize = 20;
/// … and in the large one.
const MANY: usize = 50_000;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The median of `rounds` times, in microseconds.
fn median(rounds: usize, mut timed: impl FnMut(usize) -> Result<Duration>) -> Result<f64> {
    let mut times = (0..rounds).map(&mut timed).collect::<Result<Vec<_>>>()?;
    times.sort_unstable();
    Ok(times[times.len() / 2].as_secs_f64() * 1e6)
}

/// How long a snapshot takes after `edit`, in microseconds. `held`: while somebody goes on with the one before.
fn after(
    corpus: &Corpus,
    rounds: usize,
    held: bool,
    mut edit: impl FnMut(usize) -> std::io::Result<()>,
) -> Result<f64> {
    median(rounds, |round| {
        let before = corpus.snapshot()?;
        let before = held.then_some(before);
        edit(round)?;
        let began = Instant::now();
        corpus.snapshot()?;
        let took = began.elapsed();
        drop(before);
        Ok(took)
    })
}

fn load(root: &Path, state: Option<&Path>) -> Result<(Corpus, f64)> {
    let began = Instant::now();
    let options = Options {
        state: state.map(Path::to_owned),
        ..Options::default()
    };
    let corpus = Corpus::load(root, options)?;
    Ok((corpus, began.elapsed().as_secs_f64()))
}

fn main() -> Result<()> {
    let usage = "slopes ROOT STATE ROUNDS";
    let mut words = std::env::args().skip(1);
    let root = PathBuf::from(words.next().ok_or(usage)?);
    let state = PathBuf::from(words.next().ok_or(usage)?);
    let rounds: usize = words.next().ok_or(usage)?.parse()?;
    let (corpus, plain_s) = load(&root, Some(&state))?;
    let began = Instant::now();
    let written = corpus.keep()?;
    let keep_s = began.elapsed().as_secs_f64();
    drop(corpus);
    let (corpus, recalled_s) = load(&root, Some(&state))?;
    let counters = corpus.counters();
    let files = counters.files_read;
    let snapshot = corpus.snapshot()?;
    let (contents, index) = snapshot.memory();
    drop(snapshot);
    let probe = root.join("slopes-probe");
    let (small, large) = (probe.join("small"), probe.join("large"));
    for (folder, count) in [(&small, FEW), (&large, MANY)] {
        fs::create_dir_all(folder)?;
        for at in 0..count {
            fs::write(folder.join(format!("f{at}")), "x\n")?;
        }
    }
    std::thread::sleep(Duration::from_millis(200));
    corpus.snapshot()?;
    let write = |folder: &Path, round: usize| fs::write(folder.join("f7"), format!("x {round}\n"));
    let make = |folder: &Path, round: usize| fs::write(folder.join(format!("g{round}")), "x\n");
    let idle = after(&corpus, rounds, false, |_| Ok(()))?;
    let written_us = after(&corpus, rounds, false, |round| write(&small, round))?;
    let held_us = after(&corpus, rounds, true, |round| write(&small, round))?;
    let made_us = after(&corpus, rounds, false, |round| make(&small, round))?;
    let large_written_us = after(&corpus, rounds, false, |round| write(&large, round))?;
    let large_made_us = after(&corpus, rounds.min(9), false, |round| make(&large, round))?;
    let snapshot = corpus.snapshot()?;
    let rare = |word: &str, below: &[u8]| {
        let query = Query::literal(word.as_bytes());
        let folder = snapshot
            .resolve(snapshot.at(), below, true)
            .map_err(|_| "no folder")?;
        median(rounds, |_| {
            let began = Instant::now();
            let found = snapshot.files_below(folder, &query, Within::Line);
            let took = began.elapsed();
            drop(found);
            Ok(took)
        })
    };
    let absent_us = rare("qqzzxxjjkk", b".")?;
    let absent_below_us = rare("qqzzxxjjkk", b"slopes-probe/small")?;
    let unwatched = corpus.counters().unwatched;
    fs::remove_dir_all(&probe)?;
    println!(
        "{{\"files\": {files}, \"unwatched\": {unwatched}, \"contents\": {contents}, \"index\": {index}, \"plain_s\": {plain_s:.3}, \
         \"written\": {written}, \"keep_s\": {keep_s:.3}, \"recalled\": {}, \"recalled_s\": {recalled_s:.3}, \
         \"idle_us\": {idle:.1}, \"write_us\": {written_us:.1}, \"write_held_us\": {held_us:.1}, \"make_us\": {made_us:.1}, \
         \"write_in_50000_us\": {large_written_us:.1}, \"make_in_50000_us\": {large_made_us:.1}, \
         \"absent_us\": {absent_us:.1}, \"absent_below_us\": {absent_below_us:.1}}}",
        counters.recalled
    );
    Ok(())
}
