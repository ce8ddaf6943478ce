//! The seam between the shell and the tools.

use curserve_corpus::Snapshot;

use crate::deadline::Deadline;
use crate::memory::Memory;
use crate::out::Out;
use crate::world::World;
use crate::writes::Writes;

/// What a tool reads on standard input.
#[derive(Clone, Copy, Debug)]
pub enum Stdin<'a> {
    /// `/dev/null`, the pinned world's standard input.
    DevNull,
    /// A pipe with these bytes.
    Bytes(&'a [u8]),
    /// A file or here-document, redirected, with these bytes still to read.
    File(&'a [u8]),
}

impl<'a> Stdin<'a> {
    /// The bytes that reading it to the end gives.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Stdin::DevNull => b"",
            Stdin::Bytes(bytes) | Stdin::File(bytes) => bytes,
        }
    }
}

/// One run of one tool.
pub struct Call<'a> {
    /// The argument vector, `argv[0]` included.
    pub args: &'a [Vec<u8>],
    /// Standard input.
    pub stdin: Stdin<'a>,
    /// The working folder, absolute.
    pub cwd: &'a [u8],
    /// The state of the folder that this call sees.
    pub snapshot: &'a Snapshot,
    /// Names of users, environment.
    pub world: &'a World,
    /// Standard output.
    pub out: &'a mut Out,
    /// Standard error.
    pub err: &'a mut Out,
    /// What it writes to files; `None` where it must not.
    pub writes: Option<&'a Writes>,
    /// When it gives up.
    pub deadline: Deadline,
    /// What it may hold.
    pub memory: &'a Memory,
}

impl<'a> Call<'a> {
    /// Writes a message to standard error. The GNU programs flush standard output first, so that its place among the
    /// output is known; the place is noted for `2>&1`.
    pub fn complain(&mut self, text: &[u8]) {
        self.err.mark(self.out.as_bytes().len(), false);
        self.err.write(text);
    }

    /// Writes a message of a program that does not flush its output first (`sed`).
    pub fn complain_early(&mut self, text: &[u8]) {
        self.err.mark(self.out.as_bytes().len(), true);
        self.err.write(text);
    }

    /// The same streams and folder for a program that this one starts.
    pub fn again(&mut self) -> Call<'_> {
        Call {
            args: self.args,
            stdin: self.stdin,
            cwd: self.cwd,
            snapshot: self.snapshot,
            world: self.world,
            out: self.out,
            err: self.err,
            writes: self.writes,
            deadline: self.deadline,
            memory: self.memory,
        }
    }
}
