//! ripgrep 15, on its own crates: the matcher, the searcher and the printers are ripgrep's; the walk, the ignore rules
//! and the choice of files come from memory.
//!
//! Parallel rg prints files in no fixed order; here they come in the file system's own.

mod lead;
mod names;
mod options;
mod pattern;
mod plain;
mod printer;
mod room;
mod search;
mod walk;
mod worker;

use curserve_corpus::{Errno, Kind};
use curserve_index::{Query, Within};

use crate::{Call, Held, Intake, Refusal, Stdin};
pub(crate) use names::TABLE;
use options::{refuse, Mode, Options, Sort};
use walk::{File, Filter};

/// `rg`.
pub(crate) fn rg(call: &mut Call<'_>) -> Result<i32, Refusal> {
    let odd = |(name, _): &(String, String)| name == "RIPGREP_CONFIG_PATH";
    if call.world.environment.iter().any(odd) {
        return refuse("a configuration file");
    }
    let options = Options::parse(call.args.get(1..).unwrap_or_default())?;
    if options.mode == Mode::TypeList {
        return type_list(call, &options);
    }
    let mut run = Run::new(call, &options)?;
    if options.mode == Mode::Files {
        return run.list();
    }
    if options.max_count == Some(0) {
        return Ok(1);
    }
    run.search()
}

/// How far `rg` with these arguments reads standard input: without a path it looks whether there is one.
pub(crate) fn intake<A: AsRef<[u8]>>(args: &[A]) -> Intake {
    match Options::parse(args) {
        Ok(options) if !options.operands.is_empty() => {
            match options.operands.iter().any(|operand| operand == b"-") {
                true => Intake::Unknown,
                false => Intake::Nothing,
            }
        }
        _ => Intake::Unknown,
    }
}

/// `--type-list`: every type that `-t` takes, with its globs.
fn type_list(call: &mut Call<'_>, options: &Options) -> Result<i32, Refusal> {
    if options.quiet || !options.types.is_empty() {
        return refuse("--type-list with flags that may change it");
    }
    for definition in ignore::types::TypesBuilder::new()
        .add_defaults()
        .definitions()
    {
        let line = format!("{}: {}\n", definition.name(), definition.globs().join(", "));
        call.out.write(line.as_bytes());
    }
    Ok(0)
}

/// What a file in the list takes, with a name of usual length, and while it is chosen.
const FILE: usize = 256;

struct Run<'r, 'c> {
    call: &'r mut Call<'c>,
    options: &'r Options,
    operands: Vec<Vec<u8>>,
    /// No path was given, and the working folder is searched.
    implicit: bool,
    with_filename: bool,
    /// The real program walks with one thread, and words its errors otherwise.
    single: bool,
    errored: bool,
    /// What the list of files takes.
    held: Held,
}

impl<'r, 'c> Run<'r, 'c> {
    fn new(call: &'r mut Call<'c>, options: &'r Options) -> Result<Self, Refusal> {
        let implicit = options.operands.is_empty();
        let piped = matches!(call.stdin, Stdin::Bytes(_) | Stdin::File(_));
        let operands = match implicit {
            false => options.operands.clone(),
            true if piped && options.mode != Mode::Files => vec![b"-".to_vec()],
            true => vec![b"./".to_vec()],
        };
        if operands.iter().filter(|operand| *operand == b"-").count() > 1 {
            return refuse("standard input twice");
        }
        let is_folder = |operand: &Vec<u8>| match call.snapshot.resolve(call.cwd, operand, true) {
            Ok(node) => Ok(node.kind() == Kind::Folder),
            Err(Errno::Outside) if operand != b"-" => {
                Err(Refusal::Outside("a path outside the root".into()))
            }
            Err(_) => Ok(false),
        };
        let is_one_file = operands.len() == 1 && (operands[0] == b"-" || !is_folder(&operands[0])?);
        let with_filename = options
            .with_filename
            .unwrap_or(options.vimgrep || !is_one_file);
        Ok(Run {
            held: call.memory.hold(0)?,
            call,
            options,
            operands,
            implicit,
            with_filename,
            single: options.sort.is_some() || is_one_file || options.threads == 1,
            errored: false,
        })
    }

