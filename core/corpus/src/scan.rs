//! The walk over the live file system: names, metadata and order, before any content is read.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::error::Error;
use crate::lens::Behind;
use crate::meta::{Kind, Meta};
use crate::state::Unreadable;
use crate::straight;
use crate::watch::Watches;

/// A node as the walk found it; files carry no content yet.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: Box<[u8]>,
    pub(crate) meta: Meta,
    pub(crate) body: FoundBody,
    /// What reports changes of it.
    pub(crate) watch: Option<i32>,
}

#[derive(Debug)]
pub(crate) enum FoundBody {
    File,
    /// A file whose changes are not reported, which is not to be read.
    Unreported,
    /// A file whose content is not in this copy.
    Withheld,
    Folder(FoundFolder),
    Link(Box<[u8]>),
    Other,
}

#[derive(Debug)]
pub(crate) struct FoundFolder {
    pub(crate) entries: Result<Vec<Found>, Unreadable>,
    pub(crate) searchable: bool,
}

/// Below so many folders, counted from `/`, nothing is looked at: what walks the tree needs a stack of that depth.
const DEEPEST: usize = 256;
/// Names below a folder of a longer path could not be looked at by their paths.
const LONGEST: usize = 3800;
/// To look at fewer names is not worth more than one thread.
const FEW: usize = 64;

/// A folder on its way into the tree: its names, which are still to be looked at.
struct Listed {
    names: Result<Vec<Vec<u8>>, Unreadable>,
    searchable: bool,
    seen: Seen,
}

/// What is known of a folder itself once it is watched.
#[derive(Clone, Copy)]
struct Seen {
    watch: Option<i32>,
    /// None where another node lies there by now; an event about that is on its way.
    meta: Option<Meta>,
}

impl Seen {
    const NOT: Seen = Seen {
        watch: None,
        meta: None,
    };

    /// Gives `folder` what is known of it.
    fn tell(self, folder: &mut Found) {
        folder.watch = self.watch;
        folder.meta = self.meta.unwrap_or(folder.meta);
    }
}

/// What lies at `path`; None where it is gone. All is watched before it is looked at, so that nothing falls between.
///
/// # Errors
/// Where the user has no watch left for a folder.
pub(crate) fn scan(path: &Path, watches: &Watches) -> Result<Option<Found>, Error> {
    let Some(mut found) = look(path, watches) else {
        return Ok(None);
    };
    if matches!(found.body, FoundBody::Folder(_)) {
        let (folder, seen) = scan_folder(path, watches)?;
        found.body = FoundBody::Folder(folder);
        seen.tell(&mut found);
    }
    Ok(Some(found))
}

/// What lies at `path`; a folder is not looked into.
fn look(path: &Path, watches: &Watches) -> Option<Found> {
    let watch = watches.add_node(path);
    let mut meta = Meta::of(&fs::symlink_metadata(path).ok()?);
    let behind = match meta.kind() {
        Kind::File => watches.glass.behind(path),
        _ => Behind::Itself,
    };
    if let Behind::Other(kind) = behind {
        meta.mode = meta.mode & !libc::S_IFMT | kind;
    }
    let body = match meta.kind() {
        Kind::File if behind == Behind::Nothing => FoundBody::Withheld,
        Kind::File if !watches.volumes.report(meta.dev, path) => FoundBody::Unreported,
        Kind::File => FoundBody::File,
        Kind::Folder => FoundBody::Folder(FoundFolder::unknown()),
        Kind::Link => FoundBody::Link(fs::read_link(path).ok()?.into_os_string().into_vec().into()),
        Kind::Other => FoundBody::Other,
    };
    let name = path.file_name().unwrap_or_default().as_bytes().into();
    let is_reported = !matches!(body, FoundBody::Unreported);
    Some(Found {
        name,
        meta,
        body,
        watch: watch.filter(|_| is_reported),
    })
}

/// The folder at `path` with all below it: level by level, so that neither a deep tree nor threads that take over each
/// other's work while they wait need more of a stack.
fn scan_folder(path: &Path, watches: &Watches) -> Result<(FoundFolder, Seen), Error> {
    let mut levels: Vec<Vec<(FoundFolder, Seen)>> = Vec::new();
    let mut paths = vec![path.to_path_buf()];
    while !paths.is_empty() {
        let list = |path: &PathBuf| list(path, watches);
        let listed: Result<Vec<Listed>, Error> = match paths.len() {
            1 => paths.iter().map(list).collect(),
            _ => paths.par_iter().map(list).collect(),
        };
        let (level, next) = look_at_all(&paths, listed?, watches);
        levels.push(level);
        paths = next;
    }
    // Each level's folders stand in the order in which the level above has them among its entries.
    let mut below = Vec::new();
    while let Some(mut level) = levels.pop() {
        let mut children = below.into_iter();
        let entries = level
            .iter_mut()
            .flat_map(|(folder, _)| folder.entries.iter_mut());
        for entry in entries.flatten() {
            if let FoundBody::Folder(folder) = &mut entry.body {
                let (found, seen) = children.next().unwrap_or_else(unknown);
                *folder = found;
                seen.tell(entry);
            }
        }
        below = level;
    }
    Ok(below.pop().unwrap_or_else(unknown))
}

