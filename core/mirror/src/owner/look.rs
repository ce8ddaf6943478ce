//! Looking at the disk: what has changed since the last look becomes records.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use crate::disk::{Disk, Log, Look, Seen};
use crate::entry::{Entry, Hash};
use crate::error::Error;
use crate::message::{Op, MAX_NAMES};
use crate::path::{Name, RelPath};
use crate::tree::{Node, Place};

use super::state::Owner;

/// How often a file is read again that changes while it is read.
const TRIES: usize = 3;

/// What one round of looking has seen.
#[derive(Default)]
pub(super) struct Round {
    /// Folders' names, as listed in this round.
    lists: BTreeMap<RelPath, Vec<Name>>,
    /// Folders in which names have come or gone.
    changed: BTreeSet<RelPath>,
    looked: BTreeSet<RelPath>,
}

/// What has been read of a node.
pub(super) struct Fresh {
    pub(super) look: Look,
    pub(super) entry: Entry,
    pub(super) bytes: Option<Arc<[u8]>>,
}

impl<D: Disk, L: Log> Owner<D, L> {
    /// Looks at all that is due. What one round sees is one batch.
    pub(super) fn look(&mut self) -> Result<(), Error> {
        if self.due.is_empty() || !self.is_there()? {
            return Ok(());
        }
        let due = std::mem::take(&mut self.due);
        self.batch(|owner| {
            let mut round = Round {
                changed: std::mem::take(&mut owner.unsorted),
                ..Round::default()
            };
            for (path, deep) in due {
                owner.refresh_or_put_off(&path, deep, &mut round)?;
                if !path.is_root() {
                    owner.refresh_or_put_off(&path.parent(), false, &mut round)?;
                }
            }
            owner.finish_round(round)
        })
    }

    fn refresh_or_put_off(
        &mut self,
        path: &RelPath,
        deep: bool,
        round: &mut Round,
    ) -> Result<(), Error> {
        match self.refresh(path, deep, round) {
            Ok(_) => Ok(()),
            Err(error) => {
                self.touched(path.clone(), deep);
                self.put_off(error)
            }
        }
    }

    /// The order in folders whose names have changed.
    pub(super) fn finish_round(&mut self, mut round: Round) -> Result<(), Error> {
        for folder in std::mem::take(&mut round.changed) {
            if let Err(error) = self.arrange(&folder, &mut round) {
                self.touched(folder, false);
                self.put_off(error)?;
            }
        }
        Ok(())
    }

    /// Whether what happens to `path` is to be said at once.
    pub(super) fn is_open(&self, path: &RelPath) -> bool {
        let link = self.link.as_ref().filter(|link| link.epoch != 0);
        let parent = self.local.get(&path.parent());
        link.is_some() && parent.is_some_and(|node| node.open == self.epoch)
    }

    /// Compares what is at `path` with what was there. Gives what it saw, if that is now in `local`.
    pub(super) fn refresh(
        &mut self,
        path: &RelPath,
        deep: bool,
        round: &mut Round,
    ) -> io::Result<Option<Look>> {
        let ancestors = path.ancestors();
        let missing = ancestors.iter().find(|above| !self.local.is_folder(above));
        if let Some(above) = missing {
            if !round.looked.contains(above) {
                self.refresh(above, true, round)?;
            }
            if !self.local.is_folder(&path.parent()) {
                return Ok(None);
            }
        }
        if !deep && round.looked.contains(path) && self.local.is_folder(path) {
            return Ok(None);
        }
        round.looked.insert(path.clone());
        let Some(look) = self.disk.look(path)? else {
            self.vanished(path, round);
            return Ok(None);
        };
        match look.is_folder() {
            true => {
                self.folder(path, &look, deep, round)?;
                Ok(Some(look))
            }
            false => self.node(path, &look, round),
        }
    }

    fn vanished(&mut self, path: &RelPath, round: &mut Round) {
        if path.is_root() {
            return;
        }
        let is_open = self.is_open(path);
        if self.local.remove(path).is_none() {
            return;
        }
        round.changed.insert(path.parent());
        self.forget(path);
        if is_open {
            self.emit(Op::Delete { path: path.clone() });
        }
    }

    /// Whether the workspace is there at all. Where it is not, nothing is said of what seems to be gone with it.
    fn is_there(&mut self) -> Result<bool, Error> {
        match self.disk.look(&RelPath::root()) {
            Ok(Some(look)) if look.is_folder() => Ok(true),
            Ok(_) => {
                self.stalled = Some("the workspace is not there".to_owned());
                Ok(false)
            }
            Err(error) => self.put_off(error).map(|()| false),
        }
    }

