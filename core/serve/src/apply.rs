//! Does the writes that a command line planned: all of them made ready first, then put in place.
//!
//! What can fail (folders, permissions, space for new contents) fails while everything can still be taken back; then
//! the line counts as refused and the real programs run it. A file that is written in place is what it was where that
//! fails. No link is followed below the root.

use std::ffi::{CString, OsStr};
use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{fchown, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use curserve_native::edit::turn;
use curserve_native::InPlace;
use curserve_shell::{How, Write};

/// Why the writes were not done.
#[derive(Debug)]
pub enum Failure {
    /// Nothing has changed.
    Nothing(String),
    /// Some may have been done.
    Half(String),
}

/// A write that can be put in place.
enum Ready<'w> {
    /// Written under the first name, to be renamed to the second.
    Beside(OwnedFd, CString, CString),
    /// Created, and complete.
    Created(OwnedFd, CString),
    /// Open, to be written into.
    Open(InPlace, &'w [u8]),
}

/// Does `writes` below `root`, which callers see at `at`.
///
/// # Errors
/// [`Failure::Nothing`] where nothing has changed; [`Failure::Half`] where one of several files could not be written and
/// others had been.
pub fn apply(root: &Path, at: &[u8], writes: &[Write]) -> Result<(), Failure> {
    let _turn = turn();
    let mut ready = Vec::with_capacity(writes.len());
    for write in writes {
        match prepare(root, at, write) {
            Ok(one) => ready.push(one),
            Err(error) => {
                ready.iter().for_each(take_back);
                let path = String::from_utf8_lossy(&write.path);
                return Err(Failure::Nothing(format!("writes {path}: {error}")));
            }
        }
    }
    let mut done = false;
    for (at, one) in ready.iter().enumerate() {
        let put = match one {
            Ready::Beside(folder, from, to) => rename(folder, from, to),
            Ready::Created(..) => continue,
            Ready::Open(file, bytes) => file.write(bytes),
        };
        match put {
            Ok(()) => done = true,
            Err(error) if done => {
                ready[at..].iter().for_each(take_back);
                return Err(Failure::Half(format!("a write failed half-way: {error}")));
            }
            Err(error) => {
                ready.iter().for_each(take_back);
                return Err(Failure::Nothing(format!("a write failed: {error}")));
            }
        }
    }
    Ok(())
}

fn prepare<'w>(root: &Path, at: &[u8], write: &'w Write) -> io::Result<Ready<'w>> {
    let refuse = |why: &str| Err(io::Error::other(why.to_owned()));
    let below = match at {
        b"/" => &write.path[..],
        _ => write.path.strip_prefix(at).unwrap_or(b""),
    };
    let mut names: Vec<&[u8]> = below
        .split(|&b| b == b'/')
        .filter(|n| !n.is_empty())
        .collect();
    let Some(name) = names.pop() else {
        return refuse("not below the root");
    };
    let mut folder: OwnedFd = File::open(root)?.into();
    for part in names {
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW;
        folder = open(&folder, &CString::new(part)?, flags, 0)?;
    }
    let name = CString::new(name)?;
    match write.how {
        How::Replace(meta) => {
            let flags = libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK;
            let old = File::from(open(&folder, &name, flags, 0)?);
            let found = old.metadata()?;
            let same = (
                found.ino(),
                found.size(),
                (found.mtime(), found.mtime_nsec()),
            );
            if same != (meta.ino, meta.size, meta.mtime) || has_acl(&old) {
                return refuse("changed meanwhile, or with an access control list");
            }
            let beside = beside()?;
            let file = File::from(create(&folder, &beside, 0o600)?);
            if let Err(error) = fill(file, &found, &write.bytes) {
                unlink(&folder, &beside);
                return Err(error);
            }
            Ok(Ready::Beside(folder, beside, name))
        }
        How::Create => {
            let mut file = File::from(create(&folder, &name, 0o666)?);
            if let Err(error) = file.write_all(&write.bytes) {
                unlink(&folder, &name);
                return Err(error);
            }
            Ok(Ready::Created(folder, name))
        }
        How::Truncate | How::Append => {
            let append = write.how == How::Append;
            let file = InPlace::open(folder, OsStr::from_bytes(name.as_bytes()), append)?;
            Ok(Ready::Open(file, &write.bytes))
        }
    }
}

/// Writes the new content of a file edited in place, with the owner and the mode of the old one.
fn fill(mut file: File, old: &std::fs::Metadata, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        fchown(&file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))
}

fn take_back(one: &Ready<'_>) {
    match one {
        Ready::Beside(folder, name, _) | Ready::Created(folder, name) => unlink(folder, name),
        Ready::Open(..) => {}
    }
}

fn beside() -> io::Result<CString> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Ok(CString::new(format!(
        ".curserve.{}.w{number}",
        std::process::id()
    ))?)
}

fn create(folder: &OwnedFd, name: &CString, mode: libc::mode_t) -> io::Result<OwnedFd> {
    let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    open(folder, name, flags, mode)
}

fn open(folder: &OwnedFd, name: &CString, flags: i32, mode: libc::mode_t) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_CLOEXEC;
    // SAFETY: `folder` is open and `name` NUL-terminated; the result is checked before it is owned, once.
    unsafe {
        let fd = libc::openat(folder.as_raw_fd(), name.as_ptr(), flags, mode);
        match fd {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

fn rename(folder: &OwnedFd, from: &CString, to: &CString) -> io::Result<()> {
    let fd = folder.as_raw_fd();
    // SAFETY: the folder is open, both names are NUL-terminated.
    match unsafe { libc::renameat(fd, from.as_ptr(), fd, to.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn unlink(folder: &OwnedFd, name: &CString) {
    // SAFETY: the folder is open, the name is NUL-terminated. What cannot be removed stays: there is nothing to do.
    unsafe { libc::unlinkat(folder.as_raw_fd(), name.as_ptr(), 0) };
}

fn has_acl(file: &File) -> bool {
    let name = c"system.posix_acl_access";
    // SAFETY: asks for the size only, into no buffer.
    unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), std::ptr::null_mut(), 0) > 0 }
}
