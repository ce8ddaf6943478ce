//! What a shim was given to read and to write to: whether an answer may go there, and how it goes there.
//!
//! Real programs look at their output: they skip a file that they write into, colour a terminal, and grep stops at the
//! first match where nobody reads. Pipes and sockets they only write to, and so an answer may go there.

use std::fs::{File, Metadata};
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{FromRawFd, RawFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// What standard input is.
pub enum Input {
    /// `/dev/null`.
    Null,
    /// Something that is read and does not show what it is: a pipe, a socket, a file.
    Flow,
    /// A terminal, or a device.
    Other,
}

/// What standard input is; None where it is closed.
pub fn kind_of_input() -> Option<Input> {
    let meta = metadata(0)?;
    let kind = meta.file_type();
    Some(match () {
        () if is_null(&meta) => Input::Null,
        () if kind.is_fifo() || kind.is_socket() || kind.is_file() => Input::Flow,
        () => Input::Other,
    })
}

/// Whether standard input is `/dev/null`.
pub fn input_is_null() -> bool {
    metadata(0).is_some_and(|meta| is_null(&meta))
}

/// Whether what programs would write to both outputs depends on nothing but their input. `grep` says less to nobody.
pub fn take_an_answer() -> bool {
    let (Some(out), Some(err)) = (metadata(1), metadata(2)) else {
        return false;
    };
    flows(&out) && (flows(&err) || is_null(&err))
}

/// The same for `rg`, which says the same to nobody.
pub fn take_an_answer_of_rg() -> bool {
    let (Some(out), Some(err)) = (metadata(1), metadata(2)) else {
        return false;
    };
    is_null(&out) && (flows(&err) || is_null(&err))
}

fn flows(meta: &Metadata) -> bool {
    meta.file_type().is_fifo() || meta.file_type().is_socket()
}

/// Whether both outputs are one, so that their order shows.
pub fn are_one() -> bool {
    let of = |fd| metadata(fd).map(|meta| (meta.dev(), meta.ino()));
    of(1) == of(2)
}

/// What is known of an open descriptor.
fn metadata(fd: RawFd) -> Option<Metadata> {
    // SAFETY: only asked, never closed; a closed descriptor is an error.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    file.metadata().ok()
}

/// Whether that is `/dev/null`.
fn is_null(meta: &Metadata) -> bool {
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
