//! One run over its operands: standard input, files, and folders with all that is below them.

use curserve_corpus::{Content, Errno, Kind, Lookup, Node, Unreadable};
use rayon::prelude::*;

use super::errors::{refuse, strerror};
use super::exclude::Excludes;
use super::matcher::Pattern;
use super::operands::Silent;
use super::options::{Folders, Glob, Options};
use super::printer::Found;
use super::report::Report;
use super::search::search;
use super::walk::{Job, Walk};
use crate::{Call, Deadline, Refusal, Stdin};

const STDIN: &[u8] = b"(standard input)";

/// Searches `operands` for `pattern`; the exit code.
pub(super) fn run(
    call: &mut Call<'_>,
    options: &Options,
    pattern: &Pattern,
    operands: Vec<Vec<u8>>,
) -> Result<i32, Refusal> {
    let folder_globs: Vec<_> = options
        .exclude_dirs
        .iter()
        .map(|pattern| Glob {
            pattern: pattern.clone(),
            include: false,
        })
        .collect();
    let mut run = Run {
        options,
        pattern,
        excludes: Excludes::new(&options.files)?,
        exclude_dirs: Excludes::new(&folder_globs)?,
        with_name: match options.with_filename {
            Some(given) => Some(given),
            None if operands.len() > 1 => Some(true),
            None if options.folders == Folders::Recurse => None,
            None => Some(false),
        },
        bare: false,
        silent: Silent::of(call.snapshot, pattern, options, operands.len()),
        lookup: Lookup::new(call.snapshot, call.cwd),
        report: Report::new(call, options),
    };
    let operands = match (operands.is_empty(), options.folders) {
        (false, _) => operands,
        (true, Folders::Recurse) => {
            run.bare = true;
            vec![b".".to_vec()]
        }
        (true, _) => vec![b"-".to_vec()],
    };
    if operands.iter().filter(|operand| *operand == b"-").count() > 1 {
        return refuse("standard input twice");
    }
    for operand in &operands {
        run.operand(operand)?;
        if run.report.done {
            break;
        }
    }
    Ok(run.report.code())
}

struct Run<'g, 'c> {
    options: &'g Options,
    pattern: &'g Pattern,
    excludes: Excludes,
    exclude_dirs: Excludes,
    /// None: the first operand decides, a folder means yes.
    with_name: Option<bool>,
    /// No operand was given: names have no `./`.
    bare: bool,
    silent: Silent<'c>,
    lookup: Lookup<'c>,
    report: Report<'g, 'c>,
}

impl<'c> Run<'_, 'c> {
    fn operand(&mut self, operand: &[u8]) -> Result<(), Refusal> {
        if operand == b"-" {
            return self.stdin();
        }
        let node = match self.lookup.resolve(operand, true) {
            Ok(node) => node,
            Err(Errno::Outside) => return refuse("a path outside the root"),
            Err(errno) => {
                self.report.complain(operand, &errno.to_string());
                return Ok(());
            }
        };
        let is_folder = node.kind() == Kind::Folder;
        let left_out = match is_folder {
            false => self.excludes.excludes_operand(operand)?,
            true if self.options.folders == Folders::Skip => true,
            true => !self.bare && self.exclude_dirs.excludes_operand(operand)?,
        };
        match node.kind() {
            Kind::Other | Kind::Link => return refuse("a device or a FIFO"),
            Kind::Folder if node.entries().is_err() => {
                return refuse("a folder that cannot be read")
            }
            _ if left_out || self.silent.has(node) => return Ok(()),
            _ => {}
        }
        let with_name = *self.with_name.get_or_insert(is_folder);
        match (is_folder, self.options.folders) {
            (true, Folders::Recurse) => self.folder(node, operand, with_name)?,
            (true, _) => {
                self.report.complain(operand, "Is a directory");
                self.report.found(operand, with_name, &Found::default());
            }
            (false, _) => {
                let deadline = self.report.call.deadline;
                match search_node(
                    self.pattern,
                    self.options,
                    node,
                    operand,
                    with_name,
                    deadline,
                )? {
                    Ok(found) => self.report.found(operand, with_name, &found),
                    Err(message) => self.report.complain(operand, &message),
                }
            }
        }
        Ok(())
    }

    fn stdin(&mut self) -> Result<(), Refusal> {
        let bytes = match self.report.call.stdin {
            Stdin::DevNull => Vec::new(),
            Stdin::Bytes(bytes) | Stdin::File(bytes) => bytes.to_vec(),
        };
        let with_name = *self.with_name.get_or_insert(false);
        let content = Content::owned(bytes);
        let found = search(
            self.pattern,
            self.options,
            &content,
            STDIN,
            with_name,
            self.report.call.deadline,
        )?;
        self.report.found(STDIN, with_name, &found);
        Ok(())
    }

    /// Searches all below a folder, in batches that grow, in parallel, reporting in order.
    fn folder(&mut self, folder: Node<'c>, operand: &[u8], with_name: bool) -> Result<(), Refusal> {
        let jobs = Walk {
            snapshot: self.report.call.snapshot,
            options: self.options,
            pattern: self.pattern,
            excludes: &self.excludes,
            exclude_dirs: &self.exclude_dirs,
            bare: self.bare,
        }
        .jobs(folder, operand)?;
        let (pattern, options) = (self.pattern, self.options);
        let deadline = self.report.call.deadline;
        let work = |job: &Job<'_>| match job {
            Job::File(node, name) => deadline
                .check()
                .and_then(|()| search_node(pattern, options, *node, name, with_name, deadline)),
            Job::Error(_, message) => Ok(Err(message.clone())),
            Job::Warning(..) => Ok(Ok(Found::default())),
        };
        let mut rest = jobs.as_slice();
        let mut size = if self.report.call.out.lines_left().is_some() || options.quiet {
            16
        } else {
            4096
        };
        while !rest.is_empty() && !self.report.done {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            size = (size * 4).min(4096);
            let results: Vec<_> = match is_little(batch) {
                true => batch.iter().map(work).collect(),
                false => batch.par_iter().with_max_len(16).map(work).collect(),
            };
            for (job, result) in batch.iter().zip(results) {
                match (job, result?) {
                    (Job::Warning(name, message), _) => self.report.warn(name, message),
                    (Job::File(_, name) | Job::Error(name, _), Err(message)) => {
                        self.report.complain(name, &message);
                    }
                    (Job::File(_, name) | Job::Error(name, _), Ok(found)) => {
                        self.report.found(name, with_name, &found);
                    }
                }
                if self.report.done {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Whether one thread is done before others have woken up and made states of the automaton for themselves.
fn is_little(jobs: &[Job<'_>]) -> bool {
    const BYTES: usize = 512 << 10;
    let lengths = jobs.iter().map(|job| match job {
        Job::File(node, _) => node.bytes().map_or(0, |bytes| bytes.len()),
        _ => 0,
    });
    lengths.sum::<usize>() <= BYTES
}

fn search_node(
    pattern: &Pattern,
    options: &Options,
    node: Node<'_>,
    name: &[u8],
    with_name: bool,
    deadline: Deadline,
) -> Result<Result<Found, String>, Refusal> {
    match node.bytes() {
        Ok(content) => search(pattern, options, content, name, with_name, deadline).map(Ok),
        Err(Unreadable::Errno(errno)) => Ok(Err(strerror(errno))),
        Err(_) => refuse("a file that is not in memory"),
    }
}
