//! What a change makes of a node.

use std::io;

use crate::disk::{Look, New, Seen};
use crate::entry::{Entry, Kind};
use crate::message::{Change, Content};

/// Whether an error may pass by itself; after any other the machine is not to be used any more.
pub(super) fn passes(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::ConnectionAborted
}

/// Whether an edit is to be seen in what is there.
pub(super) fn shows(there: Option<&Entry>, change: &Change) -> bool {
    match (there, change) {
        (None, Change::Remove) => true,
        (Some(_), Change::Remove) | (None, _) => false,
        (Some(entry), change) => is_of(entry, change),
    }
}

/// Whether `entry` is what `change` makes.
pub(super) fn is_of(entry: &Entry, change: &Change) -> bool {
    match change {
        Change::File { hash, .. } => entry.content() == Some(*hash),
        Change::Link { target } => {
            matches!(&entry.kind, Kind::Link { target: there } if there == target)
        }
        Change::Folder { .. } => entry.is_folder(),
        Change::Mode { mode } => entry.mode == *mode,
        Change::Remove => false,
    }
}

pub(super) fn same_kind(seen: &Seen, kind: &Kind) -> bool {
    matches!(
        (seen, kind),
        (Seen::Folder, Kind::Folder)
            | (Seen::File(_), Kind::File { .. })
            | (Seen::Link(_), Kind::Link { .. })
            | (Seen::Withheld { .. }, Kind::Withheld { .. })
    )
}

/// The node that a change makes, with `mode` where it says none.
pub(super) fn made(change: &Change, mode: u16) -> Option<New> {
    match change {
        Change::File {
            mode: own, content, ..
        } => match content {
            Content::Whole(bytes) => Some(New::File {
                bytes: bytes.clone(),
                mode: Some(own.unwrap_or(mode)),
                mtime: None,
            }),
            _ => None,
        },
        Change::Link { target } => Some(New::Link {
            target: target.clone(),
            mtime: None,
        }),
        Change::Folder { mode } => Some(New::Folder { mode: *mode }),
        Change::Remove | Change::Mode { .. } => None,
    }
}

/// Whether `change` can be made of what is there.
pub(super) fn possible(there: Option<&Look>, change: &Change) -> io::Result<()> {
    use io::ErrorKind::{AlreadyExists, InvalidInput, IsADirectory, NotFound, PermissionDenied};
    let kind = match (there.map(|look| &look.kind), change) {
        (Some(Seen::Withheld { .. }), _) => PermissionDenied,
        (Some(_), Change::Folder { .. }) => AlreadyExists,
        (Some(Seen::Folder), Change::File { .. } | Change::Link { .. }) => IsADirectory,
        (None, Change::Remove | Change::Mode { .. }) => NotFound,
        (Some(Seen::Link(_)), Change::Mode { .. }) => InvalidInput,
        _ => return Ok(()),
    };
    Err(kind.into())
}
