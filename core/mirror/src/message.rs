//! The messages of both sides, and how they are written (docs/MIRROR.md has the table).

mod decode;
mod encode;
mod op;
mod op_wire;
mod proposal;

use std::sync::Arc;

use crate::entry::{Entry, Hash};
use crate::path::RelPath;
use crate::tree::Listed;

pub use op::{Content, Op, Outcome};
pub(crate) use op_wire::{read_outcome, write_outcome};
pub(crate) use proposal::{read_proposal, write_proposal};
pub use proposal::{Change, Proposal};

/// The version of the protocol.
pub const VERSION: u64 = 1;
/// The longest message, in bytes.
pub const MAX_MESSAGE: usize = 1 << 20;
/// The longest content within a message; what is longer travels in pieces.
pub const MAX_INLINE: usize = 256 << 10;
/// The longest piece.
pub const MAX_PIECE: usize = 64 << 10;
/// The most names in one message.
pub const MAX_NAMES: usize = 2000;
/// The most edits of the server that may wait for the client.
pub const MAX_PENDING: usize = 4096;
/// The longest call or result, in bytes.
pub const MAX_BODY: usize = 768 << 10;
/// The longest description of the workspace, in bytes.
pub const MAX_FACTS: usize = 64 << 10;

/// How far the client's records have come: a call that needs one is answered when it has been applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stand {
    /// The number of the connection; each has a higher one than those before.
    pub epoch: u64,
    /// The number of the record in it.
    pub sequence: u64,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The server's first.
    Welcome {
        /// The protocol's version.
        version: u64,
        /// The session, drawn at random when it was made.
        session: [u8; 16],
        /// The last epoch that it has seen.
        epoch: u64,
        /// The hash of the whole tree.
        root: Hash,
        /// The root folder itself.
        entry: Entry,
        /// Edits that wait for a verdict.
        pending: Vec<u64>,
        /// Of which contents it has how many bytes, from a connection that was cut.
        partial: Vec<(Hash, u64)>,
    },
    /// The client's first.
    Hello {
        /// The protocol's version.
        version: u64,
        /// Which client, drawn at random when it was made.
        client: [u8; 16],
        /// The epoch that begins.
        epoch: u64,
    },
    /// A change on the client.
    Record {
        /// One more than that of the one before.
        sequence: u64,
        /// What changed.
        op: Op,
    },
    /// A piece of a content; the only message that others overtake.
    Piece {
        /// Of which record, or of which edit.
        number: u64,
        /// The bytes that follow those before.
        bytes: Arc<[u8]>,
    },
    /// What does the server have in this folder?
    Ask {
        /// The number of the question.
        id: u64,
        /// The folder.
        path: RelPath,
    },
    /// That.
    Listing {
        /// The number of the question.
        id: u64,
        /// Whether there is no more.
        last: bool,
        /// Names, in order.
        entries: Vec<Listed>,
    },
    /// An edit of the server.
    Propose(Proposal),
    /// All records up to this one have been applied.
    Applied {
        /// Its number.
        sequence: u64,
    },
    /// The server cannot make out what is at this path: once more, and whole.
    Lost {
        /// The number of the loss.
        id: u64,
        /// Where.
        path: RelPath,
    },
    /// The base of this edit is not here any more: once more, and whole.
    Again {
        /// The edit.
        id: u64,
    },
    /// What the server must know of the client's machine: a JSON object.
    Facts {
        /// The object.
        body: Arc<[u8]>,
    },
    /// A part of a call or result that is too long for one message; the rest comes behind it.
    Part {
        /// The number of the call.
        id: u64,
        /// The bytes that follow those before.
        bytes: Arc<[u8]>,
    },
    /// A call.
    Call {
        /// Its number, chosen by the caller.
        id: u64,
        /// What must have been applied before it is answered.
        needs: Stand,
        /// A request of docs/PROTOCOL.md.
        body: Arc<[u8]>,
    },
    /// Its result.
    Result {
        /// The number of the call.
        id: u64,
        /// What had been applied.
        seen: Stand,
        /// An answer of docs/PROTOCOL.md; None: not answered here.
        body: Option<Arc<[u8]>>,
    },
    /// The other side ends the connection, and why.
    Goodbye {
        /// One line.
        reason: String,
    },
}

impl Message {
    /// Whether others may overtake it.
    pub fn is_bulk(&self) -> bool {
        matches!(self, Message::Piece { .. })
    }

    /// What kind of message it is, for whoever reads of a fault.
    pub fn name(&self) -> &'static str {
        match self {
            Message::Welcome { .. } => "a welcome",
            Message::Hello { .. } => "a hello",
            Message::Record { .. } => "a record",
            Message::Piece { .. } => "a piece",
            Message::Ask { .. } => "a question",
            Message::Listing { .. } => "a listing",
            Message::Propose(_) => "an edit",
            Message::Applied { .. } => "an acknowledgement",
            Message::Lost { .. } => "a loss",
            Message::Again { .. } => "a request for an edit",
            Message::Facts { .. } => "facts",
            Message::Part { .. } => "a part",
            Message::Call { .. } => "a call",
            Message::Result { .. } => "a result",
            Message::Goodbye { .. } => "a goodbye",
        }
    }
}
