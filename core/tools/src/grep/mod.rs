//! GNU grep 3.8, to the byte: `grep`, `egrep`, `fgrep`.

mod ctype;
mod exclude;
mod matcher;
mod options;
mod search;
mod syntax;
mod walk;

pub(crate) use ctype::folds_alike;
pub(crate) use search::push_number;

use curserve_corpus::{Content, Errno, Kind, Node, Unreadable};
use rayon::prelude::*;

use crate::{Call, Refusal, Stdin};
use exclude::Excludes;
use matcher::Pattern;
use options::{refuse, Folders, List, Matcher, Options, Source};
use search::Found;
use walk::Job;

/// `grep`.
pub(crate) fn grep(call: &mut Call<'_>) -> Result<i32, Refusal> {
    run(call, None)
}

/// `egrep`, which is `grep -E`.
pub(crate) fn egrep(call: &mut Call<'_>) -> Result<i32, Refusal> {
    run(call, Some(Matcher::Extended))
}

/// `fgrep`, which is `grep -F`.
pub(crate) fn fgrep(call: &mut Call<'_>) -> Result<i32, Refusal> {
    run(call, Some(Matcher::Fixed))
}

fn run(call: &mut Call<'_>, matcher: Option<Matcher>) -> Result<i32, Refusal> {
    let odd = |(name, value): &(String, String)| match name.as_str() {
        "LC_ALL" => value != "C.UTF-8",
        "GREP_COLOR" | "GREP_COLORS" | "GREP_OPTIONS" | "POSIXLY_CORRECT" => true,
        _ => false,
    };
    if call.world.environment.iter().any(odd) {
        return refuse("a locale or a variable that is not pinned");
    }
    let mut options = Options::parse(call.args.get(1..).unwrap_or_default(), matcher)?;
    let patterns = match patterns(call, &options)? {
        Ok(patterns) => patterns,
        Err(code) => return Ok(code),
    };
    let patterns = patterns.unwrap_or_else(|| {
        // No pattern at all (an empty -f file) matches nothing.
        options.invert = !options.invert;
        options.whole_lines = false;
        options.words = false;
        Vec::new()
    });
    // GNU grep drops repeated patterns first, so several empty ones are one empty pattern.
    let empty = patterns.iter().all(|byte| *byte == b'\n');
    let plain_empty = empty && !options.whole_lines && !options.words;
    if (options.max_count == 0 || (plain_empty && options.invert))
        && options.list != List::NonMatching
    {
        return Ok(1);
    }
    let pattern = Pattern::new(&patterns, &options)?;
    let excludes = Excludes::new(&options.files)?;
    let folder_globs: Vec<_> = options
        .exclude_dirs
        .iter()
        .map(|pattern| options::Glob {
            pattern: pattern.clone(),
            include: false,
        })
        .collect();
    let exclude_dirs = Excludes::new(&folder_globs)?;
    let operands = std::mem::take(&mut options.operands);
    let with_name = match options.with_filename {
        Some(given) => Some(given),
        None if operands.len() > 1 => Some(true),
        None if options.folders == Folders::Recurse => None,
        None => Some(false),
    };
    let mut grep = Grep {
        call,
        options: &options,
        pattern: &pattern,
        excludes,
        exclude_dirs,
        with_name,
        bare: false,
        used: false,
        selected: false,
        failed: false,
        done: false,
    };
    let operands = match (operands.is_empty(), options.folders) {
        (false, _) => operands,
        (true, Folders::Recurse) => {
            grep.bare = true;
            vec![b".".to_vec()]
        }
        (true, _) => vec![b"-".to_vec()],
    };
    if operands.iter().filter(|operand| *operand == b"-").count() > 1 {
        return refuse("standard input twice");
    }
    for operand in &operands {
        grep.operand(operand)?;
        if grep.done {
            return Ok(0);
        }
    }
    Ok(if grep.failed {
        2
    } else {
        i32::from(!grep.selected)
    })
}

