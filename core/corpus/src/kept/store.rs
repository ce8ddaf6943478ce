//! The state folder of one root, by descriptor: whole files under their names or none, and nobody else's.

use std::collections::HashSet;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use curserve_index::Segment;
use rustix::fs::{
    flock, fstat, mkdirat, openat, renameat, statat, unlinkat, utimensat, AtFlags, Dir, FileType,
    FlockOperation, Mode, OFlags, Timespec, Timestamps, CWD, UTIME_NOW,
};
use rustix::io::Errno;

use crate::state::Digest;

const TABLE: &str = "table";
/// What is not whole yet. Whoever writes holds the folder's lock, so there is one.
const HALF: &str = "new";
/// More is read of no file: none that was written here is longer.
const LONGEST: u64 = 1 << 32;
/// So many characters of its digest name a root.
const NAME: usize = 16;
/// What nobody has used for so long, in seconds, is for a root that nobody serves any more.
const UNUSED_S: i64 = 30 * 24 * 3600;

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Where the index of one root is kept.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    root: PathBuf,
    folder: OwnedFd,
}

impl Store {
    /// The folder for `root` (a real path) in the state folder `state`; made where there is none.
    ///
    /// # Errors
    /// Why nothing can be kept there, as a sentence.
    pub(crate) fn open(state: &Path, root: &Path) -> Result<Store, String> {
        let name = blake3::hash(root.as_os_str().as_bytes()).to_hex();
        let path = state.join(&name[..NAME]);
        if let Some(place) = path.ancestors().find_map(|at| at.canonicalize().ok()) {
            if place.starts_with(root) {
                let what = "lies in the tree; name another with --state";
                return Err(format!("{}: {what}", state.display()));
            }
        }
        let cannot = |error: io::Error| format!("{}: {error}", path.display());
        let made = DirBuilder::new().recursive(true).mode(0o700).create(state);
        made.map_err(cannot)?;
        let around = openat(CWD, state, FOLDER, Mode::empty()).map_err(|it| cannot(it.into()))?;
        check(&around, state)?;
        match mkdirat(&around, &name[..NAME], Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(cannot(error.into())),
        }
        let folder = openat(&around, &name[..NAME], FOLDER, Mode::empty());
        let folder = folder.map_err(|error| cannot(error.into()))?;
        check(&folder, &path)?;
        let root = root.to_path_buf();
        Ok(Store { path, root, folder })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The bytes of the table; None where none is kept yet.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence.
    pub(crate) fn table(&self) -> Result<Option<Vec<u8>>, String> {
        match self.read(TABLE) {
            Ok(bytes) => {
                // Used now: what is not for long is swept away.
                let now = Timespec {
                    tv_sec: 0,
                    tv_nsec: UTIME_NOW,
                };
                let times = Timestamps {
                    last_access: now,
                    last_modification: now,
                };
                let _ = utimensat(&self.folder, TABLE, &times, AtFlags::SYMLINK_NOFOLLOW);
                Ok(Some(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.cannot("read", TABLE, &error)),
        }
    }

    /// The segment whose bytes have this digest. One that is not that segment is removed.
    ///
    /// # Errors
    /// Why there is none, as a sentence.
    pub(crate) fn segment(&self, digest: &Digest) -> Result<Segment, String> {
        let name = name(digest);
        let bytes = self
            .read(&name)
            .map_err(|error| self.cannot("read", &name, &error))?;
        let is_it = blake3::hash(&bytes) == *digest;
        let segment = is_it.then(|| Segment::of_bytes(&bytes)).flatten();
        segment.ok_or_else(|| {
            let _ = unlinkat(&self.folder, &*name, AtFlags::empty());
            self.cannot("use", &name, &"is cut or damaged")
        })
    }

    /// That what is kept here is not used, as a sentence.
    pub(crate) fn dropped(&self, what: &str) -> String {
        self.cannot("use", TABLE, &what)
    }

    /// Nobody else writes here as long as what this returns is held; None where somebody does.
    pub(crate) fn lock(&self) -> Option<impl Drop + '_> {
        struct Locked<'s>(&'s OwnedFd);
        impl Drop for Locked<'_> {
            fn drop(&mut self) {
                let _ = flock(self.0, FlockOperation::Unlock);
            }
        }
        let locked = flock(&self.folder, FlockOperation::NonBlockingLockExclusive);
        locked.is_ok().then_some(Locked(&self.folder))
    }

