//! The state of a shell: folder, status, limits, and where it stands in its line.

use curserve_corpus::{Kind, Snapshot};
use curserve_tools::{Held, Memory, Out, Watch, World, Writes};
use std::rc::Rc;

use crate::streams::{Io, Sink, STDERR, STDOUT};
use crate::{Answer, Limits, Refusal};

/// The value of a variable, shared by all copies of a shell's state.
#[derive(Clone, Debug)]
pub struct Value(Rc<(Vec<u8>, Option<Held>)>);

impl Value {
    /// A value that takes its bytes from `memory` as long as anybody has it.
    ///
    /// # Errors
    /// Where `memory` has no room for it.
    pub fn new(bytes: Vec<u8>, memory: &Memory) -> Result<Value, Refusal> {
        let held = memory.hold(bytes.capacity())?;
        Ok(Value(Rc::new((bytes, Some(held)))))
    }
}

impl From<Vec<u8>> for Value {
    /// A value that was there before.
    fn from(bytes: Vec<u8>) -> Value {
        Value(Rc::new((bytes, None)))
    }
}

impl std::ops::Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0 .0
    }
}

/// What a subshell copies, and loses again.
#[derive(Clone, Debug)]
pub struct Vars {
    /// Shell variables that were set here; the environment lies in the world.
    pub set: Vec<(Rc<str>, Option<Value>)>,
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
    /// What the line may still hold.
    pub(crate) memory: Memory,
    /// So much of it is held by words of commands that have not ended.
    pub(crate) held: usize,
    /// Looks at the clock where a command has many bytes in hand.
    pub(crate) watch: Watch,
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
    /// The program has several lines.
    pub(crate) many_lines: bool,
    /// A redirection of the present command has failed.
    pub(crate) unopened: bool,
    /// Whether that line is known.
    pub(crate) substitution: Within,
    /// Where writes to files are planned; `None` refuses them.
    pub(crate) writes: Option<&'s Writes>,
    /// Streams that go to files, with the number of the planned write.
    pub(crate) files: Vec<(usize, usize)>,
    /// What the shell was called, with which its messages begin.
    pub(crate) name: Name,
    /// Whether somebody else has started it: of its environment, the locale and `$OLDPWD` are not in the world as they are.
    pub(crate) called: bool,
    /// Whether it is not known what its standard input is.
    pub(crate) sealed: bool,
    /// Whether its two outputs are one.
    pub(crate) merged: bool,
    /// Whether the shell lasts from call to call: then what an earlier call left is not known here.
    pub(crate) lasting: bool,
}

/// What a shell was called.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Name {
    /// bash, by this name.
    Bash(Rc<str>),
    /// Another shell, whose messages are not known here.
    Another,
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

impl<'s> Shell<'s> {
    /// A fresh shell in `cwd`.
    ///
    /// # Errors
    /// Where `cwd` is no plain absolute path of a folder that is there.
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
        let memory = Memory::new(limits.memory);
        let stream = || Out::within(limits.output, &memory);
        let streams = vec![stream(), stream()];
        Ok(Shell {
            world,
            snapshot,
            limits,
            memory,
            held: 0,
            watch: Watch::new(limits.deadline),
            vars,
            streams,
            steps: 0,
            depth: 0,
            substituted: None,
            loops: 0,
            line: Some(1),
            many_lines: false,
            unopened: false,
            substitution: Within::Nothing,
            writes: None,
            name: Name::Bash("bash".into()),
            called: false,
            sealed: false,
            merged: false,
            files: Vec::new(),
            lasting: false,
        })
    }

    /// The answer at the end.
    ///
    /// # Errors
    /// Where an output is beyond the limit.
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
    ///
    /// # Errors
    /// Where such a write is planned.
    pub fn unwritten(&self) -> Result<(), Refusal> {
        match self.writes {
            Some(writes) if writes.pending() => {
                Err(Refusal::new("what may depend on a file written before"))
            }
            _ => Ok(()),
        }
    }

    /// Takes a stream out, leaving an empty one.
    pub fn take_stream(&mut self, n: usize) -> Out {
        std::mem::replace(&mut self.streams[n], Out::new(0))
    }

    /// Writes to a sink.
    pub fn write(&mut self, sink: Sink, bytes: &[u8]) {
        if let Sink::Stream(n) = sink {
            self.streams[n].write(bytes);
        }
    }

    /// A message of the shell itself.
    ///
    /// # Errors
    /// Where its line, its name or its characters are not known for certain.
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
        let shown = std::str::from_utf8(text).is_ok_and(|text| !text.contains(char::is_control));
        if !shown && io.err != Sink::Null {
            return Err(Refusal::new("a message with characters that do not print"));
        }
        let line = self.line.unwrap_or(0);
        let Name::Bash(name) = &self.name else {
            return Err(Refusal::new("a message, and a status, of another shell"));
        };
        let prefix = format!("{name}: line {line}: ");
        self.write(io.err, &[prefix.as_bytes(), text, b"\n"].concat());
        Ok(())
    }

    /// Takes so many bytes for the words of the present command, and the time that it takes to fill them.
    ///
    /// # Errors
    /// Where the memory of the call, or its time, is spent.
    pub fn take(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.memory.take(bytes)?;
        self.held += bytes;
        self.watch.pass(bytes)
    }

    /// Gives back what was taken since `mark` was held: the words are gone.
    pub fn release(&mut self, mark: usize) {
        self.memory.give(self.held - mark);
        self.held = mark;
    }

    /// Counts a command against the limit.
    ///
    /// # Errors
    /// Where there were more than the limit, or the time is spent.
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
}