/// All patterns, joined by newlines; None where there are none. Err: the exit code after an unreadable `-f`.
fn patterns(
    call: &mut Call<'_>,
    options: &Options,
) -> Result<Result<Option<Vec<u8>>, i32>, Refusal> {
    let mut keys = Vec::new();
    for source in &options.sources {
        match source {
            Source::Given(pattern) => {
                keys.extend_from_slice(pattern);
                keys.push(b'\n');
            }
            Source::File(path) if path == b"-" => return refuse("patterns from standard input"),
            Source::File(path) => {
                let bytes = match call.snapshot.resolve(call.cwd, path, true) {
                    Ok(node) if node.kind() == Kind::File => match node.bytes() {
                        Ok(bytes) => Ok(bytes),
                        Err(Unreadable::Errno(errno)) => Err(strerror(errno)),
                        Err(_) => return refuse("a pattern file that is not in memory"),
                    },
                    Ok(_) => return refuse("patterns from what is no file"),
                    Err(Errno::Outside) => return refuse("patterns from outside the root"),
                    Err(errno) => Err(errno.to_string()),
                };
                match bytes {
                    Ok(bytes) => {
                        keys.extend_from_slice(bytes);
                        if !bytes.is_empty() && !bytes.ends_with(b"\n") {
                            keys.push(b'\n');
                        }
                    }
                    Err(message) => {
                        call.complain(
                            &[b"grep: ", path.as_slice(), b": ", message.as_bytes(), b"\n"]
                                .concat(),
                        );
                        return Ok(Err(2));
                    }
                }
            }
        }
    }
    Ok(Ok(keys.pop().map(|_| keys)))
}

/// The system's words for an error number.
fn strerror(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_string()
}

/// One run over its operands.
struct Grep<'g, 'c> {
    call: &'g mut Call<'c>,
    options: &'g Options,
    pattern: &'g Pattern,
    excludes: Excludes,
    exclude_dirs: Excludes,
    /// None: the first operand decides, a folder means yes.
    with_name: Option<bool>,
    /// No operand was given: names have no `./`.
    bare: bool,
    used: bool,
    selected: bool,
    failed: bool,
    /// `-q` has found a line, or nobody reads on.
    done: bool,
}

