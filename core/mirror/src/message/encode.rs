//! A message becomes bytes.

use crate::wire::Writer;

use super::op_wire::write_op;
use super::proposal::write_proposal;
use super::{Message, Stand};

impl Message {
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
            Message::Part { id, bytes } => {
                w.byte(14);
                w.number(*id);
                w.bytes(bytes);
            }
            Message::Facts { body } => {
                w.byte(15);
                w.bytes(body);
            }
            Message::Goodbye { reason } => {
                w.byte(12);
                w.bytes(reason.as_bytes());
            }
        }
        w.0
    }
}

fn write_stand(w: &mut Writer, stand: &Stand) {
    w.number(stand.epoch);
    w.number(stand.sequence);
}
