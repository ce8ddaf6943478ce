//! One run over its files: in batches, in parallel where that pays, reported in order.

use std::time::Instant;

use curserve_index::{Query, Within};
use grep_printer::Stats;
use rayon::prelude::*;

use super::options::{refuse, Mode, Sort};
use super::pattern::{query, Matchers};
use super::plain::Plain;
use super::printer::Printed;
use super::walk::{self, File};
use super::worker::{Outcome, Shared, Worker};
use super::Run;
use crate::memory::Pool;
use crate::{Out, Refusal};

/// So many bytes are searched by one thread: waking others takes longer.
const ALONE: usize = 256 << 10;
/// At most so many files are searched before the first of them is reported.
const BATCH: usize = 8192;
/// A longer file is searched in parts, or not at all.
const LONG: usize = 4 << 20;
/// A smaller automaton for ASCII files pays from so many files on.
const MANY: usize = 32;

/// What was found so far.
#[derive(Default)]
struct Sum {
    matched: bool,
    printed: bool,
    stats: Stats,
}

impl Run<'_, '_> {
    pub(super) fn search(&mut self) -> Result<i32, Refusal> {
        let options = self.options;
        let plain = Plain::of(options, self.call.deadline);
        let late = plain.as_ref().is_some_and(Plain::is_enough);
        let mut matchers = Matchers::new(options, late)?;
        let needs_all = options.invert
            || options.mode == Mode::WithoutMatch
            || options.include_zero
            || options.mode == Mode::Json;
        let within = match options.multiline {
            true => Within::Text,
            false => Within::Line,
        };
        let query = match needs_all {
            true => Query::All,
            false => query(options, within),
        };
        let mut files = self.files(&query, within)?;
        if options.multiline && files.iter().any(|file| file.bytes_to_search() > LONG) {
            return refuse("a long file searched across lines"); // at once, without a look at the clock
        }
        let by_path = options.sort == Some((Sort::Path, false));
        if files.is_empty() && self.implicit && (query == Query::All || !self.any_file()?) {
            return refuse("nothing to search");
        }
        if !by_path {
            walk::sort(&mut files, options.sort);
        }
        let started = Instant::now();
        if files.len() > MANY && !late {
            matchers.expect_many();
        }
        let shared = Shared {
            options,
            deadline: self.call.deadline,
            pool: Pool::new(self.call.memory.left() / 2),
            matchers: &matchers,
            plain,
            with_filename: self.with_filename,
            // Few explicit files, all of them there, are mapped by the real program, and searched as one slice.
            mapped: self.operands.len() <= 10
                && files.len() == self.operands.len()
                && files.iter().all(|file| file.explicit && !file.is_stdin()),
        };
        let mut sum = Sum::default();
        self.batches(&files, &shared, &mut sum)?;
        if options.mode == Mode::Json {
            self.summarize(started, &sum.stats);
        }
        self.finish(sum.matched)
    }

    /// Searches `files` until that is enough; the first batches are small where little may be.
    fn batches(
        &mut self,
        files: &[File<'_>],
        shared: &Shared<'_>,
        sum: &mut Sum,
    ) -> Result<(), Refusal> {
        let quiet = self.options.quiet;
        let mut size = match self.call.out.is_limited() || quiet {
            true => 16,
            false => BATCH,
        };
        let enough = |out: &Out, matched: bool| out.full() || (quiet && matched);
        let mut rest = files;
        while !rest.is_empty() && !enough(self.call.out, sum.matched) {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            size = (size * 4).min(BATCH);
            // What was gathered before has been written, or dropped.
            shared.pool.refill(self.call.memory.left() / 2);
            let outcomes = outcomes(batch, shared);
            self.call
                .out
                .expect(outcomes.iter().map(Outcome::len).sum());
            for (file, outcome) in batch.iter().zip(outcomes) {
                self.report(file, outcome, sum)?;
                if sum.matched && quiet {
                    break;
                }
            }
        }
        Ok(())
    }

    fn report(&mut self, file: &File<'_>, outcome: Outcome, sum: &mut Sum) -> Result<(), Refusal> {
        let Printed {
            out,
            has_match,
            stats,
        } = match outcome {
            Outcome::Done(printed) => printed,
            Outcome::Failed(errno) => {
                let error = std::io::Error::from_raw_os_error(errno).to_string();
                let text = [
                    b"rg: ",
                    file.name.as_slice(),
                    b": ",
                    error.as_bytes(),
                    b"\n",
                ];
                self.complain(&text.concat());
                return Ok(());
            }
            Outcome::Unknown => {
                return Err(Refusal::NotInMemory("a file that is not in memory".into()))
            }
            Outcome::Late => return Err(Refusal::OutOfTime("out of time".into())),
            Outcome::TooLong => {
                return Err(Refusal::TooLarge(
                    "rg: more output than a call may hold".into(),
                ))
            }
        };
        sum.matched |= has_match;
        sum.stats += &stats;
        let separator = match self.options.mode {
            Mode::Lines if self.options.context() != (0, 0) => self.options.separator.as_ref(),
            _ => None,
        };
        if let Some(separator) = separator {
            if sum.printed && !out.is_empty() {
                self.call.out.write(separator);
                self.call.out.write(b"\n");
            }
            // In order, the real program writes the separator with a file's first line, and a message about a binary
            // file is none.
            if self.options.sort.is_some() && says_binary(&out) {
                return refuse("context around a binary file, in order");
            }
        }
        sum.printed |= !out.is_empty();
        self.call.out.write(&out);
        Ok(())
    }

    fn summarize(&mut self, started: Instant, stats: &Stats) {
        let elapsed = started.elapsed();
        let summary = serde_json::json!({
            "type": "summary",
            "data": {
                "stats": stats,
                "elapsed_total": {
                    "secs": elapsed.as_secs(),
                    "nanos": elapsed.subsec_nanos(),
                    "human": format!("{:0.6}s", elapsed.as_secs_f64()),
                },
            }
        });
        self.call.out.write(format!("{summary}\n").as_bytes());
    }
}

fn outcomes(batch: &[File<'_>], shared: &Shared<'_>) -> Vec<Outcome> {
    let bytes = || batch.iter().map(File::bytes_to_search).sum::<usize>();
    let small = batch.len() <= 3 || (batch.len() < 256 && bytes() < ALONE);
    let worker = || Worker::new(shared);
    match small {
        true => {
            let mut worker = worker();
            batch.iter().map(|file| worker.search(file)).collect()
        }
        false => batch
            .par_iter()
            .with_min_len(4)
            .map_init(worker, |worker, file| worker.search(file))
            .collect(),
    }
}

/// Whether what was printed about a file says that it is binary.
fn says_binary(out: &[u8]) -> bool {
    memchr::memmem::find(out, b"binary file matches (found ").is_some()
}
