//! One run over its operands: standard input, files, and folders with all that is below them.

use curserve_corpus::{Chosen, Content, Errno, Kind, Lookup, Node, Unreadable};
use rayon::prelude::*;

use super::account::{Account, Shown};
use super::errors::refuse;
use super::globs::Globs;
use super::matcher::Pattern;
use super::operands::Silent;
use super::options::{Folders, Glob, Options};
use super::search::{search, Text};
use super::walk::{Job, Walk};
use crate::memory::Pool;
use crate::{input, Call, Deadline, Reason, Refusal, Stdin};

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
        excludes: Globs::new(&options.files)?,
        exclude_dirs: Globs::new(&folder_globs)?,
        with_name: match options.with_filename {
            Some(given) => Some(given),
            None if operands.len() > 1 => Some(true),
            None if options.folders == Folders::Recurse => None,
            None => Some(false),
        },
        bare: false,
        silent: Silent::of(call.snapshot, pattern, options, operands.len()),
        lookup: Lookup::new(call.snapshot, call.cwd),
        pool: Pool::new(call.memory.left()),
        account: Account::new(call, options),
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
        if run.account.done {
            break;
        }
    }
    Ok(run.account.code())
}

struct Run<'g, 'c> {
    options: &'g Options,
    pattern: &'g Pattern,
    excludes: Globs,
    exclude_dirs: Globs,
    /// None: the first operand decides, a folder means yes.
    with_name: Option<bool>,
    /// No operand was given: names have no `./`.
    bare: bool,
    silent: Silent<'c>,
    lookup: Lookup<'c>,
    /// What the lines of the files that are searched together may take.
    pool: Pool,
    account: Account<'g, 'c>,
}

