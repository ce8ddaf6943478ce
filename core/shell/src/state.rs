//! The state of a shell: variables, folder, streams, limits.

use std::rc::Rc;

use curserve_corpus::{Kind, Snapshot};
use curserve_tools::{How, Out, World, Writes};

use crate::{Answer, Limits, Refusal};

/// Where a file descriptor writes: a stream by its number, or `/dev/null`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sink {
    /// `/dev/null`.
    Null,
    /// `Shell::streams[n]`.
    Stream(usize),
}

/// What a command reads.
#[derive(Clone, Debug)]
pub enum Source {
    /// `/dev/null`.
    Null,
    /// A pipe with these bytes still to come; readers within one list share it.
    Pipe(Rc<std::cell::RefCell<Pipe>>),
    /// A file, or a here-document that is too long for a pipe.
    File(Rc<std::cell::RefCell<Pipe>>),
}

/// Bytes that are read once.
#[derive(Debug)]
pub struct Pipe {
    /// All of them.
    pub bytes: Vec<u8>,
    /// How many have been read.
    pub at: usize,
}

impl Source {
    /// A pipe that holds `bytes`.
    pub fn pipe(bytes: Vec<u8>) -> Source {
        Source::Pipe(Rc::new(Pipe { bytes, at: 0 }.into()))
    }

    /// A here-document or here-string: bash hands over a pipe as long as the text fits into one.
    pub fn here(bytes: Vec<u8>) -> Source {
        const FITS: usize = 64 << 10;
        if bytes.len() <= FITS {
            Source::pipe(bytes)
        } else {
            Source::file(bytes)
        }
    }

    /// A file that holds `bytes`.
    pub fn file(bytes: Vec<u8>) -> Source {
        Source::File(Rc::new(Pipe { bytes, at: 0 }.into()))
    }
}

/// The three file descriptors of a command.
#[derive(Clone, Debug)]
pub struct Io {
    /// Standard input.
    pub stdin: Source,
    /// Standard output.
    pub out: Sink,
    /// Standard error.
    pub err: Sink,
}

/// What a subshell copies, and loses again.
#[derive(Clone, Debug)]
pub struct Vars {
    /// Shell variables that were set here; the environment lies in the world.
    pub set: Vec<(String, Option<Vec<u8>>)>,
    /// `$PWD`.
    pub cwd: Vec<u8>,
    /// `$OLDPWD`.
    pub old_cwd: Option<Vec<u8>>,
    /// `$?`.
    pub status: i32,
}

/// A shell that runs one command line.
pub struct Shell<'s> {
    pub(crate) world: &'s World,
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) limits: Limits,
    pub(crate) vars: Vars,
    pub(crate) streams: Vec<Out>,
    pub(crate) steps: u32,
    pub(crate) depth: u32,
    /// The status of the last command substitution of the command that is being expanded.
    pub(crate) substituted: Option<i32>,
    /// Loops around the present command, for `break` and `continue`.
    pub(crate) loops: u32,
    /// The line of the present command, for messages of builtins, where it is known.
    pub(crate) line: Option<usize>,
    /// Whether that line is known.
    pub(crate) substitution: Within,
    /// Where writes to files are planned; `None` refuses them.
    pub(crate) writes: Option<&'s Writes>,
    /// Streams that go to files, with the number of the planned write.
    pub(crate) files: Vec<(usize, usize)>,
    /// Whether the shell lasts from call to call: then what an earlier call left is not known here.
    pub(crate) lasting: bool,
}

/// Where a command stands, as far as the line numbers of messages go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Within {
    /// Not in a substitution.
    Nothing,
    /// In one that is a single line: its commands have the line of the word that holds it.
    Line,
    /// In one over several lines, where bash's own count is off.
    Lines,
}

/// Numbers of the two streams that a shell starts with.
pub const STDOUT: usize = 0;
/// See [`STDOUT`].
pub const STDERR: usize = 1;

