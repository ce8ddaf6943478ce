//! What records do, and what became of edits.

use std::sync::Arc;

use crate::entry::{Entry, Hash};
use crate::path::{Name, RelPath};
use crate::tree::Place;

/// A content, or how to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The node has none.
    None,
    /// The whole.
    Whole(Arc<[u8]>),
    /// A zstd frame whose dictionary is the content with hash `base`.
    Delta {
        /// The content that the peer has at this path.
        base: Hash,
        /// The frame.
        frame: Arc<[u8]>,
    },
    /// It travels in pieces behind this message.
    Bulk {
        /// How many bytes the peer has already, from a connection that was cut.
        have: u64,
    },
}

/// What a record does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// There is this node now, whatever was there. A folder that is there keeps what is in it.
    Put {
        /// Where.
        path: RelPath,
        /// What.
        entry: Entry,
        /// Where among its siblings, if it is new.
        place: Place,
        /// Its content.
        content: Content,
    },
    /// It is gone, and all below it.
    Delete {
        /// What.
        path: RelPath,
    },
    /// It lies elsewhere now, and takes the place of what was there.
    Rename {
        /// From here …
        from: RelPath,
        /// … to there.
        to: RelPath,
        /// Where among its new siblings.
        place: Place,
    },
    /// Mode and time are these now.
    Meta {
        /// Of which node.
        path: RelPath,
        /// Permissions.
        mode: u16,
        /// Time of the last change, ns.
        mtime: i64,
    },
    /// These names of a folder stand directly behind a place.
    Order {
        /// The folder.
        path: RelPath,
        /// The place.
        place: Place,
        /// The names, in order.
        run: Vec<Name>,
    },
    /// What follows is seen as one change …
    Begin,
    /// … up to here.
    Commit,
    /// What has come since the beginning may be applied, although it is not the end: nothing is answered until that.
    Flush,
    /// What the client has done with an edit of the server.
    Verdict {
        /// Which.
        id: u64,
        /// What.
        outcome: Outcome,
        /// What is there now, if the edit was accepted.
        entry: Option<Entry>,
    },
    /// What was lost on the server is whole again.
    Healed {
        /// The number of the loss.
        id: u64,
    },
    /// The server has all that the client has.
    InStep,
}

/// What became of an edit of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on the client's disk.
    Accepted,
    /// Both sides' changes are in the file now.
    Merged,
    /// The client's version stays. The server's is kept here, if it had a content.
    Conflict(Option<RelPath>),
    /// Such a path is not for the server to change; the text says why.
    Denied(String),
}
