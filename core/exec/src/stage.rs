//! Puts open folders and files where any user can bind them from: a stage in a mount namespace of our own.
//!
//! bubblewrap resolves even what it is given by descriptor to a path, which its user must be able to walk. A
//! workspace below root's home has no such path; on the stage it has one, seen by this process alone.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Where the stage is, in our namespace only: a folder that every system has.
pub const STAGE: &str = "/tmp";

/// Mount each of `sources` at `STAGE/<its number>`; needs root, and Linux 5.2. Their descriptors are closed.
///
/// # Errors
/// Where this is not root, or the kernel is older.
pub fn raise(sources: Vec<OwnedFd>) -> io::Result<()> {
    // Copied while they belong to the namespace that we are in; a mount of another one cannot be bound.
    let trees: Vec<(RawFd, OwnedFd)> = sources
        .iter()
        .map(|source| Ok((source.as_raw_fd(), tree(source)?)))
        .collect::<io::Result<_>>()?;
    drop(sources);
    // SAFETY: a namespace for this process alone.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)?;
    let flags = libc::MS_NOSUID | libc::MS_NODEV;
    let stage = CString::new(STAGE).map_err(io::Error::other)?;
    mount(
        Some(c"tmpfs"),
        &stage,
        Some(c"tmpfs"),
        flags,
        Some(c"mode=0755,size=64k"),
    )?;
    for (number, tree) in trees {
        let place = format!("{STAGE}/{number}");
        if std::fs::metadata(format!("/proc/self/fd/{}", tree.as_raw_fd()))?.is_dir() {
            std::fs::create_dir(&place)?;
        } else {
            std::fs::File::create(&place)?;
        }
        let place = CString::new(place).map_err(io::Error::other)?;
        // SAFETY: a mount that is ours and attached nowhere, and a valid place for it.
        let rc = unsafe {
            libc::syscall(
                libc::SYS_move_mount,
                tree.as_raw_fd(),
                c"".as_ptr(),
                libc::AT_FDCWD,
                place.as_ptr(),
                libc::MOVE_MOUNT_F_EMPTY_PATH,
            )
        };
        if rc != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// A copy of the mount of what is open, with what is mounted below it.
fn tree(source: &OwnedFd) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | libc::AT_RECURSIVE as libc::c_uint
        | libc::AT_EMPTY_PATH as libc::c_uint;
    // SAFETY: an open descriptor and an empty path; the new descriptor is ours.
    unsafe {
        match libc::syscall(libc::SYS_open_tree, source.as_raw_fd(), c"".as_ptr(), flags) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd as RawFd)),
        }
    }
}

fn mount(
    source: Option<&CStr>,
    place: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    data: Option<&CStr>,
) -> io::Result<()> {
    let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: valid strings, or null where the call takes none.
    let rc = unsafe {
        libc::mount(
            pointer(source),
            place.as_ptr(),
            pointer(kind),
            flags,
            pointer(data).cast(),
        )
    };
    match rc {
        0 => Ok(()),
        _ => {
            let error = io::Error::last_os_error();
            Err(io::Error::new(
                error.kind(),
                format!("mount on {}: {error}", place.to_string_lossy()),
            ))
        }
    }
}
