//! The two outputs that a shim was given: whether an answer may go there, and how it goes there.
//!
//! Real programs look at their output: they skip a file that they write into, colour a terminal, and grep stops at the
//! first match where nobody reads. Pipes and sockets they only write to, and so an answer may go there.

use std::fs::{File, Metadata};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// Whether what `name` would write to both outputs depends on nothing but its input.
pub fn take_an_answer(name: &str) -> bool {
    let (Some(out), Some(err)) = (metadata(1), metadata(2)) else {
        return false;
    };
    let flows = |meta: &Metadata| meta.file_type().is_fifo() || meta.file_type().is_socket();
    (flows(&out) || is_null(&out) && name == "rg") && (flows(&err) || is_null(&err))
}

/// Whether both outputs are one, so that their order shows.
pub fn are_one() -> bool {
    let of = |fd| metadata(fd).map(|meta| (meta.dev(), meta.ino()));
    of(1) == of(2)
}

/// What is known of an open descriptor.
pub fn metadata(fd: RawFd) -> Option<Metadata> {
    // SAFETY: only asked, never closed; a closed descriptor is an error.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    file.metadata().ok()
}

/// Whether that is `/dev/null`.
pub fn is_null(meta: &Metadata) -> bool {
    meta.file_type().is_char_device() && meta.rdev() == libc::makedev(1, 3)
}

/// Writes all of `bytes`, waiting where the descriptor does not block.
///
/// # Errors
/// The system's: the reader has gone, the disk is full.
pub fn write(fd: RawFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the bytes live through the call.
        let wrote = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        if let Ok(wrote) = usize::try_from(wrote) {
            bytes = &bytes[wrote..];
            continue;
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::Interrupted => {}
            io::ErrorKind::WouldBlock => {
                let mut ask = libc::pollfd {
                    fd,
                    events: libc::POLLOUT,
                    revents: 0,
                };
                // SAFETY: one structure, which lives through the call.
                unsafe { libc::poll(&mut ask, 1, -1) };
            }
            _ => return Err(error),
        }
    }
    Ok(())
}