    fn folder(
        &mut self,
        path: &RelPath,
        look: &Look,
        deep: bool,
        round: &mut Round,
    ) -> io::Result<()> {
        let entry = look.entry(Hash::of(b""));
        let mut deep = deep;
        if self.local.is_folder(path) {
            let node = self.local.get(path).expect("it is a folder");
            if node.stamp.is_none_or(|old| old[0] != look.stamp[0]) && !path.is_root() {
                // Another folder under this name, which may stand elsewhere.
                round.changed.insert(path.parent());
                deep = true;
                self.local.get_mut(path).expect("it is there").stamp = Some(look.stamp);
            }
            let node = self.local.get(path).expect("it is a folder");
            if node.entry != entry {
                self.local.get_mut(path).expect("it is there").entry = entry;
                self.say_meta(path, look);
            }
        } else {
            deep = true;
            let mut node = Node::new(entry.clone());
            node.stamp = Some(look.stamp);
            self.replaced(path, node, round)?;
            if self.is_open(path) {
                let place = self.place(path, round)?;
                self.note_shuffle(path);
                self.emit_put(path, entry, place, None, None)?;
                self.local.get_mut(path).expect("it was just made").open = self.epoch;
            }
        }
        if deep {
            let mut names: BTreeSet<Name> = self.names(path, round)?.into_iter().collect();
            let node = self.local.get(path);
            names.extend(node.into_iter().flat_map(Node::order).cloned());
            // In the order of the disk, so that they come to lie so on the server.
            let mut ordered = self.names(path, round)?;
            for name in &ordered {
                names.remove(name);
            }
            ordered.extend(names);
            for name in ordered {
                if let Ok(child) = path.join(&name) {
                    self.refresh_below(&child, round)?;
                }
            }
            round.changed.insert(path.clone());
        }
        Ok(())
    }