impl<'s> Shell<'s> {
    /// A fresh shell in `cwd`.
    pub fn new(
        world: &'s World,
        snapshot: &'s Snapshot,
        cwd: &[u8],
        limits: Limits,
    ) -> Result<Self, Refusal> {
        let fine = cwd.first() == Some(&b'/')
            && !cwd.ends_with(b"/")
            && !cwd
                .split(|&b| b == b'/')
                .skip(1)
                .any(|part| matches!(part, b"" | b"." | b".."));
        if !fine && cwd != b"/" {
            return Err(Refusal::new(
                "a working folder that is not a plain absolute path",
            ));
        }
        // `/` is always there; what lies in it besides the root, no tool here will tell.
        if cwd != b"/" {
            match snapshot.resolve(b"/", cwd, true) {
                Ok(node) if node.kind() != Kind::Folder => {
                    return Err(Refusal::new("a working folder that is none"))
                }
                Ok(node) if node.path() != cwd => {
                    return Err(Refusal::new(
                        "a working folder that is reached through a link",
                    ))
                }
                Ok(_) => {}
                Err(_) => return Err(Refusal::new("a working folder that is not there")),
            }
        }
        let vars = Vars {
            set: Vec::new(),
            cwd: cwd.to_vec(),
            old_cwd: None,
            status: 0,
        };
        let streams = vec![Out::new(limits.output), Out::new(limits.output)];
        Ok(Shell {
            world,
            snapshot,
            limits,
            vars,
            streams,
            steps: 0,
            depth: 0,
            substituted: None,
            loops: 0,
            line: Some(1),
            substitution: Within::Nothing,
            writes: None,
            files: Vec::new(),
            lasting: false,
        })
    }

    /// The answer at the end.
    pub fn answer(mut self, exit_code: i32) -> Result<Answer, Refusal> {
        if self.streams.iter().take(2).any(Out::overflowed) {
            return Err(Refusal::new("an answer beyond the limit of output"));
        }
        Ok(Answer {
            exit_code,
            stdout: self.take_stream(STDOUT).into_bytes(),
            stderr: self.take_stream(STDERR).into_bytes(),
        })
    }

    /// Refuses where a planned write could be seen, since the snapshot does not have it.
    pub fn unwritten(&self) -> Result<(), Refusal> {
        match self.writes {
            Some(writes) if writes.pending() => {
                Err(Refusal::new("what may depend on a file written before"))
            }
            _ => Ok(()),
        }
    }

    /// Opens a file for writing; the sink that fills it until [`Shell::finish_files`].
    pub fn open_output(&mut self, path: &[u8], append: bool) -> Result<Sink, Refusal> {
        let Some(writes) = self.writes else {
            let path = String::from_utf8_lossy(path);
            return Err(Refusal::new(format!("writes a file: {path}")));
        };
        let target = writes.target(self.snapshot, &self.vars.cwd, path)?;
        let how = match (target.there, append) {
            (None, _) => How::Create,
            (Some(_), false) => How::Truncate,
            (Some(_), true) => How::Append,
        };
        let number = writes.plan(target.path, Vec::new(), how)?;
        let stream = self.open_stream();
        self.files.push((stream, number));
        Ok(Sink::Stream(stream))
    }

    /// Closes the files opened since there were `mark` of them: the command that wrote them has ended.
    pub fn finish_files(&mut self, mark: usize) -> Result<(), Refusal> {
        while self.files.len() > mark {
            if let (Some((stream, number)), Some(writes)) = (self.files.pop(), self.writes) {
                let written = self.close_stream(stream)?;
                writes.fill(number, written.into_bytes());
            }
        }
        Ok(())
    }

    /// Takes a stream out, leaving an empty one.
    pub fn take_stream(&mut self, n: usize) -> Out {
        std::mem::replace(&mut self.streams[n], Out::new(0))
    }

    /// Opens a stream and returns its number.
    pub fn open_stream(&mut self) -> usize {
        self.streams.push(Out::new(self.limits.output));
        self.streams.len() - 1
    }

    /// Closes the stream opened last, and returns what it holds.
    pub fn close_stream(&mut self, n: usize) -> Result<Out, Refusal> {
        debug_assert_eq!(n + 1, self.streams.len());
        let out = self.streams.pop().unwrap_or_else(|| Out::new(0));
        if out.overflowed() {
            return Err(Refusal::new("a pipe beyond the limit of output"));
        }
        Ok(out)
    }

    /// Writes to a sink.
    pub fn write(&mut self, sink: Sink, bytes: &[u8]) {
        if let Sink::Stream(n) = sink {
            self.streams[n].write(bytes);
        }
    }

    /// A message of the shell itself.
    pub fn complain(&mut self, io: &Io, text: &[u8]) -> Result<(), Refusal> {
        if self.lasting && io.err != Sink::Null {
            return Err(Refusal::new("a message of a shell that lasts"));
        }
        if self.substitution == Within::Lines && io.err != Sink::Null {
            return Err(Refusal::new("a line number within a substitution"));
        }
        if self.line.is_none() && io.err != Sink::Null {
            return Err(Refusal::new(
                "a line number of a command over several lines",
            ));
        }
        let line = self.line.unwrap_or(0);
        let prefix = format!("bash: line {line}: ");
        self.write(io.err, &[prefix.as_bytes(), text, b"\n"].concat());
        Ok(())
    }

