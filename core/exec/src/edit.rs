//! `edit` and `write`: the one implementation for all engines.
//!
//! Atomic for readers: a new file takes the old one's place. A file with several hard links is written in place,
//! since replacing it would cut the links; links are followed; the mode stays.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use curserve_proto::{Answer, Call};
use memchr::memmem;

use crate::arguments::{flag, optional_text, text, Wrong};
use crate::files::{complaint, open_regular, reason};
use crate::places::Places;

/// Replace a string in a file.
pub fn edit(call: &Call, places: &Places, cwd: &str) -> Result<Answer, Wrong> {
    let (path, old) = (text(call, "path")?, text(call, "old")?);
    let new = optional_text(call, "new")?.unwrap_or("");
    let all = flag(call, "all", false)?;
    let real = places.real(cwd, path);
    if old.is_empty() {
        let empty = fs::metadata(&real).map_or_else(
            |e| e.kind() == io::ErrorKind::NotFound,
            |m| m.is_file() && m.len() == 0,
        );
        if !empty {
            return Ok(complaint(
                "edit",
                path,
                "an empty old string creates a file, and this one is there already",
            ));
        }
        return Ok(put(&real, new.as_bytes()).map_or_else(
            |error| complaint("edit", path, &reason(&error)),
            |()| silence(),
        ));
    }
    let mut before = Vec::new();
    match open_regular(&real) {
        Ok(mut file) => {
            if let Err(error) = file.read_to_end(&mut before) {
                return Ok(complaint("edit", path, &reason(&error)));
            }
        }
        Err(what) => return Ok(complaint("edit", path, &what)),
    }
    let found: Vec<usize> = memmem::find_iter(&before, old).collect();
    match found.len() {
        0 => return Ok(complaint("edit", path, "the old string is not in it")),
        1 => {}
        n if !all => {
            return Ok(complaint("edit", path, &format!("the old string is in it {n} times; give more of its surroundings, or replace all")));
        }
        _ => {}
    }
    let mut after = Vec::with_capacity(before.len() + found.len() * new.len());
    let mut done = 0;
    for at in found {
        after.extend_from_slice(&before[done..at]);
        after.extend_from_slice(new.as_bytes());
        done = at + old.len();
    }
    after.extend_from_slice(&before[done..]);
    Ok(put(&real, &after).map_or_else(
        |error| complaint("edit", path, &reason(&error)),
        |()| silence(),
    ))
}

/// Create or replace a file.
pub fn write(call: &Call, places: &Places, cwd: &str) -> Result<Answer, Wrong> {
    let (path, content) = (text(call, "path")?, text(call, "content")?);
    let real = places.real(cwd, path);
    let made = real
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| put(&real, content.as_bytes()));
    Ok(made.map_or_else(
        |error| complaint("write", path, &reason(&error)),
        |()| silence(),
    ))
}

fn silence() -> Answer {
    Answer::done(0, "", "")
}

/// Give the file at `path` the content `bytes`, as the module tells.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = follow(path)?;
    let old = match fs::symlink_metadata(&path) {
        Ok(meta) => Some(meta),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if let Some(meta) = &old {
        if meta.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "Is a directory",
            ));
        }
        if !meta.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        if meta.nlink() > 1 {
            // O_NONBLOCK: should it have become a FIFO since, this fails instead of waiting.
            let mut file = File::options()
                .write(true)
                .truncate(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(&path)?;
            return file.write_all(bytes);
        }
        // What may not be written must not be replaced either.
        File::options()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)?;
    }
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_file_name(format!(".curserve.{}.{number}", std::process::id()));
    let written = File::options()
        .write(true)
        .create_new(true)
        .mode(0o666)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            if let Some(meta) = &old {
                file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o7777))?;
            }
            fs::rename(&beside, &path)
        });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

/// The path behind links, so that a link is written through and not replaced.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return Ok(path), // no link, or nothing there
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}
