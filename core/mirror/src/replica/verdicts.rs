//! What the client has done with the edits.

use crate::disk::{Disk, Log, Seen};
use crate::entry::{Entry, Hash};
use crate::error::Error;
use crate::fault::Fault;
use crate::message::{Change, Outcome, Proposal};
use crate::notes::Note;
use crate::path::RelPath;
use crate::tree::{Node, Place};

use super::changes::{is_of, made, same_kind};
use super::state::Replica;

impl<D: Disk, L: Log> Replica<D, L> {
    pub(super) fn verdict(
        &mut self,
        id: u64,
        outcome: &Outcome,
        entry: Option<&Entry>,
    ) -> Result<(), Error> {
        let Some(one) = self.pending.get(&id) else {
            return Err(Fault::new(format!("a verdict on edit {id}, which is none")).into());
        };
        let is_shadowed = one.is_shadowed;
        let Proposal { path, change, .. } = one.proposal.clone();
        let in_step = self.link.as_ref().is_some_and(|link| link.in_step);
        if self.is_lost(&path) {
            // What is there comes again, whole.
        } else if !in_step {
            // From before a cut, in which what came with it may be lost. Nobody but the disk says what is there; the walk
            // that follows compares the client's tree with that.
            if !is_shadowed {
                self.adopt(&path)?;
            }
        } else if *outcome == Outcome::Accepted {
            self.accepted(id, &path, &change, is_shadowed, entry)?;
        }
        self.log.append(&Note::Settled(id).encode())?;
        self.pending.remove(&id);
        self.outcomes.push((id, path, outcome.clone()));
        if self.pending.is_empty() {
            self.compact()?;
        }
        Ok(())
    }

    /// What the client has taken over is what it has.
    fn accepted(
        &mut self,
        id: u64,
        path: &RelPath,
        change: &Change,
        is_shadowed: bool,
        entry: Option<&Entry>,
    ) -> Result<(), Error> {
        // What later edits have made of this path stays, until they have their verdicts.
        let later = self.pending.range(id + 1..);
        let is_covered = later
            .filter(|(_, one)| !one.is_shadowed)
            .map(|(_, one)| &one.proposal)
            .any(|later| match later.change {
                Change::Mode { .. } | Change::Folder { .. } => later.path == *path,
                _ => path.is_within(&later.path),
            });
        let wrong = |what| Err(Fault::new(format!("{path} accepted, {what}")).into());
        match (change, entry) {
            (Change::Remove, None) => {
                if is_shadowed && !is_covered {
                    return self.delete(path);
                }
                self.nodes -= self.base.walk(path).len();
                self.base.remove(path);
                Ok(())
            }
            (Change::Remove, Some(_)) => wrong("and there still"),
            (_, None) => wrong("and not there"),
            (change, Some(entry)) => {
                if !is_of(entry, change) {
                    return wrong("and something else there");
                }
                if !self.base.is_folder(&path.parent()) {
                    return wrong("and no folder to lie in");
                }
                match self.base.entry(path) {
                    None if matches!(change, Change::Mode { .. }) => {
                        return wrong("of which nothing was said")
                    }
                    Some(old)
                        if matches!(change, Change::Mode { .. }) && old.kind != entry.kind =>
                    {
                        return wrong("and another content")
                    }
                    Some(old) if old.kind == entry.kind => {
                        let node = self.base.get_mut(path).expect("it was just there");
                        node.entry = entry.clone();
                    }
                    _ => {
                        self.nodes -= self.base.walk(path).len();
                        self.base
                            .insert(path, Node::new(entry.clone()), &Place::Last);
                        self.nodes += 1;
                    }
                }
                if is_shadowed && !is_covered {
                    if let Some(new) = made(change, entry.mode) {
                        self.shadow(path);
                        self.ensure_folder(&path.parent())?;
                        self.show(path, &new)?;
                    }
                }
                let mut later = self.pending.range(id + 1..);
                let is_last = !later.any(|(_, one)| one.proposal.path == *path);
                let there = self.disk.look(path)?;
                if there.is_some_and(|look| same_kind(&look.kind, &entry.kind)) {
                    let mode = is_last.then_some(entry.mode);
                    self.disk.set(path, mode, Some(entry.mtime))?;
                }
                self.touch_parent(path)?;
                Ok(())
            }
        }
    }

    /// `base` at `path` is what the disk has.
    fn adopt(&mut self, path: &RelPath) -> Result<(), Error> {
        if !self.base.is_folder(&path.parent()) {
            return Ok(());
        }
        match self.disk.look(path)? {
            None => {
                self.nodes -= self.base.walk(path).len();
                self.base.remove(path);
            }
            Some(look) if look.is_folder() && self.base.is_folder(path) => {}
            Some(look) => {
                let hash = match look.kind {
                    Seen::File(_) => Hash::of(&self.disk.read(path)?),
                    _ => Hash::of(b""),
                };
                self.nodes -= self.base.walk(path).len();
                let node = Node::new(look.entry(hash));
                self.base.insert(path, node, &Place::Last);
                self.nodes += 1;
            }
        }
        Ok(())
    }
}
