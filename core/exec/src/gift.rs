//! Gives a tree to another user: every file of a session's copy belongs to whom its commands run as.
//!
//! Works by descriptor from one folder down, and follows no link: what is in a copy was written by others.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use crate::privileges::Identity;

/// Give the folder `root` and all below it to `identity`; nothing is done where `root` is theirs already.
///
/// The folder itself comes last, so that one whose owner is right was given whole. However deep the tree is, one
/// descriptor is open. An error is that of the step that failed.
///
/// # Errors
/// That of the step that failed.
pub fn give(root: BorrowedFd<'_>, identity: Identity) -> io::Result<()> {
    let top = status(root.as_raw_fd())?;
    if (top.st_uid, top.st_gid) == (identity.uid, identity.gid) {
        return Ok(());
    }
    let mut here = open_folder(root.as_raw_fd(), c".")?;
    let mut folders = vec![give_entries(&here, identity)?];
    while let Some(names) = folders.last_mut() {
        if let Some(name) = names.pop() {
            here = open_folder(here.as_raw_fd(), &name)?;
            folders.push(give_entries(&here, identity)?);
            continue;
        }
        folders.pop();
        let now = status(here.as_raw_fd())?;
        if (now.st_dev, now.st_ino) == (top.st_dev, top.st_ino) {
            break; // also where somebody moved folders meanwhile: never above the root
        }
        here = open_folder(here.as_raw_fd(), c"..")?;
    }
    change(root.as_raw_fd(), c"", identity, libc::AT_EMPTY_PATH)
}

/// Change the owner of all entries of a folder; return those that are folders themselves.
fn give_entries(folder: &OwnedFd, identity: Identity) -> io::Result<Vec<CString>> {
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))? {
        let entry = entry?;
        let name = CString::new(entry.file_name().as_bytes()).map_err(io::Error::other)?;
        change(
            folder.as_raw_fd(),
            &name,
            identity,
            libc::AT_SYMLINK_NOFOLLOW,
        )?;
        if entry.file_type()?.is_dir() {
            folders.push(name);
        }
    }
    Ok(folders)
}

fn change(at: libc::c_int, name: &CStr, to: Identity, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: a valid descriptor and a valid name.
    match unsafe { libc::fchownat(at, name.as_ptr(), to.uid, to.gid, flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn status(fd: libc::c_int) -> io::Result<libc::stat> {
    // SAFETY: all-zero is a valid stat; the kernel fills it.
    unsafe {
        let mut status: libc::stat = std::mem::zeroed();
        match libc::fstat(fd, &raw mut status) {
            0 => Ok(status),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

fn open_folder(at: libc::c_int, name: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
    // SAFETY: opens a folder by a valid name; the descriptor is ours.
    unsafe {
        match libc::openat(at, name.as_ptr(), flags) {
            -1 => Err(io::Error::last_os_error()),
            fd => Ok(OwnedFd::from_raw_fd(fd)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::fs::{symlink, MetadataExt};

    use super::*;

    #[test]
    fn a_tree_is_given_whole_and_no_link_is_followed() {
        // SAFETY: asks who we are.
        if unsafe { libc::geteuid() } != 0 {
            return; // only root gives files away
        }
        let scratch = std::env::temp_dir().join(format!("gift-{}", std::process::id()));
        let (tree, outside) = (scratch.join("tree"), scratch.join("outside"));
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        std::fs::write(outside.join("victim"), "x").unwrap();
        symlink(&outside, tree.join("a/link")).unwrap();
        symlink(outside.join("victim"), tree.join("a/to-file")).unwrap();
        let to = Identity {
            uid: 61_300,
            gid: 61_300,
        };
        let folder = std::fs::File::open(&tree).unwrap();
        give(folder.as_fd(), to).unwrap();
        let owner = |path: &std::path::Path| path.symlink_metadata().unwrap().uid();
        for name in ["", "a", "a/b", "a/b/file", "a/link", "a/to-file"] {
            assert_eq!(owner(&tree.join(name)), 61_300, "{name}");
        }
        assert_eq!((owner(&outside), owner(&outside.join("victim"))), (0, 0));
        std::fs::remove_dir_all(&scratch).unwrap();
    }

    #[test]
    fn a_deep_tree_needs_few_descriptors() {
        // SAFETY: asks who we are.
        if unsafe { libc::geteuid() } != 0 {
            return;
        }
        let scratch = std::env::temp_dir().join(format!("gift-deep-{}", std::process::id()));
        std::fs::create_dir(&scratch).unwrap();
        let mut here = open_folder(
            libc::AT_FDCWD,
            &CString::new(scratch.as_os_str().as_bytes()).unwrap(),
        )
        .unwrap();
        for _ in 0..2_000 {
            // SAFETY: makes a folder by a valid name.
            let made = unsafe { libc::mkdirat(here.as_raw_fd(), c"d".as_ptr(), 0o755) };
            assert_eq!(made, 0);
            here = open_folder(here.as_raw_fd(), c"d").unwrap();
        }
        let folder = std::fs::File::open(&scratch).unwrap();
        let to = Identity {
            uid: 61_301,
            gid: 61_301,
        };
        give(folder.as_fd(), to).unwrap();
        assert_eq!(status(here.as_raw_fd()).unwrap().st_uid, 61_301);
        std::process::Command::new("rm")
            .arg("-rf")
            .arg(&scratch)
            .status()
            .unwrap();
    }
}
