//! Descriptors, by the system calls that the standard library has no name for.

use std::io::{Error, ErrorKind, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

/// What a descriptor has for us now, without waiting: 0, or POLLIN, POLLHUP, POLLERR.
pub fn events(fd: &OwnedFd) -> i16 {
    let mut fd = waited_for(fd.as_raw_fd());
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&raw mut fd, 1, 0) };
    fd.revents
}

/// What `poll` takes to wait until `fd` has something for us.
pub fn waited_for(fd: i32) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// Reads into `buffer` what is there: how many bytes, or None where the system's last error says why.
pub fn read(fd: &OwnedFd, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the kernel writes at most the buffer's length.
    let n = unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    usize::try_from(n).ok()
}

/// Writes all of `bytes`, waiting where it must; false where nobody takes them.
pub fn write_all(fd: i32, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: reads from a valid slice.
        let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(n) {
            Ok(n) => bytes = &bytes[n..],
            Err(_) => match Error::last_os_error().kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock => {
                    let mut wait = libc::pollfd {
                        fd,
                        events: libc::POLLOUT,
                        revents: 0,
                    };
                    // SAFETY: one valid pollfd.
                    unsafe { libc::poll(&raw mut wait, 1, -1) };
                }
                _ => return false,
            },
        }
    }
    true
}

/// A pipe: the end to read from, the end to write to.
///
/// # Errors
/// Where there are no descriptors left.
pub fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two descriptors, which are then ours.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// A terminal of the size of `like`, which changes nothing that is written to it: `like` itself does, as without us.
///
/// # Errors
/// Where there are no terminals left.
pub fn terminal(like: i32) -> Result<(OwnedFd, OwnedFd)> {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: valid pointers; the two descriptors are then ours.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        libc::ioctl(like, libc::TIOCGWINSZ, &raw mut size);
        if libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut size,
        ) != 0
        {
            return Err(Error::last_os_error());
        }
        for fd in [master, slave] {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        let mut how: libc::termios = std::mem::zeroed();
        libc::tcgetattr(slave, &raw mut how);
        how.c_oflag &= !libc::OPOST;
        libc::tcsetattr(slave, libc::TCSANOW, &raw const how);
        Ok((OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)))
    }
}

/// Whether `fd` is a terminal.
pub fn is_terminal(fd: i32) -> bool {
    // SAFETY: asks about a descriptor, open or not.
    unsafe { libc::isatty(fd) == 1 }
}

/// Whether two descriptors lead to one file: an agent that reads both streams as one.
pub fn same_file(one: i32, other: i32) -> bool {
    let identity = |fd: i32| {
        std::fs::metadata(format!("/proc/self/fd/{fd}"))
            .map(|meta| (meta.dev(), meta.ino()))
            .ok()
    };
    identity(one).is_some() && identity(one) == identity(other)
}
