//! What a session may add to its workspace: bytes and inodes, counted cheaply.
//!
//! Each look asks the file system what is free. Only where that has become less by more than the session may take is the
//! workspace walked, for whatever changed since the session began: others may have filled the disk.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;

use rustix::fs::{
    fstatvfs, openat, statat, AtFlags, Dir, FileType, Mode, OFlags, RawDir, Stat, StatVfs, CWD,
};
use rustix::io::Errno;

use crate::procs::processes;

/// Bytes that must stay free, of large file systems; of small ones a twentieth.
const FLOOR: u64 = 512 << 20;
/// Inodes that must stay free, of large file systems; of small ones a hundredth.
const INODE_FLOOR: u64 = 10_000;

/// The file system below a session's workspace.
pub struct Disk {
    root: OwnedFd,
    /// Seconds and nanoseconds: what changed before was not the session.
    started: (i64, i64),
    quota: Amount,
    floor: Amount,
    /// Below this much free the workspace is walked.
    trigger: Mutex<Amount>,
}

/// An amount of space.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    bytes: u64,
    inodes: u64,
}

impl Amount {
    fn less(self, other: Amount) -> Amount {
        Amount {
            bytes: self.bytes.saturating_sub(other.bytes),
            inodes: self.inodes.saturating_sub(other.inodes),
        }
    }

    fn is_below(self, other: Amount) -> bool {
        self.bytes < other.bytes || self.inodes < other.inodes
    }
}

fn free(of: &StatVfs) -> Amount {
    Amount {
        bytes: of.f_bavail.saturating_mul(of.f_frsize),
        // Some file systems make inodes as they are needed, and say that there are none.
        inodes: if of.f_files == 0 {
            u64::MAX / 2
        } else {
            of.f_favail
        },
    }
}

impl Disk {
    /// Begin counting at `root`, to which at most `bytes` and `inodes` may be added, and half of what is free.
    ///
    /// # Errors
    /// Where the root cannot be read.
    pub fn new(root: &Path, bytes: u64, inodes: u64) -> std::io::Result<Self> {
        let root = openat(CWD, root, FOLDER, Mode::empty())?;
        let found = fstatvfs(&root)?;
        let now = free(&found);
        let quota = Amount {
            bytes: bytes.min(now.bytes / 2),
            inodes: inodes.min(now.inodes / 2),
        };
        let floor = Amount {
            bytes: FLOOR
                .min(found.f_blocks.saturating_mul(found.f_frsize) / 20)
                .min(now.bytes / 2),
            inodes: INODE_FLOOR.min(found.f_files / 100).min(now.inodes / 2),
        };
        // SAFETY: all-zero is a valid timespec; the kernel fills it. Files are stamped by this clock.
        let clock = unsafe {
            let mut clock: libc::timespec = std::mem::zeroed();
            libc::clock_gettime(libc::CLOCK_REALTIME_COARSE, &raw mut clock);
            clock
        };
        Ok(Disk {
            root,
            started: (clock.tv_sec, clock.tv_nsec),
            quota,
            floor,
            trigger: Mutex::new(now.less(quota)),
        })
    }

    /// Whether the workspace should be walked. One system call.
    pub fn is_suspicious(&self) -> bool {
        let Ok(found) = fstatvfs(&self.root) else {
            return false;
        };
        let now = free(&found);
        now.is_below(self.floor) || now.is_below(*self.trigger.lock().expect("plain numbers"))
    }