impl FoundFolder {
    /// One that has not been looked into.
    fn unknown() -> Self {
        FoundFolder {
            entries: Err(Unreadable::Unknown),
            searchable: true,
        }
    }
}

fn unknown() -> (FoundFolder, Seen) {
    (FoundFolder::unknown(), Seen::NOT)
}

/// Watches a folder, and lists its names.
fn list(path: &Path, watches: &Watches) -> Result<Listed, Error> {
    let watch = watches.add_folder(path)?;
    let meta = fs::symlink_metadata(path).ok().map(|meta| Meta::of(&meta));
    let meta = meta.filter(|meta| meta.kind() == Kind::Folder);
    let searchable = is_searchable(path);
    let is_reported = meta.is_none_or(|meta| watches.volumes.report(meta.dev, path));
    let names = match is_beyond(path) || !is_reported {
        true => Err(Unreadable::Unknown),
        false => names_in(path),
    };
    let names = names.map(|mut names| {
        watches.glass.arrange(path, &mut names);
        names
    });
    let names = match names {
        Ok(names) if !searchable && !names.is_empty() => Err(Unreadable::Unknown),
        names => names,
    };
    Ok(Listed {
        names,
        searchable,
        seen: Seen {
            watch: watch.filter(|_| is_reported),
            meta,
        },
    })
}

/// Whether what lies in the folder at `path` is not looked at.
pub(crate) fn is_beyond(path: &Path) -> bool {
    let path = path.as_os_str().as_bytes();
    path.len() > LONGEST || path.iter().filter(|&&b| b == b'/').count() > DEEPEST
}

/// The entries of all folders of a level, and the paths of the folders among them.
fn look_at_all(
    paths: &[PathBuf],
    listed: Vec<Listed>,
    watches: &Watches,
) -> (Vec<(FoundFolder, Seen)>, Vec<PathBuf>) {
    let mut all: Vec<PathBuf> = Vec::new();
    for (path, listed) in paths.iter().zip(&listed) {
        let names = listed.names.iter().flatten();
        all.extend(names.map(|name| path.join(OsStr::from_bytes(name))));
    }
    let found: Vec<Option<Found>> = match all.len() {
        0..FEW => all.iter().map(|path| look(path, watches)).collect(),
        _ => all
            .par_iter()
            .with_min_len(FEW / 4)
            .map(|path| look(path, watches))
            .collect(),
    };
    let is_folder = |found: &Option<Found>| {
        let body = found.as_ref().map(|found| &found.body);
        matches!(body, Some(FoundBody::Folder(_)))
    };
    let folders = found.iter().map(is_folder);
    let next = all.iter().zip(folders).filter(|(_, is)| *is);
    let next = next.map(|(path, _)| path.clone()).collect();
    let mut found = found.into_iter();
    let level = listed.into_iter().map(|listed| {
        let entries = |names: Vec<_>| found.by_ref().take(names.len()).flatten().collect();
        let folder = FoundFolder {
            entries: listed.names.map(entries),
            searchable: listed.searchable,
        };
        (folder, listed.seen)
    });
    (level.collect(), next)
}

/// The names in a folder, in readdir's order.
pub(crate) fn names_in(path: &Path) -> Result<Vec<Vec<u8>>, Unreadable> {
    let errno = |error: std::io::Error| match error.raw_os_error() {
        Some(libc::ENAMETOOLONG | libc::ELOOP) | None => Unreadable::Unknown,
        Some(errno) => Unreadable::Errno(errno),
    };
    let folder = straight::open(path, libc::O_DIRECTORY).map_err(errno)?;
    let entries = fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))
        .or_else(|_| fs::read_dir(path)) // where there is no /proc
        .map_err(errno)?;
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(errno)?.file_name().into_vec());
    }
    Ok(names)
}

pub(crate) fn is_searchable(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: `path` is a NUL-terminated string that outlives the call.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}
