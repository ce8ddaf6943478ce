//! Edits of the server, and how they are written.

use crate::entry::{Entry, Hash};
use crate::fault::Fault;
use crate::path::{RelPath, MAX_PATH};
use crate::wire::{Reader, Writer, MAX_FILE};

use super::op::Content;
use super::op_wire::{read_content, read_option, write_content, write_option};

/// What the server wants to change on the client's disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A file has this content. Its mode stays, unless one is given.
    File {
        /// Permissions.
        mode: Option<u16>,
        /// The content's length in bytes.
        size: u64,
        /// The hash of the content.
        hash: Hash,
        /// The content.
        content: Content,
    },
    /// A link.
    Link {
        /// Where it points.
        target: Box<[u8]>,
    },
    /// A folder.
    Folder {
        /// Permissions.
        mode: u16,
    },
    /// A file, a link or an empty folder is gone.
    Remove,
    /// The mode is this.
    Mode {
        /// Permissions.
        mode: u16,
    },
}

/// An edit of the server: done if the client still has what the server had seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its number in the session.
    pub id: u64,
    /// Where.
    pub path: RelPath,
    /// What was there.
    pub base: Option<Entry>,
    /// What is to be there.
    pub change: Change,
}

pub(crate) fn write_proposal(w: &mut Writer, proposal: &Proposal) {
    w.number(proposal.id);
    w.bytes(proposal.path.bytes());
    write_option(w, &proposal.base);
    match &proposal.change {
        Change::File {
            mode,
            size,
            hash,
            content,
        } => {
            w.byte(1);
            w.number(mode.map_or(0, |mode| u64::from(mode) + 1));
            w.number(*size);
            w.hash(hash);
            write_content(w, content);
        }
        Change::Link { target } => {
            w.byte(2);
            w.bytes(target);
        }
        Change::Folder { mode } => {
            w.byte(3);
            w.number((*mode).into());
        }
        Change::Remove => w.byte(4),
        Change::Mode { mode } => {
            w.byte(5);
            w.number((*mode).into());
        }
    }
}

/// An edit whose content has at most `most` bytes: on the wire, or in a log.
pub(crate) fn read_proposal(r: &mut Reader<'_>, most: usize) -> Result<Proposal, Fault> {
    let id = r.number("edit")?;
    let path = r.path("path")?;
    if path.is_root() {
        return Err(Fault::new("an edit of the root"));
    }
    let base = read_option(r)?;
    let change = match r.byte("change")? {
        1 => Change::File {
            mode: {
                let mode = r.limited(0o10000, "mode")?;
                mode.checked_sub(1).map(|mode| mode as u16)
            },
            size: r.limited(MAX_FILE, "size")?,
            hash: r.hash("hash")?,
            content: read_content(r, most)?,
        },
        2 => {
            let target = r.bytes(MAX_PATH, "link target")?;
            if target.is_empty() || target.contains(&0) {
                return Err(Fault::new("a link target that is none"));
            }
            Change::Link {
                target: target.into(),
            }
        }
        3 => Change::Folder { mode: r.mode()? },
        4 => Change::Remove,
        5 => Change::Mode { mode: r.mode()? },
        other => return Err(Fault::new(format!("a change of kind {other}"))),
    };
    Ok(Proposal {
        id,
        path,
        base,
        change,
    })
}
