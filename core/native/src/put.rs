//! Gives a file its new content, or leaves the old one: whatever fails, on whatever kind of file.
//!
//! A new file takes the old one's place, so that readers see the one or the other. Where that would change more than the
//! content (several hard links, another owner, extended attributes, a folder that takes no new file) the old one is
//! written in place: space is reserved first, and what was there is written back if anything fails. Only whoever is
//! killed in the middle of that leaves a mixture.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{fchown, MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{openat, renameat, unlinkat};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::beneath::Spot;
use crate::in_place::overwrite;

/// Names that are tried for a new file: somebody may have taken the first ones.
const NAMES: usize = 64;

/// Give the file at `spot` the content `bytes`, as the module tells; there need not be one.
///
/// # Errors
/// Where it cannot be written: then the old file is what it was.
pub(crate) fn put(spot: &Spot, bytes: &[u8]) -> io::Result<()> {
    let Some(old) = spot.stat()? else {
        return replace(spot, bytes, None);
    };
    match FileType::from_raw_mode(old.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Errno::ISDIR.into()),
        _ => return Err(io::Error::other("not a regular file")),
    }
    // What may not be written must not be replaced either.
    let file = File::from(spot.open(OFlags::WRONLY)?);
    if old.st_nlink > 1 || has_attributes(&file) {
        return overwrite(spot, &file, bytes);
    }
    match replace(spot, bytes, Some(&old)) {
        // No new file is to be had there, or none like the old one; that it cannot be written is an answer.
        Err(error) if !is_full(&error) => overwrite(spot, &file, bytes),
        done => done,
    }
}

/// Whether there is no room, which there will not be in place either.
fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EFBIG | libc::EIO))
}

fn has_attributes(file: &File) -> bool {
    let mut names = [0u8; 0];
    matches!(rustix::fs::flistxattr(file, &mut names[..]), Ok(1..))
}

/// Write a new file beside the old one, like it, and move it to its place.
fn replace(spot: &Spot, bytes: &[u8], old: Option<&Stat>) -> io::Result<()> {
    let (mut file, beside) = create(spot)?;
    let mut fill = || {
        file.write_all(bytes)?;
        if let Some(old) = old {
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (old.st_uid, old.st_gid) {
                fchown(&file, Some(old.st_uid), Some(old.st_gid))?;
            }
            file.set_permissions(Permissions::from_mode(old.st_mode & 0o7777))?;
        }
        Ok(renameat(&spot.folder, &beside, &spot.folder, &spot.name)?)
    };
    let filled = fill();
    if filled.is_err() {
        let _ = unlinkat(&spot.folder, &beside, AtFlags::empty());
    }
    filled
}

fn create(spot: &Spot) -> io::Result<(File, String)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut last = Errno::EXIST;
    for _ in 0..NAMES {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let beside = format!(".curserve.{}.{number}", std::process::id());
        match openat(&spot.folder, &beside, new, Mode::from_raw_mode(0o666)) {
            Ok(file) => return Ok((file.into(), beside)),
            Err(Errno::EXIST) => {}
            Err(error) => {
                last = error;
                break;
            }
        }
    }
    Err(last.into())
}

#[cfg(test)]
mod tests;