    /// What is wrong, if anything is; walks the workspace where it has to.
    pub fn trouble(&self) -> Option<String> {
        let now = free(&fstatvfs(&self.root).ok()?);
        if now.is_below(self.floor) {
            let (left, inodes) = (now.bytes >> 20, now.inodes);
            return Some(format!(
                "the workspace's file system ran full ({left} MiB and {inodes} inodes left)"
            ));
        }
        if !now.is_below(*self.trigger.lock().expect("plain numbers")) {
            return None;
        }
        let mut walk = Walk::new(self.started, self.quota);
        if !walk.folder(&self.root) {
            walk.open_files(&self.root);
        }
        let added = walk.added;
        if self.quota.is_below(added) || walk.hidden {
            let (bytes, inodes) = (self.quota.bytes >> 20, self.quota.inodes);
            let more = if walk.hidden {
                ", or hid what it wrote"
            } else {
                ""
            };
            return Some(format!(
                "the session added more than {bytes} MiB or {inodes} files to its workspace{more}"
            ));
        }
        // Others took it. Once the session could have taken the rest of its own, all is counted again.
        let rest = self.quota.less(added);
        let step = Amount {
            bytes: rest.bytes.max(self.quota.bytes / 8),
            inodes: rest.inodes.max(self.quota.inodes / 8),
        };
        *self.trigger.lock().expect("plain numbers") = now.less(step);
        None
    }
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// Adds up what changed since a time, and stops once it is more than a limit.
struct Walk {
    since: (i64, i64),
    limit: Amount,
    added: Amount,
    /// Files with several names that were counted.
    counted: HashSet<(u64, u64)>,
    /// A folder that changed since cannot be read.
    hidden: bool,
}

impl Walk {
    fn new(since: (i64, i64), limit: Amount) -> Self {
        Walk {
            since,
            limit,
            added: Amount::default(),
            counted: HashSet::new(),
            hidden: false,
        }
    }

    fn is_over(&self) -> bool {
        self.limit.is_below(self.added)
    }

    fn count(&mut self, stat: &Stat) {
        let changed = (stat.st_ctime, stat.st_ctime_nsec as i64);
        if changed < self.since || (stat.st_nlink > 1 && !self.is_first(stat)) {
            return;
        }
        self.added.bytes += (stat.st_blocks as u64).saturating_mul(512);
        self.added.inodes += 1;
    }

    fn is_first(&mut self, stat: &Stat) -> bool {
        FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            || self.counted.insert((stat.st_dev, stat.st_ino))
    }

    /// Walks a folder, however deep, with one descriptor; true when the limit is passed. It only counts, so that a folder
    /// that is moved meanwhile does no harm.
    fn folder(&mut self, root: &OwnedFd) -> bool {
        let Ok(mut here) = openat(root, c".", FOLDER, Mode::empty()) else {
            return false;
        };
        let mut above = vec![self.entries(&here)];
        while let Some(names) = above.last_mut() {
            if self.is_over() {
                return true;
            }
            let (next, down) = match names.pop() {
                Some(name) => (openat(&here, name.as_os_str(), FOLDER, Mode::empty()), true),
                None => (openat(&here, c"..", FOLDER, Mode::empty()), false),
            };
            match (next, down) {
                (Ok(folder), true) => {
                    here = folder;
                    let names = self.entries(&here);
                    above.push(names);
                }
                (Ok(folder), false) => {
                    here = folder;
                    above.pop();
                }
                (Err(Errno::ACCESS), true) => self.hidden |= self.changed_inside(&here),
                (Err(_), true) => {}
                (Err(_), false) => return self.is_over(),
            }
        }
        self.is_over()
    }

