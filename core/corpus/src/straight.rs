//! Opening without following a link anywhere on the way, so that a folder that a running command swaps for a link
//! between our look at it and our reading of it leads nowhere. A daemon in its sandbox could only meet what is in there;
//! the core in process would meet the whole machine.

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Error, Result};
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Opens `path`, whose root is a real path, for reading; ELOOP where there is a link on the way or at its end.
pub(crate) fn open(path: &Path, flags: i32) -> Result<File> {
    let flags = flags | libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    let name = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: open_how is plain integers, for which zeroes are valid.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = flags as u64;
    how.resolve = libc::RESOLVE_NO_SYMLINKS;
    // SAFETY: `name` and `how` outlive the call, and the size is that of `how`.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            libc::AT_FDCWD,
            name.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    };
    if fd >= 0 {
        // SAFETY: the kernel has just given us this descriptor, and nobody else has it.
        return Ok(unsafe { File::from_raw_fd(fd as i32) });
    }
    let error = Error::last_os_error();
    match error.raw_os_error() {
        // Before Linux 5.6, in gVisor, or behind an old filter of system calls: only the last name is checked.
        Some(libc::ENOSYS | libc::EPERM) => {
            OpenOptions::new().read(true).custom_flags(flags).open(path)
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::open;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_link_is_followed_on_the_way_or_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("real")).unwrap();
        std::fs::write(root.join("real/file"), "x").unwrap();
        symlink(root.join("real"), root.join("way")).unwrap();
        symlink(root.join("real/file"), root.join("end")).unwrap();
        assert!(open(&root.join("real/file"), 0).is_ok());
        for name in ["way/file", "end", "way"] {
            let refused = open(&root.join(name), 0).unwrap_err();
            assert_eq!(refused.raw_os_error(), Some(libc::ELOOP), "{name}");
        }
        let folder = open(&root.join("way"), libc::O_DIRECTORY).unwrap_err();
        assert!(matches!(
            folder.raw_os_error(),
            Some(libc::ELOOP | libc::ENOTDIR)
        ));
    }
}
