//! What is on its way to the server: messages in order, and the pieces that they overtake.

use std::io;
use std::sync::Arc;

use crate::content;
use crate::disk::{Disk, Log};
use crate::entry::{Entry, Hash};
use crate::message::{Content, Op};
use crate::path::RelPath;
use crate::tree::Place;

use super::lanes::Bulk;
use super::state::Owner;

impl<D: Disk, L: Log> Owner<D, L> {
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
        let number = self.emit(Op::Put {
            path: path.clone(),
            entry,
            place,
            content,
        });
        if let Some((bytes, sent)) = pieces.filter(|(bytes, sent)| *sent < bytes.len()) {
            let bulk = Bulk {
                number,
                bytes,
                sent,
            };
            self.out.bulk.push_back(bulk);
        }
        Ok(())
    }
}
