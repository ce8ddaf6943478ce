//! Looking out for what comes soon without going to sleep.
//!
//! A processor that has gone to sleep, in a virtual machine above all, takes longer to wake up than most answers take.
//! So both ends of a connection look out for each other for a moment; they give way at every look to whoever wants
//! their processor.

use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// How long is looked out.
const WATCH: Duration = Duration::from_micros(100);

/// Looks until there is something to read on `socket`, or its end; false where nothing came in time.
///
/// # Errors
/// The socket's.
pub fn watch(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let end = Instant::now() + WATCH;
    while Instant::now() < end {
        let mut byte = 0u8;
        // SAFETY: the kernel writes at most one byte into `byte`; the socket is open as long as it is borrowed.
        let got = unsafe {
            let flags = libc::MSG_DONTWAIT | libc::MSG_PEEK;
            libc::recv(socket.as_raw_fd(), (&raw mut byte).cast(), 1, flags)
        };
        if got >= 0 {
            return Ok(true);
        }
        match io::Error::last_os_error() {
            error if error.kind() == ErrorKind::WouldBlock => {}
            error => return Err(error),
        }
        std::thread::yield_now();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn what_is_there_is_seen_and_left_there() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        assert!(!watch(ours.as_fd()).unwrap());
        theirs.write_all(b"a").unwrap();
        assert!(watch(ours.as_fd()).unwrap());
        assert!(watch(ours.as_fd()).unwrap(), "nothing was taken");
        drop(theirs);
        let mut byte = [0];
        io::Read::read_exact(&mut &ours, &mut byte).unwrap();
        assert!(watch(ours.as_fd()).unwrap(), "the end is something too");
    }
}