impl<'c> Grep<'_, 'c> {
    fn operand(&mut self, operand: &[u8]) -> Result<(), Refusal> {
        if operand == b"-" {
            let bytes = match self.call.stdin {
                Stdin::DevNull => Vec::new(),
                Stdin::Bytes(bytes) | Stdin::File(bytes) => bytes.to_vec(),
            };
            let with_name = *self.with_name.get_or_insert(false);
            let found = search::search(
                self.pattern,
                self.options,
                &Content::owned(bytes),
                STDIN,
                with_name,
                Vec::new(),
            )?;
            self.report(STDIN, found);
            return Ok(());
        }
        let snapshot = self.call.snapshot;
        let node = match snapshot.resolve(self.call.cwd, operand, true) {
            Ok(node) => node,
            Err(Errno::Outside) => return refuse("a path outside the root"),
            Err(errno) => {
                self.complain(operand, &errno.to_string());
                return Ok(());
            }
        };
        let is_folder = node.kind() == Kind::Folder;
        let left_out = match is_folder {
            false => self.excludes.excludes_operand(operand),
            true if self.options.folders == Folders::Skip => true,
            true => !self.bare && self.exclude_dirs.excludes_operand(operand),
        };
        match node.kind() {
            Kind::Other | Kind::Link => return refuse("a device or a FIFO"),
            Kind::Folder if node.entries().is_err() => {
                return refuse("a folder that cannot be read")
            }
            _ if left_out => return Ok(()),
            _ => {}
        }
        let with_name = *self.with_name.get_or_insert(is_folder);
        match (is_folder, self.options.folders) {
            (true, Folders::Recurse) => self.folder(node, operand),
            (true, _) => {
                self.complain(operand, "Is a directory");
                self.report(operand, Found::default());
                Ok(())
            }
            (false, _) => {
                let found = self.file(node, operand, with_name)?;
                match found {
                    Ok(found) => self.report(operand, found),
                    Err(message) => self.complain(operand, &message),
                }
                Ok(())
            }
        }
    }

    fn file(
        &self,
        node: Node<'_>,
        name: &[u8],
        with_name: bool,
    ) -> Result<Result<Found, String>, Refusal> {
        search_node(self.pattern, self.options, node, name, with_name)
    }

    /// Searches all below a folder, in batches that grow, in parallel, reporting in order.
    fn folder(&mut self, folder: Node<'c>, operand: &[u8]) -> Result<(), Refusal> {
        let with_name = self.with_name.unwrap_or(true);
        let jobs = walk::Walk {
            snapshot: self.call.snapshot,
            options: self.options,
            pattern: self.pattern,
            excludes: &self.excludes,
            exclude_dirs: &self.exclude_dirs,
            bare: self.bare,
        }
        .jobs(folder, operand)?;
        let (pattern, options) = (self.pattern, self.options);
        let mut rest = jobs.as_slice();
        let mut size = if self.call.out.lines_left().is_some() || options.quiet {
            16
        } else {
            4096
        };
        while !rest.is_empty() && !self.done {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            size = (size * 4).min(4096);
            let work = |job: &Job<'_>| match job {
                Job::File(node, name) => search_node(pattern, options, *node, name, with_name),
                Job::Error(_, message) => Ok(Err(message.clone())),
                Job::Warning(..) => Ok(Ok(Found::default())),
            };
            let results: Vec<_> = match is_little(batch) {
                true => batch.iter().map(work).collect(),
                false => batch.par_iter().with_max_len(16).map(work).collect(),
            };
            for (job, result) in batch.iter().zip(results) {
                match (job, result?) {
                    (Job::Warning(name, message), _) => self.warn(name, message),
                    (Job::File(_, name) | Job::Error(name, _), Err(message)) => {
                        self.complain(name, &message)
                    }
                    (Job::File(_, name) | Job::Error(name, _), Ok(found)) => {
                        self.report(name, found)
                    }
                }
                if self.done {
                    break;
                }
            }
        }
        Ok(())
    }

    fn warn(&mut self, name: &[u8], message: &str) {
        if !self.options.no_messages {
            self.call
                .err
                .write(&[b"grep: ", name, b": ", message.as_bytes(), b"\n"].concat());
        }
    }

    fn complain(&mut self, name: &[u8], message: &str) {
        self.warn(name, message);
        self.failed = true;
    }

    /// `grepdesc` after the search: counts, names, the binary message.
    fn report(&mut self, name: &[u8], found: Found) {
        let options = self.options;
        if found.wants_separator && self.used {
            if let Some(separator) = &options.separator {
                self.call.out.write(&[separator, &b"\n"[..]].concat());
            }
        }
        self.used |= found.used;
        self.call.out.write(&found.out);
        if found.binary_message {
            self.call
                .err
                .write(&[b"grep: ", name, b": binary file matches\n"].concat());
        }
        if options.count {
            let mut line = Vec::with_capacity(name.len() + 8);
            if self.with_name == Some(true) {
                line.extend_from_slice(name);
                line.push(if options.null_names { 0 } else { b':' });
            }
            search::push_number(&mut line, found.lines);
            line.push(b'\n');
            self.call.out.write(&line);
        }
        let selected = found.lines > 0;
        self.selected |= selected;
        let listed = match options.list {
            List::Nothing => false,
            List::Matching => selected,
            List::NonMatching => !selected,
        };
        if listed {
            let end: &[u8] = if options.null_names { b"\0" } else { b"\n" };
            self.call.out.write(&[name, end].concat());
        }
        self.done |= options.quiet && selected || self.call.out.full();
    }
}

/// Whether the pattern selects this one line, for fuzzers.
///
/// # Panics
/// If the index would not have looked at a text that matches.
pub(crate) fn selects(
    pattern: &str,
    extended: bool,
    fold: bool,
    text: &[u8],
) -> Result<bool, Refusal> {
    let flags = [
        if extended { "-E" } else { "-G" },
        if fold { "-i" } else { "-s" },
    ];
    let words: Vec<Vec<u8>> = [flags[0], flags[1], "-e", pattern]
        .map(|word| word.as_bytes().to_vec())
        .into();
    let options = Options::parse(&words, None)?;
    let compiled = Pattern::new(pattern.as_bytes(), &options)?;
    compiled.check(text, text.is_ascii())?;
    let found = compiled.find(text, 0).is_some();
    let grams = curserve_index::Grams::of(text);
    assert!(
        !found
            || curserve_index::Query::of(compiled.hir(), curserve_index::Within::Line)
                .admits(&grams),
        "the index leaves out {text:?} for {pattern:?}"
    );
    Ok(found)
}

const STDIN: &[u8] = b"(standard input)";

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
) -> Result<Result<Found, String>, Refusal> {
    match node.bytes() {
        Ok(content) => {
            search::search(pattern, options, content, name, with_name, Vec::new()).map(Ok)
        }
        Err(Unreadable::Errno(errno)) => Ok(Err(strerror(errno))),
        Err(_) => refuse("a file that is not in memory"),
    }
}
