//! `edit` and `write`: the one implementation for all engines.
//!
//! A write that fails leaves the old file, and everything but the content stays ([`put`]); links are followed. One at a
//! time, so that of two edits of one file neither is lost.

use std::io::{self, Read};
use std::sync::{Mutex, MutexGuard, PoisonError};

use curserve_proto::{Answer, Call};
use memchr::memmem;
use rustix::fs::FileType;

use crate::arguments::{flag, optional_text, text, Wrong};
use crate::beneath::Spot;
use crate::files::{complaint, reason};
use crate::places::Places;
use crate::put::put;

/// The turn to change files: whoever holds it is the only one in this process, from reading a file to replacing it.
pub fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // It guards files, not memory: a thread that panicked with it has left nothing half-changed here.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replace a string in a file; no file may be longer than `most` bytes, before or after.
///
/// # Errors
/// What to answer where an argument is missing or of a wrong type, or the path leads out of the workspace.
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
///
/// # Errors
/// As [`edit`].
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