    /// Counts a command against the limit.
    pub fn step(&mut self) -> Result<(), Refusal> {
        self.steps += 1;
        if self.steps > self.limits.steps {
            return Err(Refusal::new("more commands than the limit"));
        }
        // A tool asks for itself; a loop of builtins is asked for now and then.
        match self.steps % 16 {
            0 => self.limits.deadline.check(),
            _ => Ok(()),
        }
    }

    /// A variable's value; `Ok(None)` where it is not set.
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        if let Some((_, value)) = self.vars.set.iter().find(|(n, _)| n == name) {
            return Ok(value.clone());
        }
        match name {
            "PWD" => return Ok(Some(self.vars.cwd.clone())),
            "OLDPWD" if self.lasting && self.vars.old_cwd.is_none() => {}
            "OLDPWD" => return Ok(self.vars.old_cwd.clone()),
            _ => {}
        }
        if let Some((_, value)) = self.world.environment.iter().find(|(n, _)| n == name) {
            return Ok(Some(value.clone().into_bytes()));
        }
        if is_shells_own(name) {
            return Err(Refusal::new(format!("the shell's own variable {name}")));
        }
        if self.lasting {
            return Err(Refusal::new(format!(
                "{name}, which an earlier call may have set"
            )));
        }
        Ok(None)
    }

    /// Whether a variable of the locale, set before a command, changes nothing: `LC_ALL` goes before it.
    pub fn is_outranked(&self, name: &str) -> bool {
        let outranks = |(known, value): &(String, String)| known == "LC_ALL" && !value.is_empty();
        (name == "LANG" || name.starts_with("LC_")) && self.world.environment.iter().any(outranks)
    }

    /// Sets a variable, unless programs or the shell itself look at it.
    pub fn set(&mut self, name: &str, value: Option<Vec<u8>>) -> Result<(), Refusal> {
        let now = self.world.environment.iter().find(|(n, _)| n == name);
        if let (Some((_, now)), Some(value)) = (now, &value) {
            if now.as_bytes() == value {
                return Ok(()); // as it is already
            }
        }
        if is_shells_own(name) || is_heeded(name) || now.is_some() {
            return Err(Refusal::new(format!(
                "an assignment that changes how commands work: {name}"
            )));
        }
        match self.vars.set.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = value,
            None => self.vars.set.push((name.to_string(), value)),
        }
        Ok(())
    }
}

/// Variables that bash sets itself, whose values are not known here.
fn is_shells_own(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "_",
        "IFS",
        "RANDOM",
        "SRANDOM",
        "SECONDS",
        "LINENO",
        "UID",
        "EUID",
        "PPID",
        "HOSTNAME",
        "HOSTTYPE",
        "MACHTYPE",
        "OSTYPE",
        "SHELL",
        "SHLVL",
        "SHELLOPTS",
        "OPTIND",
        "OPTARG",
        "OPTERR",
        "PIPESTATUS",
        "DIRSTACK",
        "GROUPS",
        "FUNCNAME",
        "PS0",
        "PS1",
        "PS2",
        "PS3",
        "PS4",
        "COLUMNS",
        "LINES",
        "MAILCHECK",
        "PROMPT_COMMAND",
        "TMOUT",
        "TMPDIR",
        "auto_resume",
        "histchars",
    ];
    NAMES.contains(&name)
        || ["BASH", "EPOCH", "COMP", "HIST", "READLINE"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

/// Variables that programs or the shell heed when they are set.
fn is_heeded(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "PWD",
        "OLDPWD",
        "CDPATH",
        "ENV",
        "GLOBIGNORE",
        "GLOBSORT",
        "FIGNORE",
        "LANGUAGE",
        "POSIXLY_CORRECT",
        "BLOCKSIZE",
        "BLOCK_SIZE",
        "TIME_STYLE",
        "QUOTING_STYLE",
        "TABSIZE",
        "FCEDIT",
        "EDITOR",
        "CHARSET",
        "MAIL",
    ];
    NAMES.contains(&name)
        || [
            "LC_", "GREP_", "LS_", "LD_", "TREE_", "RIPGREP_", "GIT_", "MALLOC_", "XDG_", "_POSIX",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}
