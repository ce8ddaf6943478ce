//! The messages of both sides, and how they are written (docs/MIRROR.md has the table).

use std::sync::Arc;

use crate::entry::{Entry, Hash};
use crate::fault::Fault;
use crate::path::{Name, RelPath, MAX_PATH};
use crate::tree::{Listed, Place};
use crate::wire::{Reader, Writer, MAX_FILE};

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

/// How far the client's records have come: a call that needs one is answered when it has been applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stand {
    /// The number of the connection; each has a higher one than those before.
    pub epoch: u64,
    /// The number of the record in it.
    pub sequence: u64,
}

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
            Message::Call { .. } => "a call",
            Message::Result { .. } => "a result",
            Message::Goodbye { .. } => "a goodbye",
        }
    }

    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        match self {
            Message::Welcome {
                version,
                session,
                epoch,
                root,
                entry,
                pending,
                partial,
            } => {
                w.byte(1);
                w.number(*version);
                w.0.extend_from_slice(session);
                w.number(*epoch);
                w.hash(root);
                w.entry(entry);
                w.number(pending.len() as u64);
                pending.iter().for_each(|id| w.number(*id));
                w.number(partial.len() as u64);
                for (hash, have) in partial {
                    w.hash(hash);
                    w.number(*have);
                }
            }
            Message::Hello {
                version,
                client,
                epoch,
            } => {
                w.byte(2);
                w.number(*version);
                w.0.extend_from_slice(client);
                w.number(*epoch);
            }
            Message::Record { sequence, op } => {
                w.byte(3);
                w.number(*sequence);
                write_op(&mut w, op);
            }
            Message::Piece { number, bytes } => {
                w.byte(4);
                w.number(*number);
                w.bytes(bytes);
            }
            Message::Ask { id, path } => {
                w.byte(5);
                w.number(*id);
                w.bytes(path.bytes());
            }
            Message::Listing { id, last, entries } => {
                w.byte(6);
                w.number(*id);
                w.byte(u8::from(*last));
                w.number(entries.len() as u64);
                for listed in entries {
                    w.bytes(&listed.name);
                    w.entry(&listed.entry);
                    w.hash(&listed.hash);
                }
            }
            Message::Propose(proposal) => {
                w.byte(7);
                write_proposal(&mut w, proposal);
            }
            Message::Applied { sequence } => {
                w.byte(8);
                w.number(*sequence);
            }
            Message::Lost { id, path } => {
                w.byte(9);
                w.number(*id);
                w.bytes(path.bytes());
            }
            Message::Call { id, needs, body } => {
                w.byte(10);
                w.number(*id);
                write_stand(&mut w, needs);
                w.bytes(body);
            }
            Message::Result { id, seen, body } => {
                w.byte(11);
                w.number(*id);
                write_stand(&mut w, seen);
                w.byte(u8::from(body.is_some()));
                w.bytes(body.as_deref().unwrap_or_default());
            }
            Message::Again { id } => {
                w.byte(13);
                w.number(*id);
            }
            Message::Goodbye { reason } => {
                w.byte(12);
                w.bytes(reason.as_bytes());
            }
        }
        w.0
    }

    /// The message that `bytes` are.
    ///
    /// # Errors
    /// Where they are none; memory is taken for what is there, never for what a length says.
    pub fn decode(bytes: &[u8]) -> Result<Message, Fault> {
        let mut r = Reader::new(bytes);
        let message = match r.byte("kind of message")? {
            1 => Message::Welcome {
                version: r.number("version")?,
                session: r.take(16, "session")?.try_into().expect("16 bytes"),
                epoch: r.number("epoch")?,
                root: r.hash("root hash")?,
                entry: r.entry()?,
                pending: {
                    let count = r.limited(MAX_PENDING as u64, "count of edits")?;
                    let ids = (0..count).map(|_| r.number("edit"));
                    ids.collect::<Result<_, _>>()?
                },
                partial: {
                    let count = r.limited(MAX_NAMES as u64, "count of contents")?;
                    let parts = (0..count).map(|_| {
                        Ok((r.hash("content")?, r.limited(MAX_FILE, "bytes of content")?))
                    });
                    parts.collect::<Result<_, Fault>>()?
                },
            },
            2 => Message::Hello {
                version: r.number("version")?,
                client: r.take(16, "client")?.try_into().expect("16 bytes"),
                epoch: r.number("epoch")?,
            },
            3 => Message::Record {
                sequence: r.number("sequence")?,
                op: read_op(&mut r)?,
            },
            4 => Message::Piece {
                number: r.number("record of a piece")?,
                bytes: r.bytes(MAX_PIECE, "piece")?.into(),
            },
            5 => Message::Ask {
                id: r.number("question")?,
                path: r.path("folder")?,
            },
            6 => Message::Listing {
                id: r.number("question")?,
                last: r.limited(1, "last")? == 1,
                entries: {
                    let count = r.limited(MAX_NAMES as u64, "count of names")?;
                    let entries = (0..count).map(|_| {
                        Ok(Listed {
                            name: r.name("name")?,
                            entry: r.entry()?,
                            hash: r.hash("hash")?,
                        })
                    });
                    entries.collect::<Result<_, Fault>>()?
                },
            },
            7 => Message::Propose(read_proposal(&mut r, MAX_INLINE)?),
            8 => Message::Applied {
                sequence: r.number("sequence")?,
            },
            9 => Message::Lost {
                id: r.number("loss")?,
                path: r.path("path")?,
            },
            10 => Message::Call {
                id: r.number("call")?,
                needs: read_stand(&mut r)?,
                body: r.bytes(MAX_BODY, "call")?.into(),
            },
            11 => Message::Result {
                id: r.number("call")?,
                seen: read_stand(&mut r)?,
                body: {
                    let is_there = r.limited(1, "answered")? == 1;
                    let body = r.bytes(MAX_BODY, "result")?;
                    is_there.then(|| body.into())
                },
            },
            12 => Message::Goodbye {
                reason: read_text(&mut r, "reason")?,
            },
            13 => Message::Again {
                id: r.number("edit")?,
            },
            other => return Err(Fault::new(format!("a message of kind {other}"))),
        };
        r.end()?;
        Ok(message)
    }
}

/// A short text of the peer's; whatever would move a terminal's cursor is spelt.
fn read_text(r: &mut Reader<'_>, field: &str) -> Result<String, Fault> {
    let text = String::from_utf8_lossy(r.bytes(1024, field)?).into_owned();
    let plain = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Ok(text.chars().map(plain).collect())
}

fn write_stand(w: &mut Writer, stand: &Stand) {
    w.number(stand.epoch);
    w.number(stand.sequence);
}

fn read_stand(r: &mut Reader<'_>) -> Result<Stand, Fault> {
    Ok(Stand {
        epoch: r.number("epoch")?,
        sequence: r.number("sequence")?,
    })
}

fn write_content(w: &mut Writer, content: &Content) {
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

fn read_content(r: &mut Reader<'_>, most: usize) -> Result<Content, Fault> {
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

fn write_option(w: &mut Writer, entry: &Option<Entry>) {
    w.byte(u8::from(entry.is_some()));
    if let Some(entry) = entry {
        w.entry(entry);
    }
}

fn read_option(r: &mut Reader<'_>) -> Result<Option<Entry>, Fault> {
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

fn write_op(w: &mut Writer, op: &Op) {
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
    }
}

fn read_op(r: &mut Reader<'_>) -> Result<Op, Fault> {
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
        other => return Err(Fault::new(format!("an operation of kind {other}"))),
    })
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
