//! Records override edits that they touch; and when all edits have their verdicts, the disk has what the client has.

use crate::disk::{remove_all, Disk, Log, Seen};
use crate::entry::Hash;
use crate::error::Error;
use crate::path::RelPath;

use super::changes::passes;
use super::state::Replica;

impl<D: Disk, L: Log> Replica<D, L> {
    /// A record on `path` overrides the edits that touch it.
    pub(super) fn shadow(&mut self, path: &RelPath) {
        for one in self.pending.values_mut() {
            if one.proposal.path.overlaps(path) {
                one.is_shadowed = true;
            }
        }
    }

    /// The same, of those at `path` and above.
    pub(super) fn shadow_above(&mut self, path: &RelPath) {
        for one in self.pending.values_mut() {
            if path.is_within(&one.proposal.path) {
                one.is_shadowed = true;
            }
        }
    }

    /// When all edits have their verdicts, the disk has what the client has; where it has not, the client says it once more.
    pub(super) fn compare_edited(&mut self) -> Result<(), Error> {
        let in_step = self.link.as_ref().is_some_and(|link| link.in_step);
        if !in_step || !self.pending.is_empty() {
            return Ok(());
        }
        while let Some(path) = self.edited.first().cloned() {
            match self.compare(&path) {
                Err(Error::Disk(error)) if passes(&error) => {
                    self.stalled = Some(error.to_string());
                    return Ok(());
                }
                done => done?,
            }
            self.edited.remove(&path);
        }
        Ok(())
    }

    fn compare(&mut self, path: &RelPath) -> Result<(), Error> {
        let there = match self.disk.look(path)? {
            Some(look) => {
                let hash = match look.kind {
                    Seen::File(_) => Hash::of(&self.disk.read(path)?),
                    _ => Hash::of(b""),
                };
                Some(look.entry(hash))
            }
            None => None,
        };
        let base = self.base.entry(path).cloned();
        if there == base || self.is_lost(path) {
            return Ok(());
        }
        match base {
            None => {
                remove_all(&mut self.disk, path)?;
                self.touch_parent(path)?;
                Ok(())
            }
            Some(base) if there.is_some_and(|there| there.kind == base.kind) => {
                Ok(self.disk.set(path, Some(base.mode), Some(base.mtime))?)
            }
            Some(_) => self.lose(path),
        }
    }
}
