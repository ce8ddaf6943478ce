//! A reply's bytes on their way to a client that may be slow: nothing waits for it but its own stream.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use curserve_pacer::now_ns;

/// A client that takes no byte for this long counts as gone.
const STALL_NS: u64 = 60_000_000_000;

/// What is to be written, and how far it is.
#[derive(Debug)]
pub(crate) struct Output {
    fd: OwnedFd,
    data: Vec<u8>,
    cuts: Vec<usize>,
    lead: usize,
    tokens: usize,
    /// Bytes that may be written by now.
    wanted: usize,
    sent: usize,
    progress_ns: u64,
}

impl Output {
    /// The lead may be written at once.
    pub fn new(
        fd: OwnedFd,
        mut lead: Vec<u8>,
        data: &[u8],
        cuts: Vec<usize>,
        tokens: usize,
    ) -> Self {
        let length = lead.len();
        lead.extend_from_slice(data);
        Self {
            fd,
            data: lead,
            cuts,
            lead: length,
            tokens,
            wanted: length,
            sent: 0,
            progress_ns: now_ns(),
        }
    }

    /// Let token `number` (from 0) be written; with the last one everything.
    pub fn token(&mut self, number: usize, last: bool) {
        if last {
            self.wanted = self.data.len();
        } else if self.cuts.len() == self.tokens {
            self.wanted = self.lead + self.cuts[number.min(self.tokens - 1)];
        }
    }

    /// Write what may be written and the kernel takes.
    ///
    /// # Errors
    /// What send(2) reports, or that the client took no byte for 60 s.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.wanted {
            let bytes = &self.data[self.sent..self.wanted];
            // SAFETY: pointer and length are those of a live slice.
            let sent = unsafe {
                libc::send(
                    self.fd.as_raw_fd(),
                    bytes.as_ptr().cast(),
                    bytes.len(),
                    libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
                )
            };
            if sent >= 0 {
                self.sent += sent as usize;
                self.progress_ns = now_ns();
                continue;
            }
            let error = io::Error::last_os_error();
            match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock if now_ns() - self.progress_ns > STALL_NS => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "the client took no byte for 60 s",
                    ));
                }
                io::ErrorKind::WouldBlock => return Ok(()),
                _ => return Err(error),
            }
        }
        Ok(())
    }

    /// Bytes that the kernel took.
    pub fn sent(&self) -> usize {
        self.sent
    }

    /// Whether all is written.
    pub fn is_done(&self) -> bool {
        self.sent == self.data.len()
    }
}
