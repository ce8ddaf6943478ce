//! Writes into a file itself, which stays the same one: space is reserved first, and what was there is written back if
//! anything fails.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};

use rustix::fs::{fallocate, FallocateFlags, OFlags};
use rustix::io::Errno;

use crate::beneath::Spot;

/// A regular file that is to be written as a shell's `>` and `>>` write it: whoever has it open sees the change, and other
/// names of it do.
#[derive(Debug)]
pub struct InPlace {
    spot: Spot,
    file: File,
    append: bool,
}

impl InPlace {
    /// Opens the file `name` in `folder`, to be written as a whole, or to `append` to it. Nothing changes.
    ///
    /// # Errors
    /// Where it may not be written, is a link or not a regular file, or is not there.
    pub fn open(folder: OwnedFd, name: &OsStr, append: bool) -> io::Result<Self> {
        let spot = Spot {
            folder,
            name: name.to_owned(),
        };
        let flags = match append {
            true => OFlags::WRONLY | OFlags::APPEND,
            false => OFlags::WRONLY,
        };
        let file = File::from(spot.open(flags)?);
        match file.metadata()?.is_file() {
            true => Ok(InPlace { spot, file, append }),
            false => Err(io::Error::other("not a regular file")),
        }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// Where they cannot all be written: then the file is what it was.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self.append {
            true => append(&self.file, bytes),
            false => overwrite(&self.spot, &self.file, bytes),
        }
    }
}

/// Write behind what is in `file`, which was opened to be appended to.
fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    reserve(file, length, bytes.len())?;
    file.write_all(bytes).inspect_err(|_| {
        // What somebody else has appended meanwhile is not cut off.
        let is_ours = |now: u64| now.saturating_sub(length) <= bytes.len() as u64;
        if file.metadata().is_ok_and(|now| is_ours(now.len())) {
            let _ = file.set_len(length);
        }
    })
}

/// Asks for room for `wanted` bytes from `offset` on; what cannot be asked for is found out in writing.
fn reserve(file: &File, offset: u64, wanted: usize) -> io::Result<()> {
    let reserved = match wanted {
        0 => Ok(()),
        wanted => fallocate(file, FallocateFlags::KEEP_SIZE, offset, wanted as u64),
    };
    match reserved {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Write into the file itself, which `file` has open for writing.
pub(crate) fn overwrite(spot: &Spot, file: &File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    let before = first_bytes(spot, file, length.min(bytes.len() as u64))?;
    // Not every file system can; there, what was there is written back.
    let write = || {
        reserve(file, 0, bytes.len())?;
        file.write_all_at(bytes, 0)?;
        file.set_len(bytes.len() as u64)
    };
    write().inspect_err(|_| {
        let _ = file.write_all_at(&before, 0);
        let _ = file.set_len(length);
    })
}

/// The first `length` bytes of a file, also of one that its owner may write and not read.
fn first_bytes(spot: &Spot, file: &File, length: u64) -> io::Result<Vec<u8>> {
    let mut before = Vec::new();
    if length == 0 {
        return Ok(before);
    }
    let mut read = || -> io::Result<()> {
        let mut readable = File::from(spot.open(OFlags::RDONLY)?);
        let (same, found) = (file.metadata()?, readable.metadata()?);
        if (same.dev(), same.ino()) != (found.dev(), found.ino()) {
            return Err(Errno::LOOP.into()); // another file took its place: all is done again
        }
        readable.rewind()?;
        readable.take(length).read_to_end(&mut before).map(|_| ())
    };
    if let Err(error) = read() {
        if error.raw_os_error() != Some(libc::EACCES) {
            return Err(error);
        }
        let mode = file.metadata()?.mode() & 0o7777;
        file.set_permissions(Permissions::from_mode(mode | 0o400))?;
        let found = read();
        file.set_permissions(Permissions::from_mode(mode))?;
        found?;
    }
    Ok(before)
}
