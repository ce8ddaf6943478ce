//! File systems: which of them report to this kernel all that happens in them.
//!
//! What another machine writes into a network file system is reported to that machine, what a program behind FUSE makes up to
//! nobody, and the files of /proc change by themselves. So only what is known to report is followed.

use std::collections::HashMap;
use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::straight;

const TMPFS: u32 = 0x0102_1994;
const EXT4: u32 = 0x0000_EF53;
const OVERLAY: u32 = 0x794C_7630;

/// Local file systems, by the numbers of statfs(2): all that changes in them goes through this kernel's own calls.
const REPORTING: [u32; 24] = [
    TMPFS,
    0x8584_58F6, // ramfs
    EXT4,        // and ext2, ext3
    0x5846_5342, // xfs
    0x9123_683E, // btrfs
    0xF2F5_2010, // f2fs
    0x2FC1_2FC1, // zfs
    0xCA45_1A4E, // bcachefs
    OVERLAY,
    0x7371_7368, // squashfs
    0xE0F5_E1E2, // erofs
    0x28CD_3D45, // cramfs
    0x0000_9660, // iso9660
    0x1501_3346, // udf
    0x0000_4D44, // vfat
    0x2011_BAB0, // exfat
    0x7366_746E, // ntfs3
    0x0000_482B, // hfsplus
    0x3153_464A, // jfs
    0x5265_4973, // reiserfs
    0x0000_3434, // nilfs2
    0x2405_1905, // ubifs
    0x0000_72B6, // jffs2
    0x0000_137F, // minix
];

/// The number of the file system that `path` lies in.
pub(crate) fn kind(path: &Path) -> Option<u32> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut found = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `path` is NUL-terminated and `found` a writable statfs, fully zeroed before the call.
    let found = unsafe {
        match libc::statfs(path.as_ptr(), found.as_mut_ptr()) {
            0 => found.assume_init(),
            _ => return None,
        }
    };
    Some(found.f_type as u32)
}

/// Whether a file system of this number reports all that happens in it.
pub(crate) fn reports(kind: u32) -> bool {
    REPORTING.contains(&kind)
}

/// Whether `path` lies in a file system that reports all that happens in it, so that it can be followed.
pub fn follows(path: &Path) -> bool {
    kind(path).is_some_and(reports)
}

/// In which order `find` and `grep -r` walk a large folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkOrder {
    /// readdir's: seen on tmpfs.
    AsListed,
    /// By inode: seen on ext4 and overlay.
    ByInode,
    /// Nobody has looked.
    Unknown,
}

/// Whether names in this folder are what they are called by: where letters of either case are the same, a name that is reported
/// need not be the one that is listed.
pub(crate) fn keeps_names(folder: &Path) -> bool {
    const CASEFOLD: libc::c_long = 0x4000_0000;
    if walk(folder) == WalkOrder::Unknown {
        return false;
    }
    let Ok(folder) = straight::open(folder, libc::O_DIRECTORY) else {
        return false;
    };
    let mut flags: libc::c_long = 0;
    // SAFETY: the descriptor is open, and `flags` a writable integer of the size that the request says.
    let asked = unsafe { libc::ioctl(folder.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) };
    asked == 0 && flags & CASEFOLD == 0
}

/// The order on the file system of `root`.
pub(crate) fn walk(root: &Path) -> WalkOrder {
    match kind(root) {
        Some(TMPFS) => WalkOrder::AsListed,
        Some(EXT4 | OVERLAY) => WalkOrder::ByInode,
        _ => WalkOrder::Unknown,
    }
}

/// The file systems that lie below a root.
#[derive(Debug, Default)]
pub(crate) struct Volumes {
    /// The root's own, which is one that reports.
    home: AtomicU64,
    others: Mutex<HashMap<u64, bool>>,
}

impl Volumes {
    /// The root lies in file system `device` now; nothing else is known any more.
    pub(crate) fn begin(&self, device: u64) {
        self.home.store(device, Ordering::Relaxed);
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.clear();
    }

    /// Whether the file system `device`, in which `path` lies, reports all that happens in it.
    pub(crate) fn report(&self, device: u64, path: &Path) -> bool {
        if device == self.home.load(Ordering::Relaxed) {
            return true;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        *others
            .entry(device)
            .or_insert_with(|| kind(path).is_some_and(reports))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_by_itself_is_not_followed() {
        assert!(!kind(Path::new("/proc")).is_some_and(reports));
        assert!(kind(&std::env::temp_dir()).is_some_and(reports));
    }
}
