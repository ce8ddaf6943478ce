//! One turn's bytes, cut into tokens, and the writing of them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;

use crate::ahead::Ahead;
use crate::clock::{now_ns, sharpen, wait_until, wait_writable};

/// A client that takes no byte for this long counts as gone.
const STALL_NS: u64 = 60_000_000_000;

/// What to write, where, and when: token `i` is `data[cuts[i-1]..cuts[i]]`, due at `first_ns + i * step_ns`.
#[derive(Debug)]
pub struct Stream {
    /// The socket; a duplicate that the stream owns.
    pub fd: OwnedFd,
    /// Bytes written at once, before the first token.
    pub lead: Vec<u8>,
    /// The bytes of all tokens.
    pub data: Vec<u8>,
    /// Where each token ends in `data`, ascending; the last is `data.len()`.
    pub cuts: Vec<usize>,
    /// When the first token is due, on CLOCK_MONOTONIC.
    pub first_ns: u64,
    /// The time between tokens.
    pub step_ns: u64,
}

/// What became of a stream. Tokens that were due together went in one write, and share its times.
#[derive(Debug, Default)]
pub struct Written {
    /// When the write of each token began.
    pub starts: Vec<u64>,
    /// When the write of each token had returned.
    pub ends: Vec<u64>,
    /// Bytes that the kernel took, the lead included.
    pub bytes: usize,
    /// Why not all was written.
    pub error: Option<io::Error>,
}

impl Stream {
    /// Says what is wrong with the cuts, if anything: they must ascend and end at the end of the data.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), String> {
        let ascending = self.cuts.windows(2).all(|pair| pair[0] <= pair[1]);
        match self.cuts.last() {
            None if self.data.is_empty() => Ok(()),
            Some(end) if ascending && *end == self.data.len() => Ok(()),
            _ => Err(format!(
                "pacer: cuts must ascend and end at the {} bytes of the data",
                self.data.len()
            )),
        }
    }

    fn due(&self, token: usize) -> u64 {
        self.first_ns
            .saturating_add(self.step_ns.saturating_mul(token as u64))
    }
}

/// Writes `stream` on the calling thread, each token when it is due; ends early when the client is gone or on `stop`.
///
/// Panics if [`Stream::check`] would have failed.
pub fn write(stream: &Stream, stop: &AtomicBool) -> Written {
    sharpen();
    let _ahead = Ahead::of_others();
    let mut written = Written::default();
    if let Err(error) = run(stream, stop, &mut written) {
        written.error = Some(error);
    }
    written
}

fn run(stream: &Stream, stop: &AtomicBool, written: &mut Written) -> io::Result<()> {
    let fd = stream.fd.as_fd();
    send(fd, &stream.lead, stop, &mut written.bytes)?;
    let (mut token, mut from) = (0, 0);
    while token < stream.cuts.len() {
        wait_until(fd, stream.due(token), stop)?;
        let start = now_ns();
        let mut next = token + 1;
        while next < stream.cuts.len() && stream.due(next) <= start {
            next += 1;
        }
        let to = stream.cuts[next - 1];
        send(fd, &stream.data[from..to], stop, &mut written.bytes)?;
        let end = now_ns();
        written.starts.resize(next, start);
        written.ends.resize(next, end);
        (token, from) = (next, to);
    }
    Ok(())
}

fn send(
    fd: BorrowedFd<'_>,
    mut bytes: &[u8],
    stop: &AtomicBool,
    count: &mut usize,
) -> io::Result<()> {
    let mut progress_ns = now_ns();
    while !bytes.is_empty() {
        // SAFETY: pointer and length are those of a live slice.
        let sent = unsafe {
            libc::send(
                fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
            )
        };
        if sent >= 0 {
            bytes = &bytes[sent as usize..];
            *count += sent as usize;
            progress_ns = now_ns();
            continue;
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock if now_ns() - progress_ns > STALL_NS => {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client took no byte for 60 s",
                ));
            }
            io::ErrorKind::WouldBlock => wait_writable(fd, stop)?,
            _ => return Err(error),
        }
    }
    Ok(())
}
