//! Bytes become a message.

use crate::fault::Fault;
use crate::tree::Listed;
use crate::wire::{Reader, MAX_FILE};

use super::op_wire::{read_op, read_text};
use super::proposal::read_proposal;
use super::{Message, Stand, MAX_BODY, MAX_FACTS, MAX_INLINE, MAX_NAMES, MAX_PENDING, MAX_PIECE};

impl Message {
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
            14 => Message::Part {
                id: r.number("call")?,
                bytes: r.bytes(MAX_BODY, "part")?.into(),
            },
            15 => Message::Facts {
                body: r.bytes(MAX_FACTS, "facts")?.into(),
            },
            other => return Err(Fault::new(format!("a message of kind {other}"))),
        };
        r.end()?;
        Ok(message)
    }
}

fn read_stand(r: &mut Reader<'_>) -> Result<Stand, Fault> {
    Ok(Stand {
        epoch: r.number("epoch")?,
        sequence: r.number("sequence")?,
    })
}
