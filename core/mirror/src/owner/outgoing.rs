//! What is on its way to the server: messages in order, and the pieces that they overtake.

use std::io;
use std::sync::Arc;

use crate::content;
use crate::disk::{Disk, Log};
use crate::entry::{Entry, Hash};
use crate::message::{Content, Message, Op};
use crate::path::RelPath;
use crate::tree::Place;

use super::lanes::Bulk;
use super::state::Owner;

impl<D: Disk, L: Log> Owner<D, L> {
    /// Says `op`, with the next number.
    pub(super) fn emit(&mut self, op: Op) {
        let link = self.link.as_mut().expect("who emits has a connection");
        link.sequence += 1;
        let sequence = link.sequence;
        self.out.control.push_back(Message::Record { sequence, op });
    }

    /// Says that there is `entry` at `path`. `base`: what the server has there.
    pub(super) fn emit_put(
        &mut self,
        path: &RelPath,
        entry: Entry,
        place: Place,
        bytes: Option<Arc<[u8]>>,
        base: Option<Hash>,
    ) -> io::Result<()> {
        let mut pieces = None;
        let content = match &bytes {
            None => Content::None,
            Some(bytes) => {
                let hash = entry.content().expect("what has bytes is a file");
                let frame = match base.and_then(|base| Some((base, self.cache.get(&base)?))) {
                    Some((base, old)) if bytes.len() > self.limits.delta => {
                        content::delta(&old, bytes)?.map(|frame| (base, frame))
                    }
                    _ => None,
                };
                self.cache.put(hash, bytes);
                match frame {
                    Some((base, frame)) if frame.len() <= self.limits.inline => Content::Delta {
                        base,
                        frame: frame.into(),
                    },
                    _ if bytes.len() > self.limits.inline => {
                        let link = self.link.as_mut().expect("who emits has a connection");
                        let have = link.partial.remove(&hash).unwrap_or(0);
                        let have = have.min(bytes.len() as u64);
                        pieces = Some((bytes.clone(), have as usize));
                        Content::Bulk { have }
                    }
                    _ => Content::Whole(bytes.clone()),
                }
            }
        };
        self.emit(Op::Put {
            path: path.clone(),
            entry,
            place,
            content,
        });
        if let Some((bytes, sent)) = pieces.filter(|(bytes, sent)| *sent < bytes.len()) {
            let number = self.stand().sequence;
            let bulk = Bulk {
                number,
                bytes,
                sent,
            };
            self.out.bulk.push_back(bulk);
        }
        Ok(())
    }

    /// What is said in `work` is one batch, if it is more than one record. Batches within are part of it.
    pub(super) fn batch<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        if self.link.is_none() || self.out.batch.is_some() {
            return work(self);
        }
        let first = self.out.control.len();
        self.out.batch = Some(first);
        self.emit(Op::Begin);
        let result = work(self);
        self.out.batch = None;
        let link = self.link.as_mut().expect("it was just there");
        match self.out.control.len() - first {
            1 => {
                self.out.control.pop_back();
                link.sequence -= 1;
            }
            2 if self
                .out
                .bulk
                .back()
                .is_none_or(|bulk| bulk.number != link.sequence) =>
            {
                let single = self.out.control.pop_back();
                self.out.control.pop_back();
                link.sequence -= 2;
                if let Some(Message::Record { op, .. }) = single {
                    self.emit(op);
                }
            }
            _ => self.emit(Op::Commit),
        }
        result
    }
}
