//! What commands read and write: streams, pipes, files, and which of them a command has for its three descriptors.

use std::cell::RefCell;
use std::rc::Rc;

use curserve_tools::{Held, How, Memory, Out};

use crate::state::Shell;
use crate::Refusal;

/// Numbers of the two streams that a shell starts with.
pub const STDOUT: usize = 0;
/// See [`STDOUT`].
pub const STDERR: usize = 1;

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
    /// What somebody else's shell was given, of which nothing is known here: nobody may read it.
    Unknown,
    /// A pipe with these bytes still to come; readers within one list share it.
    Pipe(Rc<RefCell<Pipe>>),
    /// A file, or a here-document that is too long for a pipe.
    File(Rc<RefCell<Pipe>>),
}

/// Bytes that are read once.
#[derive(Debug)]
pub struct Pipe {
    /// All of them.
    pub bytes: Vec<u8>,
    /// How many have been read.
    pub at: usize,
    _held: Held,
}

impl Pipe {
    fn new(bytes: Vec<u8>, memory: &Memory) -> Result<Rc<RefCell<Pipe>>, Refusal> {
        let _held = memory.hold(bytes.capacity())?;
        let at = 0;
        Ok(Rc::new(Pipe { bytes, at, _held }.into()))
    }

    /// Says that an unknown part of what was left has been read.
    pub fn spoil(&mut self) {
        if self.at < self.bytes.len() {
            self.at = usize::MAX;
        }
    }

    /// The next line, with its newline where it has one; empty at the end.
    pub fn line(&mut self) -> &[u8] {
        let rest = &self.bytes[self.at..];
        let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |i| i + 1);
        self.at += len;
        &self.bytes[self.at - len..self.at]
    }
}

impl Source {
    /// A pipe that holds `bytes`.
    pub fn pipe(bytes: Vec<u8>, memory: &Memory) -> Result<Source, Refusal> {
        Pipe::new(bytes, memory).map(Source::Pipe)
    }

    /// A here-document or here-string: bash hands over a pipe as long as the text fits into one.
    pub fn here(bytes: Vec<u8>, memory: &Memory) -> Result<Source, Refusal> {
        const FITS: usize = 64 << 10;
        if bytes.len() <= FITS {
            Source::pipe(bytes, memory)
        } else {
            Source::file(bytes, memory)
        }
    }

    /// A file that holds `bytes`.
    pub fn file(bytes: Vec<u8>, memory: &Memory) -> Result<Source, Refusal> {
        Pipe::new(bytes, memory).map(Source::File)
    }

    /// Refuses where an unknown part of it has been read.
    pub fn unspoiled(&self) -> Result<(), Refusal> {
        match self {
            Source::Pipe(pipe) | Source::File(pipe) if pipe.borrow().at == usize::MAX => Err(
                Refusal::new("input that an earlier command has read in part"),
            ),
            _ => Ok(()),
        }
    }
}

/// The refusal of what would read [`Source::Unknown`].
pub fn unknown_input() -> Refusal {
    Refusal::new("standard input, which is not known here")
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

impl Shell<'_> {
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
                let bytes = written.into_bytes();
                self.memory.take(bytes.capacity())?; // until the line has ended
                writes.fill(number, bytes);
            }
        }
        Ok(())
    }

    /// Takes a stream out, leaving an empty one.
    pub fn take_stream(&mut self, n: usize) -> Out {
        std::mem::replace(&mut self.streams[n], Out::new(0))
    }

    /// A stream that is not yet open.
    pub fn stream(&self) -> Out {
        Out::within(self.limits.output, &self.memory)
    }

    /// Opens a stream and returns its number.
    pub fn open_stream(&mut self) -> usize {
        let stream = self.stream();
        self.streams.push(stream);
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
}