    /// One node that cannot be read does not keep its siblings from being looked at.
    fn refresh_below(&mut self, path: &RelPath, round: &mut Round) -> io::Result<()> {
        match self.refresh(path, true, round) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Err(error),
            Err(error) => {
                self.stalled = Some(error.to_string());
                self.touched(path.clone(), true);
                Ok(())
            }
        }
    }

    /// A node that is no folder; gives what was seen of it. None where it changes too fast to be read: then it is due again.
    fn node(&mut self, path: &RelPath, look: &Look, round: &mut Round) -> io::Result<Option<Look>> {
        let old = self.local.get(path).and_then(|node| node.stamp);
        if old == Some(look.stamp) {
            return Ok(Some(look.clone()));
        }
        let Some(fresh) = self.fresh(path, look)? else {
            self.touched(path.clone(), true);
            return Ok(None);
        };
        // Another inode may stand elsewhere in its folder.
        if old.is_none_or(|old| old[0] != fresh.look.stamp[0]) {
            round.changed.insert(path.parent());
        }
        let seen = fresh.look.clone();
        let stamp = fresh.look.settled.then_some(fresh.look.stamp);
        let old = self.local.entry(path).cloned();
        match old {
            Some(old) if old == fresh.entry => {
                self.local.get_mut(path).expect("it is there").stamp = stamp;
            }
            Some(old) if old.kind == fresh.entry.kind && !self.is_owed(path) => {
                let node = self.local.get_mut(path).expect("it is there");
                (node.entry, node.stamp) = (fresh.entry, stamp);
                self.say_meta(path, &fresh.look);
            }
            old => {
                let base = old.as_ref().and_then(Entry::content);
                let base = base.filter(|_| !self.is_owed(path));
                let mut node = Node::new(fresh.entry.clone());
                node.stamp = stamp;
                self.replaced(path, node, round)?;
                if self.is_open(path) {
                    let place = self.place(path, round)?;
                    self.note_shuffle(path);
                    self.emit_put(path, fresh.entry, place, fresh.bytes, base)?;
                } else if let (Some(hash), Some(bytes)) = (fresh.entry.content(), &fresh.bytes) {
                    self.cache.put(hash, bytes);
                }
            }
        }
        Ok(Some(seen))
    }

    /// `node` is at `path` now, in `local`.
    fn replaced(&mut self, path: &RelPath, node: Node, round: &mut Round) -> io::Result<()> {
        let is_new = self.local.get(path).is_none();
        self.forget(path);
        let place = match is_new {
            true => self.place(path, round)?,
            false => Place::Last,
        };
        self.local.insert(path, node, &place);
        if is_new {
            round.changed.insert(path.parent());
        }
        Ok(())
    }

    fn say_meta(&mut self, path: &RelPath, look: &Look) {
        let is_open = match path.is_root() {
            true => self
                .link
                .as_ref()
                .is_some_and(|link| link.epoch != 0 && link.root_said),
            false => self.is_open(path) && !self.is_owed(path),
        };
        if is_open {
            self.emit(Op::Meta {
                path: path.clone(),
                mode: look.mode,
                mtime: look.mtime,
            });
        }
    }

    /// Reads the node at `path`, which looked like `look`. None where it changes all the time, or has gone.
    pub(super) fn fresh(&mut self, path: &RelPath, look: &Look) -> io::Result<Option<Fresh>> {
        let mut look = look.clone();
        for _ in 0..TRIES {
            let (hash, bytes) = match look.kind {
                Seen::Folder => return Ok(None),
                Seen::File(size) => match self.disk.read(path) {
                    Ok(bytes) if bytes.len() as u64 == size => {
                        (Hash::of(&bytes), Some(Arc::from(bytes)))
                    }
                    Ok(_) => (Hash::of(b""), None),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(error),
                },
                _ => (Hash::of(b""), None),
            };
            let Some(after) = self.disk.look(path)? else {
                return Ok(None);
            };
            let is_whole = bytes.is_some() || !matches!(look.kind, Seen::File(_));
            if after.stamp == look.stamp && after.kind == look.kind && is_whole {
                let entry = after.entry(hash);
                let look = after;
                return Ok(Some(Fresh { look, entry, bytes }));
            }
            look = after;
        }
        Ok(None)
    }

    fn names(&mut self, folder: &RelPath, round: &mut Round) -> io::Result<Vec<Name>> {
        if let Some(names) = round.lists.get(folder) {
            return Ok(names.clone());
        }
        let names = match self.disk.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.touched(folder.clone(), true);
                Vec::new()
            }
            names => names?,
        };
        round.lists.insert(folder.clone(), names.clone());
        Ok(names)
    }

    /// Where `path` stands among its siblings: behind the nearest one before it that is in `local`.
    fn place(&mut self, path: &RelPath, round: &mut Round) -> io::Result<Place> {
        let Some((parent, name)) = path.split() else {
            return Ok(Place::Last);
        };
        let names = self.names(&parent, round)?;
        let Some(folder) = self.local.get(&parent) else {
            return Ok(Place::Last);
        };
        let Some(at) = names.iter().position(|other| **other == *name) else {
            return Ok(Place::Last);
        };
        let mut before = names[..at].iter().rev();
        let near = before.find(|name| folder.child(name).is_some());
        let others = folder.order().iter().rfind(|other| ***other != *name);
        Ok(match (near, others) {
            (near, last) if near == last => Place::Last,
            (Some(near), _) => Place::After(near.clone()),
            (None, _) => Place::First,
        })
    }

    /// Brings the names of a folder into the disk's order, here and there.
    fn arrange(&mut self, folder: &RelPath, round: &mut Round) -> io::Result<()> {
        if !self.local.is_folder(folder) {
            return Ok(());
        }
        let names = self.names(folder, round)?;
        let node = self.local.get(folder).expect("it is a folder");
        let there: BTreeSet<&Name> = names.iter().collect();
        let have: Vec<&Name> = node.order().iter().collect();
        if have.iter().any(|name| !there.contains(name)) {
            // Gone since the names were listed, or come; it will be said.
            return Ok(());
        }
        let want: Vec<&Name> = names
            .iter()
            .filter(|name| node.child(name).is_some())
            .collect();
        let same = |(a, b): &(&&Name, &&Name)| a == b;
        let head = have.iter().zip(&want).take_while(same).count();
        if head == want.len() {
            return Ok(());
        }
        let tail = have[head..].iter().rev().zip(want[head..].iter().rev());
        let tail = tail.take_while(same).count();
        let run: Vec<Name> = want[head..want.len() - tail]
            .iter()
            .map(|name| (*name).clone())
            .collect();
        let place = match head {
            0 => Place::First,
            _ => Place::After(want[head - 1].clone()),
        };
        let is_open =
            node.open == self.epoch && self.link.as_ref().is_some_and(|link| link.epoch != 0);
        self.local.arrange(folder, &place, &run);
        if is_open {
            self.say_order(folder, place, &run);
        }
        Ok(())
    }

    /// Says that the names of `run` stand behind `place`.
    pub(super) fn say_order(&mut self, folder: &RelPath, mut place: Place, run: &[Name]) {
        if self.owes_in(folder) {
            let link = self.link.as_mut().expect("an open folder has a connection");
            link.shuffled.insert(folder.clone());
            return;
        }
        for part in run.chunks(MAX_NAMES) {
            self.emit(Op::Order {
                path: folder.clone(),
                place,
                run: part.to_vec(),
            });
            place = Place::After(part[part.len() - 1].clone());
        }
    }
}
