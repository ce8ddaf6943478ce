//! Doing what a record says, to the tree and on the disk.

use crate::disk::{remove_all, Disk, Log, New};
use crate::entry::{Entry, Kind};
use crate::error::Error;
use crate::fault::Fault;
use crate::message::{Content, Op};
use crate::path::{RelPath, MAX_DEPTH, MAX_PATH};
use crate::tree::{Node, Place};

use super::changes::same_kind;
use super::state::Replica;

/// The most nodes of a workspace.
const MAX_NODES: usize = 4_000_000;

impl<D: Disk, L: Log> Replica<D, L> {
    pub(super) fn apply(&mut self, sequence: u64, op: &Op) -> Result<(), Error> {
        self.note_order(op);
        match op {
            Op::Begin => Ok(()),
            Op::Flush | Op::Commit => {
                let link = self.link.as_mut().expect("a record came by it");
                link.is_between = *op == Op::Flush;
                Ok(())
            }
            Op::Put {
                path,
                entry,
                place,
                content,
            } => self.put(sequence, path, entry, place, content),
            Op::Delete { path } => self.delete(path),
            Op::Rename { from, to, place } => self.rename(from, to, place),
            Op::Meta { path, mode, mtime } => self.meta(path, *mode, *mtime),
            Op::Order { path, place, run } => {
                if !self.base.is_folder(path) && !self.is_lost(path) {
                    return Err(
                        Fault::new(format!("an order of {path}, which is no folder")).into(),
                    );
                }
                self.base.arrange(path, place, run);
                Ok(())
            }
            Op::Verdict { id, outcome, entry } => self.verdict(*id, outcome, entry.as_ref()),
            Op::Healed { id } => match self.holes.remove(id) {
                Some(_) => Ok(()),
                None => Err(Fault::new(format!("loss {id} healed, which is none")).into()),
            },
            Op::InStep => {
                let link = self.link.as_mut().expect("a record came by it");
                if link.in_step {
                    return Err(Fault::new("in step twice").into());
                }
                link.in_step = true;
                self.partial.clear();
                let ids: Vec<u64> = self.pending.keys().copied().collect();
                for id in ids {
                    self.send(id, false)?;
                }
                Ok(())
            }
        }
    }

    /// Remembers the folders in which names come, go, or lie otherwise by `op`.
    fn note_order(&mut self, op: &Op) {
        let mut note = |folder| self.rearranged.insert(folder);
        match op {
            Op::Put { path, .. } | Op::Delete { path } => {
                note(path.parent());
            }
            Op::Rename { from, to, .. } => {
                note(from.parent());
                note(to.parent());
            }
            Op::Order { path, .. } => {
                note(path.clone());
            }
            Op::Verdict { id, .. } => {
                let edit = self.pending.get(id).map(|one| one.proposal.path.parent());
                self.rearranged.extend(edit);
            }
            Op::Meta { .. } | Op::Begin | Op::Flush | Op::Commit => {}
            Op::Healed { .. } | Op::InStep => {}
        }
    }

    fn put(
        &mut self,
        sequence: u64,
        path: &RelPath,
        entry: &Entry,
        place: &Place,
        content: &Content,
    ) -> Result<(), Error> {
        if path.is_root() {
            return Err(Fault::new("a put of the root").into());
        }
        if !self.base.is_folder(&path.parent()) {
            return match self.is_lost(path) {
                true => Ok(()),
                false => Err(Fault::new(format!("{path} has no folder to lie in")).into()),
            };
        }
        if self.nodes >= MAX_NODES {
            return Err(Fault::new(format!("more than {MAX_NODES} nodes")).into());
        }
        if entry.is_folder() && self.base.is_folder(path) {
            // What is in it stays.
            self.ensure_folder(path)?;
            return self.meta(path, entry.mode, entry.mtime);
        }
        let new = match &entry.kind {
            Kind::Folder => New::Folder { mode: entry.mode },
            Kind::Link { target } => New::Link {
                target: target.clone(),
                mtime: Some(entry.mtime),
            },
            Kind::Withheld { size, what } => New::Withheld {
                size: *size,
                what: *what,
                mode: entry.mode,
                mtime: entry.mtime,
            },
            Kind::File { size, hash } => {
                match self.content(sequence, path, *size, hash, content)? {
                    Some(bytes) => New::File {
                        bytes,
                        mode: Some(entry.mode),
                        mtime: Some(entry.mtime),
                    },
                    None => return self.lose(path),
                }
            }
        };
        let there = self.disk.look(path)?;
        match entry.is_folder() && there.is_some_and(|look| look.is_folder()) {
            // What an agent has put into it stays.
            true => self.shadow_above(path),
            false => self.shadow(path),
        }
        self.ensure_folder(&path.parent())?;
        self.show(path, &new)?;
        if entry.is_folder() {
            self.disk.set(path, Some(entry.mode), Some(entry.mtime))?;
        }
        let old = self
            .base
            .get(path)
            .map_or(0, |_| self.base.walk(path).len());
        self.base.insert(path, Node::new(entry.clone()), place);
        self.nodes = self.nodes + 1 - old;
        self.touch_parent(path)?;
        Ok(())
    }

