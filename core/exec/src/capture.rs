//! Reads what a started process writes, until it has ended, its time is over or its output is too long.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::spawn::Child;

/// How long processes that outlive the shell may go on writing to its output before the answer is given without them.
///
/// Long enough for `tee >(sort)`, which ends after its shell; a server started with `&` is cut off.
pub const AFTERMATH: Duration = Duration::from_millis(200);

const CHUNK: usize = 64 << 10;

/// One stream on its way into memory.
pub struct Stream {
    source: Option<OwnedFd>,
    /// What has come so far.
    pub bytes: Vec<u8>,
}

impl Stream {
    /// Read from `source`, which must be the only reading end.
    pub fn new(source: OwnedFd) -> Self {
        Stream {
            source: Some(source),
            bytes: Vec::new(),
        }
    }

    /// What to wait on; `None` when the stream has ended.
    pub(crate) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.source.as_ref().map(borrow)
    }

    /// Read what is there; the stream ends at end of file or an error.
    pub(crate) fn read(&mut self) {
        let Some(source) = &self.source else { return };
        self.bytes.reserve(CHUNK);
        let spare = self.bytes.spare_capacity_mut();
        // SAFETY: the kernel writes at most the spare capacity, and `set_len` takes in exactly what it wrote.
        unsafe {
            let n = libc::read(source.as_raw_fd(), spare.as_mut_ptr().cast(), spare.len());
            if n > 0 {
                self.bytes.set_len(self.bytes.len() + n as usize);
                return;
            }
            if n < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                return;
            }
        }
        self.source = None;
    }
}

/// Why reading ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    /// The process has ended, and its output with it (or after the aftermath).
    Exited,
    /// The deadline passed.
    TimedOut,
    /// More output than allowed.
    TooLong,
}

/// Read both streams of `child`.
///
/// # Errors
/// The system's, of reading or waiting.
pub fn capture(
    child: &Child,
    out: &mut Stream,
    err: &mut Stream,
    deadline: Instant,
    limit: usize,
) -> io::Result<End> {
    let mut exited: Option<Instant> = None;
    loop {
        if out.source.is_none() && err.source.is_none() {
            if exited.is_some() {
                return Ok(End::Exited);
            }
            // Both streams closed; most programs end in the same breath. Those that go on are waited for.
            let ended = poll(&mut [(Some(borrow(&child.pidfd)), false)], deadline)?;
            return Ok(if ended { End::Exited } else { End::TimedOut });
        }
        let until = exited.map_or(deadline, |at| deadline.min(at + AFTERMATH));
        let mut waits = [
            (out.source.as_ref().map(borrow), false),
            (err.source.as_ref().map(borrow), false),
            (exited.is_none().then(|| borrow(&child.pidfd)), false),
        ];
        let ready = poll(&mut waits, until)?;
        let [(_, out_ready), (_, err_ready), (_, has_exited)] = waits;
        if !ready {
            return Ok(if exited.is_some() {
                End::Exited
            } else {
                End::TimedOut
            });
        }
        if out_ready {
            out.read();
        }
        if err_ready {
            err.read();
        }
        if has_exited {
            exited = Some(Instant::now());
        }
        if out.bytes.len() + err.bytes.len() > limit {
            return Ok(End::TooLong);
        }
    }
}

fn borrow(fd: &OwnedFd) -> BorrowedFd<'_> {
    std::os::fd::AsFd::as_fd(fd)
}

/// Wait until one of `waits` is readable or closed (its flag is set), or `until` passes (false).
pub(crate) fn poll(
    waits: &mut [(Option<BorrowedFd<'_>>, bool)],
    until: Instant,
) -> io::Result<bool> {
    let mut fds: [libc::pollfd; 4] = [libc::pollfd {
        fd: -1,
        events: libc::POLLIN,
        revents: 0,
    }; 4];
    for (slot, (fd, _)) in fds.iter_mut().zip(waits.iter()) {
        slot.fd = fd.map_or(-1, |fd| fd.as_raw_fd());
    }
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = libc::timespec {
            tv_sec: left.as_secs() as libc::time_t,
            tv_nsec: left.subsec_nanos().into(),
        };
        assert!(waits.len() <= fds.len());
        // SAFETY: `fds` holds at least `waits.len()` entries.
        let n = unsafe {
            libc::ppoll(
                fds.as_mut_ptr(),
                waits.len() as libc::nfds_t,
                &raw const timeout,
                std::ptr::null(),
            )
        };
        if n < 0 {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            return Err(error);
        }
        for ((_, ready), slot) in waits.iter_mut().zip(&fds) {
            *ready = slot.revents != 0;
        }
        return Ok(n > 0);
    }
}
