//! A new connection: the two trees are compared from the root down, and the server gets what it lacks.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::disk::{Disk, Log};
use crate::entry::{Entry, Hash};
use crate::error::Error;
use crate::fault::Fault;
use crate::message::{Message, Op, MAX_NAMES, VERSION};
use crate::notes::Note;
use crate::path::{Name, RelPath};
use crate::tree::{Listed, Place};

use super::hold::Hold;
use super::state::Owner;

/// The most names that a listing may have, over all its parts.
const MAX_LISTED: usize = 4_000_000;

/// A node with its content.
pub(super) type Whole = (RelPath, Entry, Option<Arc<[u8]>>);

impl<D: Disk, L: Log> Owner<D, L> {
    pub(super) fn welcome(
        &mut self,
        session: [u8; 16],
        epoch: u64,
        root: Hash,
        entry: Entry,
        pending: &[u64],
    ) -> Result<(), Error> {
        if self.session != Some(session) {
            // Numbers of another session's edits mean nothing here.
            self.session = Some(session);
            self.intents.clear();
            self.done.clear();
        }
        let is_kept = |id: &u64| pending.contains(id);
        self.intents.retain(is_kept);
        self.done.retain(|id, _| is_kept(id));
        self.compact()?;
        let Some(after) = self.epoch.max(epoch).checked_add(1) else {
            return Err(Fault::new("an epoch that is the last").into());
        };
        self.epoch = after;
        let link = self.link.as_mut().expect("a welcome came by it");
        link.epoch = after;
        self.out.control.push_back(Message::Hello {
            version: VERSION,
            client: self.client,
            epoch: after,
        });
        // What was decided before a cut, before anything else is said.
        let decided: Vec<_> = self.done.clone().into_iter().collect();
        let is_same = decided.is_empty() && self.local.hash(&RelPath::root()) == Some(root);
        for (id, outcome) in decided {
            let entry = None;
            self.emit(Op::Verdict { id, outcome, entry });
        }
        let link = self.link.as_mut().expect("a welcome came by it");
        link.root_said = true;
        let own = self.local.entry(&RelPath::root()).expect("there is a root");
        if *own != entry {
            let (mode, mtime) = (own.mode, own.mtime);
            let path = RelPath::root();
            self.emit(Op::Meta { path, mode, mtime });
        }
        match is_same {
            true => {
                let node = self.local.get_mut(&RelPath::root());
                node.expect("there is a root").open_all(after);
            }
            false => self.ask(RelPath::root()),
        }
        Ok(())
    }

    fn compact(&mut self) -> Result<(), Error> {
        let session = self.session.map(|id| Note::Session(id).encode());
        let intents = self.intents.iter().map(|id| Note::Intent(*id).encode());
        let done = self.done.iter();
        let done = done.map(|(id, outcome)| Note::Done(*id, outcome.clone()).encode());
        let notes: Vec<_> = session.into_iter().chain(intents).chain(done).collect();
        Ok(self.log.replace(&notes)?)
    }

    fn ask(&mut self, path: RelPath) {
        let link = self.link.as_mut().expect("who asks has a connection");
        link.next_ask += 1;
        let id = link.next_ask;
        link.asks.insert(id, (path.clone(), Vec::new()));
        self.out.control.push_back(Message::Ask { id, path });
    }

    pub(super) fn listing(
        &mut self,
        id: u64,
        last: bool,
        entries: Vec<Listed>,
    ) -> Result<(), Error> {
        let link = self.link.as_mut().expect("a listing came by it");
        if id == 0 || id > link.next_ask {
            return Err(Fault::new(format!("a listing for question {id}, which is none")).into());
        }
        // Nobody asks any more: the folder has gone since.
        let Some((_, theirs)) = link.asks.get_mut(&id) else {
            return Ok(());
        };
        theirs.extend(entries);
        if theirs.len() > MAX_LISTED {
            return Err(Fault::new("a listing of too many names").into());
        }
        if last {
            let (path, theirs) = link.asks.remove(&id).expect("it was just there");
            self.compare(&path, theirs);
        }
        Ok(())
    }

    /// What the server has in the folder `path` is `theirs`: says what differs, and asks on below.
    fn compare(&mut self, path: &RelPath, theirs: Vec<Listed>) {
        let epoch = self.epoch;
        if !self.local.is_folder(path) {
            return;
        }
        self.local.get_mut(path).expect("it is a folder").open = epoch;
        let (mut expected, mut heard) = (Vec::new(), BTreeSet::new());
        for listed in theirs {
            let Ok(child) = path.join(&listed.name) else {
                continue;
            };
            if !heard.insert(listed.name.clone()) {
                continue;
            }
            let hash = self.local.hash(&child);
            let Some(node) = self.local.get(&child) else {
                self.emit(Op::Delete { path: child });
                continue;
            };
            expected.push(listed.name.clone());
            let own = node.entry.clone();
            if hash == Some(listed.hash) {
                let node = self.local.get_mut(&child).expect("it was just there");
                node.open_all(epoch);
            } else if own.kind == listed.entry.kind {
                if own != listed.entry {
                    self.emit(Op::Meta {
                        path: child.clone(),
                        mode: own.mode,
                        mtime: own.mtime,
                    });
                }
                if own.is_folder() {
                    self.ask(child);
                }
            } else {
                self.owe(child, listed.entry.content());
            }
        }
        let there: BTreeSet<Name> = expected.iter().cloned().collect();
        let own = self
            .local
            .get(path)
            .expect("it is a folder")
            .order()
            .to_vec();
        for name in own.iter().filter(|name| !there.contains(*name)) {
            if let Ok(child) = path.join(name) {
                self.owe(child, None);
                expected.push(name.clone());
            }
        }
        if expected != own {
            let link = self.link.as_mut().expect("a listing came by it");
            link.shuffled.insert(path.clone());
        }
    }