    pub(super) fn delete(&mut self, path: &RelPath) -> Result<(), Error> {
        if path.is_root() {
            return Err(Fault::new("a delete of the root").into());
        }
        self.shadow(path);
        remove_all(&mut self.disk, path)?;
        self.nodes -= self.base.walk(path).len();
        self.base.remove(path);
        self.touch_parent(path)?;
        Ok(())
    }

    fn rename(&mut self, from: &RelPath, to: &RelPath, place: &Place) -> Result<(), Error> {
        if from.is_root() || to.is_root() || from.overlaps(to) {
            return Err(Fault::new(format!("a rename of {from} to {to}")).into());
        }
        let is_lost = self.is_lost(from) || self.is_lost(to);
        let is_possible = self.base.get(from).is_some() && self.base.is_folder(&to.parent());
        if !is_possible && !is_lost {
            return Err(Fault::new(format!("a rename of {from} to {to}, which cannot be")).into());
        }
        let moved = self.base.walk(from);
        let deep = moved.iter().any(|path| {
            let below = path.bytes().len() - from.bytes().len();
            to.bytes().len() + below > MAX_PATH
                || to.names().count() + path.names().count() - from.names().count() > MAX_DEPTH
        });
        if deep {
            return Err(Fault::new(format!("{to} is too deep for what is in {from}")).into());
        }
        let edits = self.pending.values();
        let is_edited = edits
            .map(|one| &one.proposal.path)
            .any(|path| path.overlaps(from) || path.overlaps(to));
        let shown = self.disk.look(from)?.is_some();
        if is_lost || is_edited || !shown {
            self.shadow(from);
            self.shadow(to);
            remove_all(&mut self.disk, from)?;
            self.nodes -= moved.len();
            self.base.remove(from);
            self.touch_parent(from)?;
            return self.lose(to);
        }
        remove_all(&mut self.disk, to)?;
        self.nodes -= self.base.walk(to).len();
        self.base.remove(to);
        self.disk.rename(from, to)?;
        if let Some(node) = self.base.remove(from) {
            self.base.insert(to, node, place);
        }
        self.touch_parent(from)?;
        self.touch_parent(to)?;
        Ok(())
    }

    fn meta(&mut self, path: &RelPath, mode: u16, mtime: i64) -> Result<(), Error> {
        let Some(entry) = self.base.entry(path) else {
            return match self.is_lost(path) {
                true => Ok(()),
                false => Err(Fault::new(format!("mode of {path}, which is not there")).into()),
            };
        };
        let mut edits = self.pending.values().filter(|one| !one.is_shadowed);
        let is_edited = edits.any(|one| one.proposal.path == *path);
        let there = self.disk.look(path)?;
        if there.is_some_and(|look| same_kind(&look.kind, &entry.kind)) {
            self.disk
                .set(path, Some(mode), (!is_edited).then_some(mtime))?;
        }
        let node = self.base.get_mut(path).expect("it was just there");
        node.entry.mode = mode;
        node.entry.mtime = mtime;
        Ok(())
    }
}
