//! The tree as it lies on the disk, without the edits that the client has not got.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::disk::{Disk, Log, Seen};
use crate::entry::{Entry, Hash};
use crate::message::{Change, Proposal};
use crate::path::RelPath;
use crate::tree::{Node, Place, Tree};

use super::changes::shows;
use super::state::Replica;

impl<D: Disk, L: Log> Replica<D, L> {
    /// Makes `base` anew from what lies on the disk.
    pub(super) fn rescan(&mut self) -> io::Result<()> {
        self.base = scan(&mut self.disk)?;
        self.take_back();
        self.nodes = self.base.walk(&RelPath::root()).len();
        self.is_doubtful = false;
        let edits = self.pending.values().map(|one| one.proposal.path.clone());
        self.edited = edits.collect();
        Ok(())
    }

    /// `base` was read from the disk, where edits without a verdict may show. The client has not got them: there, it is
    /// what was there before the first of them. An edit shows if those after it were made on what it made.
    fn take_back(&mut self) {
        let mut before: BTreeMap<RelPath, Option<Entry>> = BTreeMap::new();
        let mut broken: BTreeSet<RelPath> = BTreeSet::new();
        for one in self.pending.values_mut().rev() {
            let Proposal {
                path, base, change, ..
            } = &one.proposal;
            let there = match before.get(path) {
                Some(there) => there.as_ref(),
                None => self.base.entry(path),
            };
            // A mode alone does not say whose content it is.
            let is_its = !matches!(change, Change::Mode { .. })
                || there.map(|entry| &entry.kind) == base.as_ref().map(|entry| &entry.kind);
            one.is_shadowed = broken.contains(path) || !is_its || !shows(there, change);
            match one.is_shadowed {
                true => broken.insert(path.clone()),
                false => before.insert(path.clone(), base.clone()).is_none(),
            };
        }
        // Children first: a folder in which the client has something is the client's.
        for (path, entry) in before.iter().rev() {
            let node = self.base.get(path);
            if node.is_some_and(|node| !node.order().is_empty()) {
                continue;
            }
            match entry {
                None => drop(self.base.remove(path)),
                Some(entry) if entry.is_folder() && node.is_some() => {}
                Some(entry) => {
                    self.base
                        .insert(path, Node::new(entry.clone()), &Place::Last);
                }
            }
        }
        for (path, entry) in &before {
            if let (Some(entry), None) = (entry, self.base.get(path)) {
                self.base
                    .insert(path, Node::new(entry.clone()), &Place::Last);
            }
        }
    }
}

/// The tree as it lies on a disk.
fn scan(disk: &mut impl Disk) -> io::Result<Tree> {
    let mut tree = Tree::default();
    let root = RelPath::root();
    if let Some(look) = disk.look(&root)? {
        tree.insert(&root, Node::new(look.entry(Hash::of(b""))), &Place::Last);
    }
    scan_folder(disk, &mut tree, &root)?;
    Ok(tree)
}

fn scan_folder(disk: &mut impl Disk, tree: &mut Tree, folder: &RelPath) -> io::Result<()> {
    for name in disk.list(folder)? {
        let Ok(path) = folder.join(&name) else {
            continue;
        };
        let Some(look) = disk.look(&path)? else {
            continue;
        };
        let hash = match look.kind {
            Seen::File(_) => Hash::of(&disk.read(&path)?),
            _ => Hash::of(b""),
        };
        let is_folder = look.is_folder();
        tree.insert(&path, Node::new(look.entry(hash)), &Place::Last);
        if is_folder {
            scan_folder(disk, tree, &path)?;
        }
    }
    Ok(())
}
