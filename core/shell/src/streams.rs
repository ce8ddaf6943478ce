//! What a command has for its three descriptors: streams, pipes, files.

use std::cell::RefCell;
use std::rc::Rc;

use curserve_tools::{Held, Memory};

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
    ///
    /// # Errors
    /// Where `memory` has no room for them.
    pub fn pipe(bytes: Vec<u8>, memory: &Memory) -> Result<Source, Refusal> {
        Pipe::new(bytes, memory).map(Source::Pipe)
    }

    /// A here-document or here-string: bash hands over a pipe as long as the text fits into one.
    ///
    /// # Errors
    /// As [`Source::pipe`].
    pub fn here(bytes: Vec<u8>, memory: &Memory) -> Result<Source, Refusal> {
        const FITS: usize = 64 << 10;
        if bytes.len() <= FITS {
            Source::pipe(bytes, memory)
        } else {
            Source::file(bytes, memory)
        }
    }

    /// A file that holds `bytes`.
    ///
    /// # Errors
    /// As [`Source::pipe`].
    pub fn file(bytes: Vec<u8>, memory: &Memory) -> Result<Source, Refusal> {
        Pipe::new(bytes, memory).map(Source::File)
    }

    /// Refuses where an unknown part of it has been read.
    ///
    /// # Errors
    /// Where that is so.
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