    /// `--files`.
    fn list(&mut self) -> Result<i32, Refusal> {
        let mut files = self.files(&Query::All, Within::Text)?;
        let by_path = self.options.sort == Some((Sort::Path, false));
        if !by_path {
            walk::sort(&mut files, self.options.sort);
        }
        let end = if self.options.null { b'\0' } else { b'\n' };
        if !self.options.quiet {
            let mut out = Vec::new();
            for file in &files {
                out.extend_from_slice(&file.name);
                out.push(end);
            }
            self.call.out.write(&out);
        }
        self.finish(!files.is_empty())
    }

    fn complain(&mut self, text: &[u8]) {
        if !self.options.no_messages {
            self.call.complain(text);
        }
        self.errored = true;
    }

    fn finish(&self, matched: bool) -> Result<i32, Refusal> {
        if matched && self.errored && self.options.quiet && !self.options.no_messages {
            // It ends at the first match, perhaps before it comes to what is missing.
            return refuse("-q with a match and a path that is missing");
        }
        Ok(if matched && (self.options.quiet || !self.errored) {
            0
        } else if self.errored {
            2
        } else {
            1
        })
    }

    /// Whether the working folder holds anything that is searched.
    fn any_file(&self) -> Result<bool, Refusal> {
        let Ok(folder) = self.call.snapshot.resolve(self.call.cwd, b".", true) else {
            return refuse("a working folder that is not there");
        };
        let from = (self.call.cwd, &b"."[..]);
        Filter::new(self.call.snapshot, self.options, from, folder)?.passes_any(folder)
    }

    /// Every file to look at, operand by operand.
    fn files(&mut self, query: &Query, within: Within) -> Result<Vec<File<'c>>, Refusal> {
        let snapshot = self.call.snapshot;
        let mut files = Vec::new();
        self.errored = false;
        walk::check(self.options)?;
        for operand in self.operands.clone() {
            self.call.deadline.check()?;
            if operand == b"-" {
                crate::input::known_from_its_start(self.call)?;
                files.push(File::stdin(self.call.stdin.bytes().to_vec()));
                continue;
            }
            let node = match snapshot.resolve(self.call.cwd, &operand, true) {
                Ok(node) => node,
                Err(Errno::Outside) => {
                    return Err(Refusal::Outside("a path outside the root".into()))
                }
                Err(Errno::NotFound) => {
                    let shown = String::from_utf8_lossy(&operand);
                    let context = match self.single {
                        true => format!("IO error for operation on {shown}: "),
                        false => String::new(),
                    };
                    let text =
                        format!("rg: {shown}: {context}No such file or directory (os error 2)\n");
                    self.complain(text.as_bytes());
                    continue;
                }
                Err(_) => return refuse("a path that cannot be followed"),
            };
            match node.kind() {
                Kind::File => files.push(File::explicit(node, operand)),
                Kind::Folder => {
                    let from = (self.call.cwd, operand.as_slice());
                    let filter = Filter::new(snapshot, self.options, from, node)?;
                    if let Some(text) = filter.complaint(node, &operand)? {
                        if self.operands.len() > 1 {
                            return refuse("ignore rules that do not parse, and several paths");
                        }
                        // Of them, the exit status says nothing.
                        if !self.options.no_messages {
                            self.call.complain(&text);
                        }
                    }
                    let prefix = if self.implicit { Vec::new() } else { operand };
                    let start = files.len();
                    filter.files(
                        node,
                        &prefix,
                        (query, within),
                        self.call.deadline,
                        &mut files,
                    )?;
                    self.held.more((files.len() - start) * FILE)?;
                    if self.options.sort == Some((Sort::Path, false)) {
                        walk::sort(&mut files[start..], self.options.sort);
                    }
                }
                Kind::Link | Kind::Other => return refuse("a device or a FIFO"),
            }
        }
        Ok(files)
    }
}
