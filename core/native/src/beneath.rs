//! Doing something with what a path names, without leaving a folder, also while somebody swaps a link for another.
//!
//! A path is first resolved to one that holds no link, which must lie below the limit. That one is opened folder by folder from
//! the limit down, and no link is followed: if one is met, it has come in between, and all is done again.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use curserve_proto::{Answer, Refusal};
use rustix::fs::{mkdirat, openat, statat, AtFlags, FileType, Mode, OFlags, Stat, CWD};
use rustix::io::Errno;

use crate::places::Places;

/// How often a path is resolved again because it has changed meanwhile.
const TRIES: usize = 16;
/// The kernel takes no longer path, with its NUL.
const PATH_MAX: usize = 4096;
/// How many links to what is not there are followed, as the kernel does.
const LINKS: usize = 40;

/// Why nothing was done.
#[derive(Debug)]
pub(crate) enum Miss {
    /// The path leads out of the limit: what is there is not ours to show.
    Outside(PathBuf),
    /// The file system says no.
    Failed(io::Error),
}

impl Miss {
    /// The answer: a refusal, or what `complain` makes of the error.
    pub(crate) fn answer(self, complain: impl FnOnce(&io::Error) -> Answer) -> Answer {
        match self {
            Miss::Outside(path) => {
                let reason = format!("{}: not below the daemon's root", path.display());
                Answer::refused(Refusal::Outside(reason))
            }
            Miss::Failed(error) => complain(&error),
        }
    }
}

/// A name in a folder that is open. What the name stands for may change; where it is, cannot.
#[derive(Debug)]
pub(crate) struct Spot {
    pub(crate) folder: OwnedFd,
    pub(crate) name: OsString,
}

impl Places {
    /// Does `act` at the spot where `path`, seen in `cwd`, leads. There need not be anything. `make`: missing folders on
    /// the way are made.
    pub(crate) fn reach<T>(
        &self,
        cwd: &str,
        path: &str,
        make: bool,
        mut act: impl FnMut(&Spot) -> io::Result<T>,
    ) -> Result<T, Miss> {
        let path = self.real(cwd, path);
        let mut tries = 0;
        loop {
            let real = self.resolve(&path)?;
            tries += 1;
            match Spot::below(self.limit(), &real, make).and_then(|spot| act(&spot)) {
                Ok(done) => return Ok(done),
                Err(error) if tries < TRIES && is_swapped(&error) => {}
                Err(error) => return Err(Miss::Failed(error)),
            }
        }
    }

    /// Where `path` really leads, which is below the limit.
    pub(crate) fn resolve(&self, path: &Path) -> Result<PathBuf, Miss> {
        if path.as_os_str().len() >= PATH_MAX {
            // Nothing can be there; to ask for each folder on the way would take minutes.
            let climbs = path.components().any(|part| part == Component::ParentDir);
            return Err(
                match self.is_free() || (!climbs && path.starts_with(self.limit())) {
                    true => Miss::Failed(Errno::NAMETOOLONG.into()),
                    false => Miss::Outside(path.to_owned()),
                },
            );
        }
        match straighten(path) {
            Ok(real) if real.starts_with(self.limit()) => Ok(real),
            Ok(_) => Err(Miss::Outside(path.to_owned())),
            Err(error) if self.errs_inside(path) => Err(Miss::Failed(error)),
            Err(_) => Err(Miss::Outside(path.to_owned())),
        }
    }

    /// Whether there is something at `path`, and below the limit.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        let there = |real: PathBuf| Spot::below(self.limit(), &real, false)?.stat();
        self.is_free() || matches!(self.resolve(path).map(there), Ok(Ok(Some(_))))
    }

    /// Whether a path that leads nowhere does so within the limit: what is wrong outside is nobody's business.
    fn errs_inside(&self, path: &Path) -> bool {
        let climbs = path.components().any(|part| part == Component::ParentDir);
        let there = path
            .ancestors()
            .filter(|path| path.symlink_metadata().is_ok());
        let mut known = there.filter_map(|path| path.canonicalize().ok());
        self.is_free()
            || (!climbs
                && known
                    .next()
                    .is_some_and(|real| real.starts_with(self.limit())))
    }
}

/// Whether a link, or something else that is no folder, was met where a moment before there was none.
fn is_swapped(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ELOOP | libc::ENOTDIR))
}

/// `path` without links. Its end, and folders before that, may be missing.
fn straighten(path: &Path) -> io::Result<PathBuf> {
    let (mut path, mut links) = (path.to_owned(), 0);
    // The names behind it, the last one first.
    let mut behind: Vec<OsString> = Vec::new();
    loop {
        if path.as_os_str().len() >= PATH_MAX {
            return Err(Errno::NAMETOOLONG.into());
        }
        // One look tells that a name is missing; to resolve all before it would, too, but once for each that is.
        let found = path.symlink_metadata().and_then(|_| path.canonicalize());
        let missing = match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => error,
            found => {
                let mut found = found?;
                found.extend(behind.iter().rev());
                return Ok(found);
            }
        };
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(missing);
        };
        match path.read_link() {
            Ok(_) if links == LINKS => return Err(Errno::LOOP.into()),
            Ok(target) => {
                links += 1;
                path = folder.join(target);
            }
            Err(_) => {
                behind.push(name.to_owned());
                path = folder.to_owned();
            }
        }
    }
}

impl Spot {
    /// The spot of `real`, which has no links and lies below `limit`.
    fn below(limit: &Path, real: &Path, make: bool) -> io::Result<Spot> {
        const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
        let below = real.strip_prefix(limit).map_err(io::Error::other)?;
        let mut names = below.components().map(Component::as_os_str);
        let name = names.next_back().unwrap_or(OsStr::new(".")).to_owned();
        let mut folder = openat(CWD, limit, FOLDER, Mode::empty())?;
        for name in names {
            let enter = || openat(&folder, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
            folder = match enter() {
                Err(Errno::NOENT) if make => {
                    match mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
                        Ok(()) | Err(Errno::EXIST) => enter()?,
                        Err(error) => return Err(error.into()),
                    }
                }
                entered => entered?,
            };
        }
        Ok(Spot { folder, name })
    }

    /// Opens what is there, unless it is a link. A FIFO or device makes nobody wait.
    pub(crate) fn open(&self, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(openat(
            &self.folder,
            &self.name,
            flags,
            Mode::from_raw_mode(0o666),
        )?)
    }

    /// Opens what is there for reading, if it is a regular file.
    pub(crate) fn open_regular(&self) -> io::Result<File> {
        let file = File::from(self.open(OFlags::RDONLY)?);
        let kind = file.metadata()?.file_type();
        match (kind.is_file(), kind.is_dir()) {
            (true, _) => Ok(file),
            (_, true) => Err(Errno::ISDIR.into()),
            _ => Err(io::Error::other("not a regular file")),
        }
    }

    /// What is there; None where nothing is.
    pub(crate) fn stat(&self) -> io::Result<Option<Stat>> {
        match statat(&self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                Err(Errno::LOOP.into()) // it was none when the path was resolved
            }
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