    /// Whether a folder in which one is not readable has changed: who hid something did it there.
    fn changed_inside(&self, folder: &OwnedFd) -> bool {
        Dir::read_from(folder).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                statat(folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
                    let kind = FileType::from_raw_mode(stat.st_mode);
                    let changed = (stat.st_ctime, stat.st_ctime_nsec as i64);
                    kind == FileType::Directory
                        && stat.st_mode & 0o500 != 0o500
                        && changed >= self.since
                })
            })
        })
    }

    /// Counts the entries of a folder; returns those that are folders.
    fn entries(&mut self, folder: &OwnedFd) -> Vec<OsString> {
        use std::os::unix::ffi::OsStrExt;
        let mut folders = Vec::new();
        let mut buffer = Vec::with_capacity(32 << 10);
        let mut entries = RawDir::new(folder.as_fd(), buffer.spare_capacity_mut());
        while let Some(Ok(entry)) = entries.next() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            self.count(&stat);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                folders.push(std::ffi::OsStr::from_bytes(name.to_bytes()).to_owned());
            }
            if self.is_over() {
                break;
            }
        }
        folders
    }

    /// Files without a name that a process still has open take space all the same.
    fn open_files(&mut self, root: &OwnedFd) {
        let Ok(here) = rustix::fs::fstat(root) else {
            return;
        };
        for pid in processes() {
            let Ok(fds) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
                continue;
            };
            for fd in fds.flatten() {
                let Ok(stat) = statat(CWD, fd.path(), AtFlags::empty()) else {
                    continue;
                };
                let kind = FileType::from_raw_mode(stat.st_mode);
                let nameless = stat.st_nlink == 0 && stat.st_dev == here.st_dev;
                if nameless && kind == FileType::RegularFile && self.is_first(&stat) {
                    self.count(&stat);
                }
                if self.is_over() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{symlink, PermissionsExt};

    use super::*;

    fn walked(root: &Path, since: (i64, i64), limit: Amount) -> Walk {
        let mut walk = Walk::new(since, limit);
        let root = openat(CWD, root, FOLDER, Mode::empty()).unwrap();
        walk.folder(&root);
        walk
    }

    const ALL: Amount = Amount {
        bytes: u64::MAX,
        inodes: u64::MAX,
    };

    #[test]
    fn what_was_there_before_is_not_counted_and_links_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("a/b/c")).unwrap();
        std::fs::write(root.join("a/b/c/x"), vec![1; 100_000]).unwrap();
        std::fs::hard_link(root.join("a/b/c/x"), root.join("a/y")).unwrap();
        symlink("/", root.join("link")).unwrap();
        let found = walked(root, (0, 0), ALL).added;
        assert_eq!(found.inodes, 5, "a, b, c, x, link");
        assert!((100_000..200_000).contains(&found.bytes), "{found:?}");
        let later = (i64::MAX, 0);
        assert_eq!(walked(root, later, ALL).added, Amount::default());
    }

    #[test]
    fn it_stops_where_it_is_too_much() {
        let folder = tempfile::tempdir().unwrap();
        for name in 0..200 {
            std::fs::write(folder.path().join(name.to_string()), b"").unwrap();
        }
        let limit = Amount {
            bytes: u64::MAX,
            inodes: 10,
        };
        assert_eq!(walked(folder.path(), (0, 0), limit).added.inodes, 11);
    }

    #[test]
    fn depth_is_no_trouble() {
        let folder = tempfile::tempdir().unwrap();
        let mut here = openat(CWD, folder.path(), FOLDER, Mode::empty()).unwrap();
        const NAME: &std::ffi::CStr = c"longer_than_any_path_when_it_is_repeated";
        for _ in 0..200 {
            rustix::fs::mkdirat(&here, NAME, Mode::from_raw_mode(0o700)).unwrap();
            here = openat(&here, NAME, FOLDER, Mode::empty()).unwrap();
        }
        assert_eq!(walked(folder.path(), (0, 0), ALL).added.inodes, 200);
        while let Ok(above) = openat(&here, c"..", FOLDER, Mode::empty()) {
            here = above;
            if rustix::fs::unlinkat(&here, NAME, AtFlags::REMOVEDIR).is_err() {
                break;
            }
        }
    }

    #[test]
    fn a_quota_holds_and_others_are_not_blamed_for() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path(), 1 << 20, 1000).unwrap();
        assert_eq!(disk.trouble(), None);
        std::fs::write(folder.path().join("big"), vec![1; 3 << 20]).unwrap();
        *disk.trigger.lock().unwrap() = ALL;
        assert!(disk.trouble().unwrap().contains("more than 1 MiB"));
        std::fs::remove_file(folder.path().join("big")).unwrap();
        *disk.trigger.lock().unwrap() = ALL;
        assert_eq!(disk.trouble(), None, "somebody else's");
        let trigger = *disk.trigger.lock().unwrap();
        assert!(trigger.bytes < ALL.bytes / 2, "{trigger:?}");
    }

    #[test]
    fn open_files_without_a_name_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone");
        std::fs::write(&path, vec![1; 1 << 20]).unwrap();
        let _open = std::fs::File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let mut walk = Walk::new((0, 0), ALL);
        let root = openat(CWD, folder.path(), FOLDER, Mode::empty()).unwrap();
        walk.open_files(&root);
        assert!(walk.added.bytes >= 1 << 20);
    }

    #[test]
    fn a_folder_that_was_made_unreadable_hides_something() {
        // SAFETY: asks who we are.
        if unsafe { libc::geteuid() } == 0 {
            return; // nothing is hidden from root
        }
        let folder = tempfile::tempdir().unwrap();
        let hidden = folder.path().join("hidden");
        std::fs::create_dir(&hidden).unwrap();
        std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o000)).unwrap();
        assert!(walked(folder.path(), (0, 0), ALL).hidden);
        std::fs::set_permissions(&hidden, PermissionsExt::from_mode(0o700)).unwrap();
    }
}
