//! Streams and files of a shell, as they are opened and closed.

use curserve_tools::{How, Out};

use crate::state::Shell;
use crate::streams::Sink;
use crate::Refusal;

impl Shell<'_> {
    /// Opens a file for writing; the sink that fills it until [`Shell::finish_files`].
    ///
    /// # Errors
    /// Where nothing may be written, or `path` is no file that may be.
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
    ///
    /// # Errors
    /// As [`Shell::close_stream`], and where their bytes are beyond the memory of the call.
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
    ///
    /// # Errors
    /// Where more was written to it than the limit.
    pub fn close_stream(&mut self, n: usize) -> Result<Out, Refusal> {
        debug_assert_eq!(n + 1, self.streams.len());
        let out = self.streams.pop().unwrap_or_else(|| Out::new(0));
        if out.overflowed() {
            return Err(Refusal::new("a pipe beyond the limit of output"));
        }
        Ok(out)
    }
}
