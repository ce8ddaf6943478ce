//! Output of the real program on its way to ours and into the log, byte for byte and at once.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Stdio;

use crate::descriptors::{events, is_terminal, pipe, read, terminal, waited_for, write_all};
use crate::log::Log;

/// One stream: where the program writes, and where it would have written.
struct Stream {
    from: OwnedFd,
    to: i32,
    kind: u8,
}

/// The streams that have not ended.
#[derive(Default)]
pub struct Streams(Vec<Stream>);

impl Streams {
    /// Where the program writes: a pipe, or a terminal where ours is one; one for both streams where ours are one file.
    ///
    /// # Errors
    /// Where there are no descriptors or terminals left.
    pub fn outputs(&mut self, merged: bool) -> Result<(Stdio, Stdio)> {
        let mut open = |to: i32, kind: u8| -> Result<OwnedFd> {
            let (from, into) = if is_terminal(to) {
                terminal(to)?
            } else {
                pipe()?
            };
            self.0.push(Stream { from, to, kind });
            Ok(into)
        };
        let out = open(1, b'O')?;
        let err = if merged {
            out.try_clone()?
        } else {
            open(2, b'E')?
        };
        Ok((out.into(), err.into()))
    }

    /// Whether all streams have ended.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Copy until the program behind `pidfd` has ended and what it wrote has been read; streams that others hold open stay.
    pub fn copy_until_exit(&mut self, pidfd: i32, log: &mut Log) {
        loop {
            let ready = self.wait(Some(pidfd));
            self.copy(&ready, log);
            if ready.last() == Some(&true) {
                while self.anything_ready() {
                    let all = vec![true; self.0.len()];
                    self.copy(&all, log);
                }
                return;
            }
        }
    }

    /// Copy until all streams have ended.
    pub fn copy_to_the_end(&mut self, log: &mut Log) {
        while !self.is_empty() {
            let ready = self.wait(None);
            self.copy(&ready, log);
        }
    }

    /// Waits until something is ready: for each stream, and at last the one `besides`, whether it is.
    fn wait(&self, besides: Option<i32>) -> Vec<bool> {
        let mut fds: Vec<libc::pollfd> = self
            .0
            .iter()
            .map(|stream| stream.from.as_raw_fd())
            .chain(besides)
            .map(waited_for)
            .collect();
        // SAFETY: `fds` is a valid array; an interruption (a signal passed on) only polls again.
        unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
        fds.iter().map(|fd| fd.revents != 0).collect()
    }

    /// Whether anything is left to read now; a stream that has ended is dropped.
    fn anything_ready(&mut self) -> bool {
        self.0
            .retain(|s| matches!(events(&s.from), e if e == 0 || e & libc::POLLIN != 0));
        self.0.iter().any(|s| events(&s.from) != 0)
    }

    /// Copy what the streams marked in `ready` hold; one that has ended is dropped.
    fn copy(&mut self, ready: &[bool], log: &mut Log) {
        let mut buffer = vec![0; 64 << 10];
        let mut kept = Vec::new();
        let streams = std::mem::take(&mut self.0);
        for (stream, ready) in streams.into_iter().zip(ready) {
            if *ready && events(&stream.from) != 0 {
                let Some(n) = read(&stream.from, &mut buffer) else {
                    if Error::last_os_error().kind() == ErrorKind::Interrupted {
                        kept.push(stream);
                    }
                    continue; // a terminal nobody holds any more ends with an error
                };
                if n == 0 || !write_all(stream.to, &buffer[..n]) {
                    continue; // the program wrote all, or nobody reads us: it gets SIGPIPE as without us
                }
                log.tell(stream.kind, &buffer[..n]);
            }
            kept.push(stream);
        }
        self.0 = kept;
    }
}
