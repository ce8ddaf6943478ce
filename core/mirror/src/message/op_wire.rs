//! How records are written.

use crate::entry::Entry;
use crate::fault::Fault;
use crate::path::RelPath;
use crate::wire::{Reader, Writer, MAX_FILE};

use super::op::{Content, Op, Outcome};
use super::{MAX_INLINE, MAX_NAMES};

pub(super) fn write_content(w: &mut Writer, content: &Content) {
    match content {
        Content::None => w.byte(0),
        Content::Whole(bytes) => {
            w.byte(1);
            w.bytes(bytes);
        }
        Content::Delta { base, frame } => {
            w.byte(2);
            w.hash(base);
            w.bytes(frame);
        }
        Content::Bulk { have } => {
            w.byte(3);
            w.number(*have);
        }
    }
}

pub(super) fn read_content(r: &mut Reader<'_>, most: usize) -> Result<Content, Fault> {
    Ok(match r.byte("content")? {
        0 => Content::None,
        1 => Content::Whole(r.bytes(most, "content")?.into()),
        2 => Content::Delta {
            base: r.hash("base")?,
            frame: r.bytes(MAX_INLINE, "delta")?.into(),
        },
        3 => Content::Bulk {
            have: r.limited(MAX_FILE, "bytes of content")?,
        },
        other => return Err(Fault::new(format!("a content of kind {other}"))),
    })
}

pub(super) fn write_option(w: &mut Writer, entry: &Option<Entry>) {
    w.byte(u8::from(entry.is_some()));
    if let Some(entry) = entry {
        w.entry(entry);
    }
}

pub(super) fn read_option(r: &mut Reader<'_>) -> Result<Option<Entry>, Fault> {
    match r.limited(1, "entry")? {
        0 => Ok(None),
        _ => Ok(Some(r.entry()?)),
    }
}

pub(crate) fn write_outcome(w: &mut Writer, outcome: &Outcome) {
    match outcome {
        Outcome::Accepted => w.byte(0),
        Outcome::Merged => w.byte(1),
        Outcome::Conflict(copy) => {
            w.byte(2);
            w.bytes(copy.as_ref().map_or(&[][..], RelPath::bytes));
        }
        Outcome::Denied(why) => {
            w.byte(3);
            w.bytes(why.as_bytes());
        }
    }
}

pub(crate) fn read_outcome(r: &mut Reader<'_>) -> Result<Outcome, Fault> {
    Ok(match r.byte("outcome")? {
        0 => Outcome::Accepted,
        1 => Outcome::Merged,
        2 => {
            let copy = r.path("copy")?;
            Outcome::Conflict((!copy.is_root()).then_some(copy))
        }
        3 => Outcome::Denied(read_text(r, "reason")?),
        other => return Err(Fault::new(format!("an outcome of kind {other}"))),
    })
}

pub(super) fn write_op(w: &mut Writer, op: &Op) {
    match op {
        Op::Put {
            path,
            entry,
            place,
            content,
        } => {
            w.byte(1);
            w.bytes(path.bytes());
            w.entry(entry);
            w.place(place);
            write_content(w, content);
        }
        Op::Delete { path } => {
            w.byte(2);
            w.bytes(path.bytes());
        }
        Op::Rename { from, to, place } => {
            w.byte(3);
            w.bytes(from.bytes());
            w.bytes(to.bytes());
            w.place(place);
        }
        Op::Meta { path, mode, mtime } => {
            w.byte(4);
            w.bytes(path.bytes());
            w.number((*mode).into());
            w.signed(*mtime);
        }
        Op::Order { path, place, run } => {
            w.byte(5);
            w.bytes(path.bytes());
            w.place(place);
            w.number(run.len() as u64);
            run.iter().for_each(|name| w.bytes(name));
        }
        Op::Begin => w.byte(6),
        Op::Commit => w.byte(7),
        Op::Verdict { id, outcome, entry } => {
            w.byte(8);
            w.number(*id);
            write_outcome(w, outcome);
            write_option(w, entry);
        }
        Op::Healed { id } => {
            w.byte(9);
            w.number(*id);
        }
        Op::InStep => w.byte(10),
        Op::Flush => w.byte(11),
    }
}

pub(super) fn read_op(r: &mut Reader<'_>) -> Result<Op, Fault> {
    Ok(match r.byte("operation")? {
        1 => Op::Put {
            path: r.path("path")?,
            entry: r.entry()?,
            place: r.place()?,
            content: read_content(r, MAX_INLINE)?,
        },
        2 => Op::Delete {
            path: r.path("path")?,
        },
        3 => Op::Rename {
            from: r.path("old path")?,
            to: r.path("new path")?,
            place: r.place()?,
        },
        4 => Op::Meta {
            path: r.path("path")?,
            mode: r.mode()?,
            mtime: r.signed("mtime")?,
        },
        5 => Op::Order {
            path: r.path("folder")?,
            place: r.place()?,
            run: {
                let count = r.limited(MAX_NAMES as u64, "count of names")?;
                let names = (0..count).map(|_| r.name("name"));
                names.collect::<Result<_, _>>()?
            },
        },
        6 => Op::Begin,
        7 => Op::Commit,
        8 => Op::Verdict {
            id: r.number("edit")?,
            outcome: read_outcome(r)?,
            entry: read_option(r)?,
        },
        9 => Op::Healed {
            id: r.number("loss")?,
        },
        10 => Op::InStep,
        11 => Op::Flush,
        other => return Err(Fault::new(format!("an operation of kind {other}"))),
    })
}

/// A short text of the peer's; whatever would move a terminal's cursor is spelt.
pub(super) fn read_text(r: &mut Reader<'_>, field: &str) -> Result<String, Fault> {
    let text = String::from_utf8_lossy(r.bytes(1024, field)?).into_owned();
    let plain = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Ok(text.chars().map(plain).collect())
}