    pub(crate) fn has(&self, digest: &Digest) -> bool {
        let found = statat(&self.folder, name(digest), AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|stat| is_ours(&stat, FileType::RegularFile))
    }

    /// # Errors
    /// Why it could not be written, as a sentence.
    pub(crate) fn put_segment(&self, digest: &Digest, bytes: &[u8]) -> Result<(), String> {
        self.put(&name(digest), bytes)
    }

    /// # Errors
    /// Why it could not be written, as a sentence.
    pub(crate) fn put_table(&self, bytes: &[u8]) -> Result<(), String> {
        self.put(TABLE, bytes)
    }

    /// Removes all but the table and these segments; and of other roots what nobody has used for long.
    pub(crate) fn sweep(&self, kept: &HashSet<Digest>) {
        let kept: HashSet<String> = kept.iter().map(name).collect();
        empty(&self.folder, |name| name == TABLE || kept.contains(name));
        let Ok(around) = openat(&self.folder, "..", FOLDER, Mode::empty()) else {
            return;
        };
        for name in names(&around) {
            let is_root = name.len() == NAME && name.bytes().all(|b| b.is_ascii_hexdigit());
            let Ok(folder) = openat(&around, &*name, FOLDER, Mode::empty()) else {
                continue;
            };
            if is_root && is_left(&folder) {
                empty(&folder, |_| false);
                let _ = unlinkat(&around, &*name, AtFlags::REMOVEDIR);
            }
        }
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.folder, name, flags, Mode::empty())?;
        let stat = fstat(&file)?;
        if !is_ours(&stat, FileType::RegularFile) {
            return Err(io::Error::other("is not a file of this user alone"));
        }
        let mut bytes = Vec::with_capacity(stat.st_size.clamp(0, 1 << 30) as usize + 1);
        File::from(file).take(LONGEST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Written beside it and renamed. Nothing waits for the disk: what a power cut leaves half is known by its digest.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let _ = unlinkat(&self.folder, HALF, AtFlags::empty()); // of one that was killed
        let write = || {
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let mode = Mode::RUSR | Mode::WUSR;
            let mut file = File::from(openat(&self.folder, HALF, flags, mode)?);
            file.write_all(bytes)?;
            Ok(renameat(&self.folder, HALF, &self.folder, name)?)
        };
        write().map_err(|error: io::Error| {
            let _ = unlinkat(&self.folder, HALF, AtFlags::empty());
            self.cannot("write", name, &error)
        })
    }

    fn cannot(&self, what: &str, name: &str, why: &dyn std::fmt::Display) -> String {
        format!("cannot {what} {}: {why}", self.path.join(name).display())
    }
}

/// The names in a folder that are UTF-8: all of ours.
fn names(folder: &OwnedFd) -> Vec<String> {
    let entries = Dir::read_from(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()));
    names.filter(|name| !name.starts_with('.')).collect()
}

/// Removes the files in a folder but those that `is_kept`.
fn empty(folder: &OwnedFd, is_kept: impl Fn(&str) -> bool) {
    for name in names(folder).iter().filter(|name| !is_kept(name)) {
        let _ = unlinkat(folder, name.as_str(), AtFlags::empty());
    }
}

/// Whether the table in a folder has been read or written by nobody for long.
fn is_left(folder: &OwnedFd) -> bool {
    let used = statat(folder, TABLE, AtFlags::SYMLINK_NOFOLLOW).map(|stat| stat.st_mtime);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    used.is_ok_and(|used| now.is_ok_and(|now| used < now.as_secs() as i64 - UNUSED_S))
}

fn name(digest: &Digest) -> String {
    blake3::Hash::from_bytes(*digest).to_hex()[..32].to_owned()
}

/// Whether a node is this user's, and nobody else may change it.
fn is_ours(stat: &rustix::fs::Stat, kind: FileType) -> bool {
    // SAFETY: always succeeds.
    let me = unsafe { libc::geteuid() };
    FileType::from_raw_mode(stat.st_mode) == kind && stat.st_uid == me && stat.st_mode & 0o022 == 0
}

/// # Errors
/// Where the folder is another user's, or others may write there.
fn check(folder: &OwnedFd, path: &Path) -> Result<(), String> {
    let found = fstat(folder).map_err(|error| format!("{}: {error}", path.display()))?;
    match is_ours(&found, FileType::Directory) {
        true => Ok(()),
        false => {
            let what =
                "is not a folder of this user alone; remove it, or name another with --state";
            Err(format!("{} {what}", path.display()))
        }
    }
}
