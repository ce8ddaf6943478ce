//! What a record says is in a file; and what is lost.

use std::io;
use std::sync::Arc;

use crate::content;
use crate::disk::{remove_all, Disk, Log, Look, New, Seen};
use crate::entry::Hash;
use crate::error::Error;
use crate::fault::Fault;
use crate::message::{Content, Message};
use crate::path::RelPath;

use super::state::Replica;

impl<D: Disk, L: Log> Replica<D, L> {
    /// The content of a file, as a record gives it; None where it cannot be made out.
    pub(super) fn content(
        &mut self,
        sequence: u64,
        path: &RelPath,
        size: u64,
        hash: &Hash,
        content: &Content,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let bytes: Arc<[u8]> = match content {
            Content::None => return Err(Fault::new(format!("{path} without its content")).into()),
            Content::Whole(bytes) => bytes.clone(),
            Content::Bulk { .. } => {
                let link = self.link.as_ref().expect("a record came by it");
                let bytes = link.bulk.get(&sequence).map_or(&[][..], Vec::as_slice);
                bytes.into()
            }
            Content::Delta { base, frame } => {
                let Some(old) = self.old(path, base)? else {
                    return Ok(None);
                };
                match content::patched(&old, frame, size as usize) {
                    Ok(bytes) => bytes.into(),
                    Err(_) => {
                        return Err(Fault::new(format!("a delta of {path} that is none")).into())
                    }
                }
            }
        };
        match bytes.len() as u64 == size && Hash::of(&bytes) == *hash {
            true => Ok(Some(bytes)),
            false => Err(Fault::new(format!(
                "a content of {path} that is not what its hash says"
            ))
            .into()),
        }
    }

    /// The content with hash `base` that was at `path`.
    fn old(&mut self, path: &RelPath, base: &Hash) -> Result<Option<Arc<[u8]>>, Error> {
        if let Some(Look {
            kind: Seen::File(_),
            ..
        }) = self.disk.look(path)?
        {
            let bytes = self.disk.read(path)?;
            if Hash::of(&bytes) == *base {
                return Ok(Some(bytes.into()));
            }
        }
        let mut kept = self.pending.values().filter_map(|one| one.before.as_ref());
        Ok(kept.find(|bytes| Hash::of(bytes) == *base).cloned())
    }

    /// Makes `new` at `path`, whatever is there.
    pub(super) fn show(&mut self, path: &RelPath, new: &New) -> io::Result<()> {
        let there = self.disk.look(path)?;
        let is_folder = there.as_ref().is_some_and(Look::is_folder);
        match (is_folder, new) {
            (true, New::Folder { .. }) => return Ok(()),
            (true, _) => remove_all(&mut self.disk, path)?,
            (false, New::Folder { .. }) if there.is_some() => self.disk.remove(path)?,
            _ => {}
        }
        self.disk.put(path, new)
    }

    /// What is at `path` cannot be made out: it goes, and the client is asked for it.
    pub(super) fn lose(&mut self, path: &RelPath) -> Result<(), Error> {
        self.shadow(path);
        remove_all(&mut self.disk, path)?;
        self.nodes -= self.base.walk(path).len();
        self.base.remove(path);
        let id = self.next_hole;
        self.next_hole += 1;
        self.holes.insert(id, path.clone());
        let path = path.clone();
        self.out.push_back(Message::Lost { id, path });
        Ok(())
    }

    /// Whether something at or above `path` is lost: then what is said of it comes again.
    pub(super) fn is_lost(&self, path: &RelPath) -> bool {
        self.holes.values().any(|hole| path.is_within(hole))
    }
}