impl<'c> Run<'_, 'c> {
    fn operand(&mut self, operand: &[u8]) -> Result<(), Refusal> {
        if operand == b"-" {
            input::known_from_its_start(self.account.call)?;
            let bytes = match self.account.call.stdin {
                Stdin::DevNull => Vec::new(),
                Stdin::Bytes(bytes) | Stdin::File(bytes) => bytes.to_vec(),
            };
            return self.text(bytes, STDIN);
        }
        // Given to have names printed: `xargs grep x /dev/null`.
        if operand == b"/dev/null" {
            return match self.excludes.leave_out_operand(operand)? {
                true => Ok(()),
                false => self.text(Vec::new(), operand),
            };
        }
        let node = match self.lookup.resolve(operand, true) {
            Ok(node) => node,
            Err(Errno::Outside) => return Err(Refusal::Outside("a path outside the root".into())),
            Err(errno) => {
                self.account.fail(operand, Reason::of(errno, operand)?);
                return Ok(());
            }
        };
        let is_folder = node.kind() == Kind::Folder;
        let left_out = match is_folder {
            false => self.excludes.leave_out_operand(operand)?,
            true if self.options.folders == Folders::Skip => true,
            true => !self.bare && self.exclude_dirs.leave_out_operand(operand)?,
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
                self.account.fail(operand, Reason::IS_DIRECTORY);
                self.account.file(operand, with_name, &Shown::default());
            }
            (false, _) => {
                let file = Chosen { node, parts: None };
                let deadline = self.account.call.deadline;
                match search_node(
                    self.pattern,
                    self.options,
                    &file,
                    operand,
                    with_name,
                    deadline,
                    &self.pool,
                )? {
                    Ok(found) => self.account.file(operand, with_name, &found),
                    Err(reason) => self.account.fail(operand, reason),
                }
            }
        }
        Ok(())
    }

    /// Searches what is no file of the workspace.
    fn text(&mut self, bytes: Vec<u8>, name: &[u8]) -> Result<(), Refusal> {
        let with_name = *self.with_name.get_or_insert(false);
        let content = Content::owned(bytes);
        let text = Text {
            content: &content,
            name,
            with_name,
            parts: None,
            deadline: self.account.call.deadline,
            pool: &self.pool,
        };
        let found = search(self.pattern, self.options, text)?;
        self.account.file(name, with_name, &found);
        Ok(())
    }

    /// Searches all below a folder, in batches that grow, in parallel, reporting in order.
    fn folder(&mut self, folder: Node<'c>, operand: &[u8], with_name: bool) -> Result<(), Refusal> {
        let jobs = Walk {
            snapshot: self.account.call.snapshot,
            options: self.options,
            pattern: self.pattern,
            excludes: &self.excludes,
            exclude_dirs: &self.exclude_dirs,
            bare: self.bare,
        }
        .jobs(folder, operand)?;
        let (pattern, options, pool) = (self.pattern, self.options, self.pool.clone());
        let deadline = self.account.call.deadline;
        let work = |job: &Job<'_>| match job {
            Job::File(file, name) => deadline.check().and_then(|()| {
                search_node(pattern, options, file, name, with_name, deadline, &pool)
            }),
            Job::Error(_, reason) => Ok(Err(*reason)),
            Job::Warning(..) => Ok(Ok(Shown::default())),
        };
        // A reader of few lines is served file by file first, and never far ahead.
        let wants_little = self.account.call.out.is_limited() || options.quiet;
        let mut rest = jobs.as_slice();
        let mut size = if wants_little { 0 } else { 4096 };
        while !rest.is_empty() && !self.account.done {
            let little = little(rest);
            let (batch, after) = rest.split_at(match size {
                0 => little.max(1),
                size => size.min(rest.len()),
            });
            rest = after;
            size = (size * 2).clamp(64, 4096);
            self.pool.refill(self.account.call.memory.left());
            if batch.len() <= little.max(1) {
                self.say(batch.iter().map(|job| (job, work(job))), with_name)?;
            } else {
                let results: Vec<_> = batch.par_iter().with_max_len(16).map(work).collect();
                self.say(batch.iter().zip(results), with_name)?;
            }
        }
        Ok(())
    }

    /// Reports what came of jobs, in order, until nobody wants more.
    fn say<'j>(
        &mut self,
        outcomes: impl Iterator<Item = (&'j Job<'c>, Outcome)>,
        with_name: bool,
    ) -> Result<(), Refusal>
    where
        'c: 'j,
    {
        for (job, outcome) in outcomes {
            match (job, outcome?) {
                (Job::Warning(name, message), _) => self.account.warn(name, message),
                (Job::File(_, name) | Job::Error(name, _), Err(reason)) => {
                    self.account.fail(name, reason);
                }
                (Job::File(_, name) | Job::Error(name, _), Ok(found)) => {
                    self.account.file(name, with_name, &found);
                }
            }
            if self.account.done {
                break;
            }
        }
        Ok(())
    }
}

/// What a search gave, or why the file cannot be read.
type Outcome = Result<Result<Shown, Reason>, Refusal>;

/// How many of the jobs one thread does before others have woken up and made states of the automaton for themselves.
fn little(jobs: &[Job<'_>]) -> usize {
    const BYTES: usize = 512 << 10;
    let mut sum = 0;
    let length = |job: &Job<'_>| match job {
        Job::File(file, _) => match &file.parts {
            Some(parts) => parts.iter().map(ExactSizeIterator::len).sum(),
            None => file.node.bytes().map_or(0, |bytes| bytes.len()),
        },
        _ => 0,
    };
    let fits = |job: &&Job<'_>| {
        sum += length(job);
        sum <= BYTES
    };
    jobs.iter().take_while(fits).count()
}

fn search_node(
    pattern: &Pattern,
    options: &Options,
    file: &Chosen<'_>,
    name: &[u8],
    with_name: bool,
    deadline: Deadline,
    pool: &Pool,
) -> Outcome {
    match file.node.bytes() {
        Ok(content) => {
            let text = Text {
                content,
                name,
                with_name,
                parts: file.parts.as_deref(),
                deadline,
                pool,
            };
            search(pattern, options, text).map(Ok)
        }
        Err(Unreadable::Errno(errno)) => Ok(Err(Reason(errno))),
        Err(_) => Err(Refusal::NotInMemory("a file that is not in memory".into())),
    }
}
