//! `edit` and `write`: the one implementation for all engines.
//!
//! Atomic for readers: a new file takes the old one's place. A file with several hard links is written in place,
//! since replacing it would cut the links; links are followed; the mode stays. One at a time, so that of two edits of one
//! file neither is lost.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use curserve_proto::{Answer, Call};
use memchr::memmem;
use rustix::fs::{openat, renameat, unlinkat, AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::arguments::{flag, optional_text, text, Wrong};
use crate::beneath::Spot;
use crate::files::{complaint, reason};
use crate::places::Places;

/// The turn to change files: whoever holds it is the only one in this process, from reading a file to replacing it.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // It guards files, not memory: a thread that panicked with it has left nothing half-changed here.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replace a string in a file; no file may be longer than `most` bytes, before or after.
pub fn edit(call: &Call, places: &Places, cwd: &str, most: u64) -> Result<Answer, Wrong> {
    let (path, old) = (text(call, "path")?, text(call, "old")?);
    let new = optional_text(call, "new")?.unwrap_or("");
    let all = flag(call, "all", false)?;
    let _turn = turn();
    let edited = places.reach(cwd, path, false, |spot| match old {
        "" => create(spot, new.as_bytes()),
        _ => replace(spot, (old, new), all, most),
    });
    match edited {
        Ok(None) => Ok(silence()),
        Ok(Some(what)) => Ok(complaint("edit", path, &what)),
        Err(miss) => Err(miss.answer(|error| complaint("edit", path, &reason(error)))),
    }
}

/// Creates a file; or says what is wrong.
fn create(spot: &Spot, content: &[u8]) -> io::Result<Option<String>> {
    let is_new = spot.stat()?.is_none_or(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_size == 0
    });
    if !is_new {
        let what = "an empty old string creates a file, and this one is there already";
        return Ok(Some(what.to_owned()));
    }
    put(spot, content).map(|()| None)
}

/// Replaces `old` by `new`; or says what is wrong. Neither file may be longer than `most`.
fn replace(
    spot: &Spot,
    (old, new): (&str, &str),
    all: bool,
    most: u64,
) -> io::Result<Option<String>> {
    let too_long = || {
        Ok(Some(format!(
            "more than {most} bytes, and no file may have more"
        )))
    };
    let file = spot.open_regular()?;
    if file.metadata()?.len() > most {
        return too_long();
    }
    let mut before = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut before)?;
    let finder = memmem::Finder::new(old);
    let count = finder.find_iter(&before).count();
    match count {
        0 => return Ok(Some("the old string is not in it".to_owned())),
        1 => {}
        n if !all => {
            return Ok(Some(format!(
                "the old string is in it {n} times; give more of its surroundings, or replace all"
            )));
        }
        _ => {}
    }
    let length = count
        .checked_mul(new.len())
        .and_then(|added| added.checked_add(before.len() - count * old.len()));
    let Some(length) = length.filter(|&length| length.max(before.len()) as u64 <= most) else {
        return too_long();
    };
    let mut after = Vec::with_capacity(length);
    let mut done = 0;
    for at in finder.find_iter(&before) {
        after.extend_from_slice(&before[done..at]);
        after.extend_from_slice(new.as_bytes());
        done = at + old.len();
    }
    after.extend_from_slice(&before[done..]);
    drop(before);
    put(spot, &after).map(|()| None)
}

/// Create or replace a file.
pub fn write(call: &Call, places: &Places, cwd: &str) -> Result<Answer, Wrong> {
    let (path, content) = (text(call, "path")?, text(call, "content")?);
    let _turn = turn();
    match places.reach(cwd, path, true, |spot| put(spot, content.as_bytes())) {
        Ok(()) => Ok(silence()),
        Err(miss) => Err(miss.answer(|error| complaint("write", path, &reason(error)))),
    }
}

fn silence() -> Answer {
    Answer::done(0, "", "")
}

/// Give the file at `spot` the content `bytes`, as the module tells.
fn put(spot: &Spot, bytes: &[u8]) -> io::Result<()> {
    let old = spot.stat()?;
    if let Some(stat) = &old {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR.into()),
            _ => return Err(io::Error::other("not a regular file")),
        }
        if stat.st_nlink > 1 {
            let file = spot.open(OFlags::WRONLY | OFlags::TRUNC)?;
            return File::from(file).write_all(bytes);
        }
        // What may not be written must not be replaced either.
        spot.open(OFlags::WRONLY)?;
    }
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let beside = format!(".curserve.{}.{number}", std::process::id());
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut file = File::from(openat(
        &spot.folder,
        &beside,
        new,
        Mode::from_raw_mode(0o666),
    )?);
    let mut fill = || {
        file.write_all(bytes)?;
        if let Some(stat) = &old {
            file.set_permissions(fs::Permissions::from_mode(stat.st_mode & 0o7777))?;
        }
        Ok(renameat(&spot.folder, &beside, &spot.folder, &spot.name)?)
    };
    let filled = fill();
    if filled.is_err() {
        let _ = unlinkat(&spot.folder, &beside, AtFlags::empty());
    }
    filled
}