    /// The server lacks what is at `path`; it has the content `base` there, or something else.
    pub(super) fn owe(&mut self, path: RelPath, base: Option<Hash>) {
        let link = self.link.as_mut().expect("who owes has a connection");
        if link.owed.insert(path.clone(), base).is_none() {
            link.order.push_back(path);
        }
    }

    /// Whether the server still lacks what is at `path`.
    pub(super) fn is_owed(&self, path: &RelPath) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.owed.contains_key(path))
    }

    /// Whether it lacks something in the folder `path`.
    pub(super) fn owes_in(&self, path: &RelPath) -> bool {
        let owed = self
            .link
            .iter()
            .flat_map(|link| link.owed.range(path.clone()..));
        let mut below = owed
            .map(|(owed, _)| owed)
            .take_while(|owed| owed.is_within(path));
        below.any(|owed| owed != path)
    }

    /// A new name among some that the server still lacks: their order is said when all are there.
    pub(super) fn note_shuffle(&mut self, path: &RelPath) {
        let parent = path.parent();
        if self.owes_in(&parent) {
            let link = self.link.as_mut().expect("who owes has a connection");
            link.shuffled.insert(parent);
        }
        if let Some(link) = &mut self.link {
            link.owed.remove(path);
        }
    }

    /// What was at `path` is no more: no answer about it matters, and nothing below it is owed.
    pub(super) fn forget(&mut self, path: &RelPath) {
        let Some(link) = &mut self.link else { return };
        link.asks.retain(|_, (asked, _)| !asked.is_within(path));
        let below = link.owed.range(path.clone()..).map(|(owed, _)| owed);
        let below: Vec<RelPath> = below
            .take_while(|owed| owed.is_within(path))
            .filter(|owed| *owed != path)
            .cloned()
            .collect();
        for owed in below {
            link.owed.remove(&owed);
        }
        if self.local.get(path).is_none() {
            link.owed.remove(path);
        }
    }

    /// Sends what the server lacks, as long as not too much is on its way.
    pub(super) fn send_owed(&mut self) -> Result<(), Error> {
        let count = self.link.as_ref().map_or(0, |link| link.order.len());
        let mut outgoing = self.out.bytes();
        let mut left = count;
        while let Some(link) = &mut self.link {
            if left == 0 || outgoing > self.limits.outgoing {
                break;
            }
            let Some(path) = link.order.pop_front() else {
                break;
            };
            left -= 1;
            let Some(base) = link.owed.get(&path).copied() else {
                continue;
            };
            match self.send_one(&path, base) {
                Ok(Some((bytes, below))) => {
                    outgoing += bytes;
                    left += below;
                }
                // It has changed since it was looked at: the look that is due says what there is.
                Ok(None) => {
                    self.touched(path.clone(), true);
                    let link = self.link.as_mut().expect("it was just there");
                    link.shuffled.insert(path.parent());
                    link.order.push_back(path);
                }
                Err(error) => {
                    let link = self.link.as_mut().expect("it was just there");
                    link.shuffled.insert(path.parent());
                    link.order.push_back(path);
                    self.put_off(error)?;
                }
            }
        }
        Ok(())
    }

    /// Sends the node at `path`, if it is still what it was. Gives the bytes, and how many more are owed by it.
    fn send_one(
        &mut self,
        path: &RelPath,
        base: Option<Hash>,
    ) -> std::io::Result<Option<(usize, usize)>> {
        let Some(node) = self.local.get(path) else {
            return Ok(Some((0, 0)));
        };
        let entry = node.entry.clone();
        let order = node.order().to_vec();
        let mut bytes: Option<Arc<[u8]>> = None;
        if entry.content().is_some() {
            let Some(look) = self.disk.look(path)? else {
                return Ok(None);
            };
            match self.fresh(path, &look)? {
                Some(fresh) if fresh.entry == entry => bytes = fresh.bytes,
                _ => return Ok(None),
            }
        }
        let size = bytes.as_ref().map_or(0, |bytes| bytes.len());
        let is_folder = entry.is_folder();
        self.emit_put(path, entry, Place::Last, bytes, base)?;
        let link = self.link.as_mut().expect("who owes has a connection");
        link.owed.remove(path);
        let mut below = 0;
        if is_folder {
            let node = self.local.get_mut(path).expect("it was just there");
            node.open = self.epoch;
            let link = self.link.as_mut().expect("who owes has a connection");
            for name in order.iter().rev() {
                if let Ok(child) = path.join(name) {
                    link.owed.insert(child.clone(), None);
                    link.order.push_front(child);
                    below += 1;
                }
            }
        }
        Ok(Some((100 + size, below)))
    }

    /// When nothing is asked and nothing owed, the server is in step.
    pub(super) fn finish_walk(&mut self) {
        let Some(link) = &mut self.link else { return };
        let is_done = link.epoch != 0 && link.asks.is_empty() && link.owed.is_empty();
        let is_held = self.hold != Hold::Free && !link.in_step;
        if !is_done || is_held || !self.due.is_empty() {
            return;
        }
        let was_in_step = link.in_step;
        self.say_shuffled();
        if was_in_step {
            return;
        }
        let link = self.link.as_mut().expect("it was just there");
        link.in_step = true;
        link.partial.clear();
        self.emit(Op::InStep);
    }

    /// The whole order of folders where it has been mixed up.
    pub(super) fn say_shuffled(&mut self) {
        let link = self.link.as_mut().expect("asked with a connection");
        for folder in std::mem::take(&mut link.shuffled) {
            let Some(node) = self
                .local
                .get(&folder)
                .filter(|node| node.entry.is_folder())
            else {
                continue;
            };
            let order = node.order().to_vec();
            self.say_order(&folder, Place::First, &order);
        }
    }

    /// The server cannot make out what is at `path`: it gets it whole.
    pub(super) fn lost(&mut self, id: u64, path: RelPath) -> Result<(), Error> {
        if path.is_root() {
            return Err(Fault::new("a loss of the root").into());
        }
        let link = self.link.as_mut().expect("a loss came by it");
        if link.lost.len() >= MAX_NAMES {
            return Err(Fault::new("too many losses").into());
        }
        link.lost.push_back((id, path));
        Ok(())
    }

    /// Heals what was lost, when all that has changed has been said.
    pub(super) fn heal(&mut self) -> Result<(), Error> {
        while let Some(link) = self.link.as_ref().filter(|_| self.due.is_empty()) {
            let Some((id, path)) = link.lost.front().cloned() else {
                break;
            };
            let Some(whole) = self.gather(&path)? else {
                break;
            };
            self.batch(|owner| {
                owner.resend(&path, whole)?;
                owner.emit(Op::Healed { id });
                Ok::<_, Error>(())
            })?;
            let link = self.link.as_mut().expect("it was just there");
            link.lost.pop_front();
        }
        Ok(())
    }

    /// All that is at `path` and below, read anew. None where something is not what it was when it was last looked at: then
    /// that is due.
    pub(super) fn gather(&mut self, path: &RelPath) -> Result<Option<Vec<Whole>>, Error> {
        let mut whole = Vec::new();
        for below in self.local.walk(path) {
            let entry = self
                .local
                .entry(&below)
                .expect("a walk goes over nodes")
                .clone();
            let mut bytes = None;
            if entry.content().is_some() {
                let read = self.disk.look(&below).and_then(|look| match look {
                    Some(look) => self.fresh(&below, &look),
                    None => Ok(None),
                });
                match read {
                    Ok(Some(fresh)) if fresh.entry == entry => bytes = fresh.bytes,
                    Ok(_) => {
                        self.touched(below, true);
                        return Ok(None);
                    }
                    Err(error) => {
                        self.put_off(error)?;
                        return Ok(None);
                    }
                }
            }
            whole.push((below, entry, bytes));
        }
        Ok(Some(whole))
    }

    /// Says what is at `path` and below as if the server had nothing there.
    pub(super) fn resend(&mut self, path: &RelPath, whole: Vec<Whole>) -> Result<(), Error> {
        self.emit(Op::Delete { path: path.clone() });
        if !self.is_open(path) {
            return Ok(());
        }
        for (below, entry, bytes) in whole {
            let place = match below == *path {
                true => before(&self.local, path),
                false => Place::Last,
            };
            let is_folder = entry.is_folder();
            self.note_shuffle(&below);
            self.emit_put(&below, entry, place, bytes, None)?;
            if is_folder {
                let node = self.local.get_mut(&below).expect("it was gathered");
                node.open = self.epoch;
            }
        }
        Ok(())
    }
}

/// Behind which of its siblings `path` stands.
fn before(tree: &crate::tree::Tree, path: &RelPath) -> Place {
    let Some((parent, name)) = path.split() else {
        return Place::Last;
    };
    let order = tree.get(&parent).map_or(&[][..], |node| node.order());
    match order.iter().position(|other| **other == *name) {
        None => Place::Last,
        Some(at) if at + 1 == order.len() => Place::Last,
        Some(0) => Place::First,
        Some(at) => Place::After(order[at - 1].clone()),
    }
}
