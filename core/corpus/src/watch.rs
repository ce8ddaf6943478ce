//! inotify: watches on folders, and their events.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::Error;

const MASK: u32 = libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_MODIFY
    | libc::IN_ATTRIB
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR
    | libc::IN_DONT_FOLLOW
    | libc::IN_EXCL_UNLINK;

/// One inotify instance.
#[derive(Debug)]
pub(crate) struct Watches {
    fd: OwnedFd,
}

/// One event: the watch it came from, what happened, and to which name in that folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) watch: i32,
    pub(crate) mask: u32,
    pub(crate) name: Box<[u8]>,
}

impl Watches {
    pub(crate) fn new() -> Result<Watches, Error> {
        // SAFETY: no pointers; a non-negative result is a descriptor that nobody else owns.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        if fd < 0 {
            return Err(Error::Instances(io::Error::last_os_error()));
        }
        // SAFETY: as above, `fd` is open and ours.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Watches { fd })
    }

    pub(crate) fn raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Watches the folder at `path`. None where it is gone, or may not be read: there is nothing to see there then.
    pub(crate) fn add(&self, path: &Path) -> Result<Option<i32>, Error> {
        let Ok(c_path) = CString::new(path.as_os_str().as_bytes()) else {
            return Ok(None);
        };
        // SAFETY: `c_path` is NUL-terminated and outlives the call; the descriptor is open.
        let watch = unsafe { libc::inotify_add_watch(self.fd.as_raw_fd(), c_path.as_ptr(), MASK) };
        if watch >= 0 {
            return Ok(Some(watch));
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::ENOSPC) => Err(Error::Watches(path.to_path_buf())),
            _ => Ok(None),
        }
    }

    pub(crate) fn remove(&self, watch: i32) {
        // SAFETY: no pointers; a watch that is gone already gives EINVAL, which is what we want then.
        unsafe { libc::inotify_rm_watch(self.fd.as_raw_fd(), watch) };
    }

    /// Appends all events that are queued now to `events`; does not block.
    pub(crate) fn drain(&self, events: &mut Vec<Event>) -> io::Result<()> {
        let mut buffer = Buffer([0; 4 << 10]);
        loop {
            // SAFETY: the kernel writes at most the buffer's length into it.
            let got = unsafe {
                libc::read(
                    self.fd.as_raw_fd(),
                    buffer.0.as_mut_ptr().cast(),
                    buffer.0.len(),
                )
            };
            if got < 0 {
                let error = io::Error::last_os_error();
                match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted => continue,
                    _ => return Err(error),
                }
            }
            parse(&buffer.0[..got as usize], events);
        }
    }
}

/// Aligned as `inotify_event` wants it.
#[repr(align(8))]
struct Buffer([u8; 4 << 10]);

fn parse(mut bytes: &[u8], events: &mut Vec<Event>) {
    const HEAD: usize = std::mem::size_of::<libc::inotify_event>();
    while bytes.len() >= HEAD {
        let word =
            |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let len = word(12) as usize;
        let name = &bytes[HEAD..HEAD + len];
        let name = name.split(|&b| b == 0).next().unwrap_or_default();
        events.push(Event {
            watch: word(0) as i32,
            mask: word(4),
            name: name.into(),
        });
        bytes = &bytes[HEAD + len..];
    }
}
