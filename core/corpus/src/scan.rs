//! The walk over the live file system: names, metadata and order, before any content is read.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rayon::prelude::*;

use crate::meta::{Kind, Meta};
use crate::straight;
use crate::tree::Unreadable;
use crate::watch::Watches;
use crate::Error;

/// A node as the walk found it; files carry no content yet.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: Box<[u8]>,
    pub(crate) meta: Meta,
    pub(crate) body: FoundBody,
}

#[derive(Debug)]
pub(crate) enum FoundBody {
    File,
    Folder(FoundFolder),
    Link(Box<[u8]>),
    Other,
}

#[derive(Debug)]
pub(crate) struct FoundFolder {
    pub(crate) entries: Result<Vec<Found>, Unreadable>,
    pub(crate) searchable: bool,
    pub(crate) watch: Option<i32>,
}

/// What lies at `path`; None where it is gone. Folders are watched before they are read, so that nothing falls between.
pub(crate) fn scan(path: &Path, watches: &Watches) -> Result<Option<Found>, Error> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(None);
    };
    let meta = Meta::of(&metadata);
    let body = match meta.kind() {
        Kind::File => FoundBody::File,
        Kind::Folder => FoundBody::Folder(scan_folder(path, watches)?),
        Kind::Link => match fs::read_link(path) {
            Ok(target) => FoundBody::Link(target.into_os_string().into_vec().into()),
            Err(_) => return Ok(None),
        },
        Kind::Other => FoundBody::Other,
    };
    let name = path.file_name().unwrap_or_default().as_bytes().into();
    Ok(Some(Found { name, meta, body }))
}

fn scan_folder(path: &Path, watches: &Watches) -> Result<FoundFolder, Error> {
    let watch = watches.add(path)?;
    let searchable = is_searchable(path);
    let names = match names_in(path) {
        Ok(names) => names,
        Err(why) => {
            return Ok(FoundFolder {
                entries: Err(why),
                searchable,
                watch,
            })
        }
    };
    if !searchable && !names.is_empty() {
        return Ok(FoundFolder {
            entries: Err(Unreadable::Unknown),
            searchable,
            watch,
        });
    }
    let found: Result<Vec<Option<Found>>, Error> = names
        .par_iter()
        .map(|name| scan(&path.join(OsStr::from_bytes(name)), watches))
        .collect();
    let entries = Ok(found?.into_iter().flatten().collect());
    Ok(FoundFolder {
        entries,
        searchable,
        watch,
    })
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
