//! The server's edits: done on the client's disk if what they were made on is still there.
//!
//! The log says which edit is about to be done before it is, and what became of it after. An edit of which only the first is
//! known, after a crash, may have been done and undone by somebody since: then it counts as overtaken, unless it shows.

use std::io;
use std::sync::Arc;

use crate::content;
use crate::disk::{Disk, Log, Look, New};
use crate::entry::{Entry, Hash, Kind};
use crate::error::Error;
use crate::fault::Fault;
use crate::message::{Change, Content, Message, Op, Outcome, Proposal, MAX_PENDING};
use crate::notes::Note;
use crate::path::RelPath;
use crate::tree::{Node, Place};
use crate::wire::MAX_FILE;

use super::hold::Hold;
use super::look::Round;
use super::state::Owner;

/// How often an edit is tried that something comes in between of.
const TRIES: usize = 8;

/// What is to be done with an edit.
enum Step {
    /// It shows already.
    Shown,
    /// This is to be put, or for None taken away.
    Swap(Option<New>),
    /// The mode is to be set.
    Mode(u16),
    /// Something came between.
    Conflict,
}

impl<D: Disk, L: Log> Owner<D, L> {
    pub(super) fn proposed(&mut self, proposal: Proposal) -> Result<(), Error> {
        let link = self.link.as_mut().expect("an edit came by it");
        if !link.in_step {
            return Err(Fault::new("an edit before the server is in step").into());
        }
        if link.edits.len() >= MAX_PENDING {
            return Err(Fault::new("too many edits").into());
        }
        if let Change::File {
            content: Content::Bulk { .. },
            ..
        } = proposal.change
        {
            link.parts.insert(proposal.id, Vec::new());
        }
        if link.again == Some(proposal.id) {
            link.again = None;
            match link.edits.front_mut() {
                Some(first) if first.id == proposal.id => *first = proposal,
                _ => return Err(Fault::new("an edit again that is done").into()),
            }
            return Ok(());
        }
        if proposal.id <= link.last_edit {
            let text = format!("edit {} after {}", proposal.id, link.last_edit);
            return Err(Fault::new(text).into());
        }
        link.last_edit = proposal.id;
        link.edits.push_back(proposal);
        Ok(())
    }

    pub(super) fn piece(&mut self, number: u64, bytes: &[u8]) -> Result<(), Error> {
        let link = self.link.as_mut().expect("a piece came by it");
        let held: usize = link.parts.values().map(Vec::len).sum();
        match link.parts.get_mut(&number) {
            None => Err(Fault::new(format!("a piece of {number}, which waits for none")).into()),
            Some(_) if (held + bytes.len()) as u64 > MAX_FILE => {
                Err(Fault::new("pieces of more than 1 GiB").into())
            }
            Some(part) => {
                part.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Does the edits that have come whole, in order.
    pub(super) fn do_edits(&mut self) -> Result<(), Error> {
        while self.due.is_empty() && self.hold != Hold::Held {
            let Some(link) = self.link.as_ref().filter(|link| link.owed.is_empty()) else {
                break;
            };
            let Some(proposal) = link.edits.front().cloned() else {
                break;
            };
            let Some(proposal) = self.completed(proposal)? else {
                break;
            };
            match self.do_edit(&proposal)? {
                true => {
                    let link = self.link.as_mut().expect("it was just there");
                    link.edits.pop_front();
                    link.parts.remove(&proposal.id);
                    self.look()?;
                }
                false => break,
            }
        }
        Ok(())
    }

    /// The edit with its whole content; None while that is on its way.
    fn completed(&mut self, mut proposal: Proposal) -> Result<Option<Proposal>, Error> {
        let Change::File {
            content,
            hash,
            size,
            ..
        } = &mut proposal.change
        else {
            return Ok(Some(proposal));
        };
        let link = self.link.as_mut().expect("asked with a connection");
        let bytes: Arc<[u8]> = match content {
            Content::None => return Err(Fault::new("an edit without its content").into()),
            Content::Whole(bytes) => bytes.clone(),
            Content::Bulk { .. } => {
                let part = link.parts.get(&proposal.id).map_or(&[][..], Vec::as_slice);
                if (part.len() as u64) < *size {
                    return Ok(None);
                }
                part.into()
            }
            Content::Delta { base, frame } => match self.old(&proposal.path, base) {
                Ok(Some(old)) => match content::patched(&old, frame, *size as usize) {
                    Ok(bytes) => bytes.into(),
                    Err(_) => return Err(Fault::new("a delta that is none").into()),
                },
                // What it was made on is not here any more.
                Ok(None) => {
                    let link = self.link.as_mut().expect("it was just there");
                    let id = proposal.id;
                    if link.again.is_none() {
                        link.again = Some(id);
                        self.out.control.push_back(Message::Again { id });
                    }
                    return Ok(None);
                }
                Err(error) => return self.put_off(error).map(|()| None),
            },
        };
        match bytes.len() as u64 == *size && Hash::of(&bytes) == *hash {
            true => {
                *content = Content::Whole(bytes);
                Ok(Some(proposal))
            }
            false => Err(Fault::new("an edit that is not what its hash says").into()),
        }
    }

    /// The content with hash `base`, from the disk or from what is kept.
    pub(super) fn old(&mut self, path: &RelPath, base: &Hash) -> io::Result<Option<Arc<[u8]>>> {
        if let Some(kept) = self.cache.get(base) {
            return Ok(Some(kept));
        }
        if self.local.entry(path).and_then(Entry::content) != Some(*base) {
            return Ok(None);
        }
        match self.disk.read(path) {
            Ok(bytes) if Hash::of(&bytes) == *base => Ok(Some(bytes.into())),
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Does one edit, or finds that it cannot be done. False: later.
    fn do_edit(&mut self, proposal: &Proposal) -> Result<bool, Error> {
        let Proposal { id, path, .. } = proposal;
        if let Some(why) = denied(path) {
            return self.overrule(*id, path, Outcome::Denied(why));
        }
        if let Some(outcome) = self.done.get(id).filter(|done| **done == Outcome::Merged) {
            return self.overrule(*id, path, outcome.clone());
        }
        for _ in 0..TRIES {
            let seen = match self.seen(path)? {
                Some(seen) => seen,
                None => return Ok(false),
            };
            let (new, is_merged) = match self.step(proposal) {
                Step::Shown => return self.accept(proposal),
                Step::Conflict => match self.merge(proposal) {
                    Ok(Some(new)) => (Some(new), true),
                    Ok(None) => return self.conflict(proposal),
                    Err(error) => return self.put_off(error).map(|()| false),
                },
                Step::Mode(mode) => {
                    if let Err(error) = self.disk.set(path, Some(mode), None) {
                        return self.put_off(error).map(|()| false);
                    }
                    // The record of it comes before the verdict, and says the same.
                    self.touched(path.clone(), false);
                    self.look()?;
                    return self.accept(proposal);
                }
                Step::Swap(new) => (new, false),
            };
            if self.intents.insert(*id) {
                let noted = self.log.append(&Note::Intent(*id).encode());
                if let Err(error) = noted {
                    self.intents.remove(id);
                    return self.put_off(error).map(|()| false);
                }
            }
            match self.disk.swap(path, seen.as_ref(), new.as_ref()) {
                Ok(true) if is_merged => {
                    return match self.note(*id, &Outcome::Merged)? {
                        true => self.overrule(*id, path, Outcome::Merged),
                        false => Ok(false),
                    };
                }
                Ok(true) => return self.accept(proposal),
                // Nothing was done, so nothing is uncertain.
                Ok(false) => self.undo_intent(*id)?,
                Err(error) => {
                    let kind = error.kind();
                    self.put_off(error)?;
                    self.undo_intent(*id)?;
                    let is_hopeless = matches!(
                        kind,
                        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                    );
                    return match is_hopeless {
                        true => self.conflict(proposal),
                        false => Ok(false),
                    };
                }
            }
        }
        self.conflict(proposal)
    }

    fn undo_intent(&mut self, id: u64) -> Result<(), Error> {
        self.intents.remove(&id);
        Ok(())
    }

    /// Looks at `path` once more, so that `local` has it. None where that has to wait.
    pub(super) fn seen(&mut self, path: &RelPath) -> Result<Option<Option<Look>>, Error> {
        let looked = self.batch(|owner| {
            let mut round = Round::default();
            let seen = match owner.refresh(path, false, &mut round) {
                Ok(seen) => seen,
                Err(error) => {
                    owner.put_off(error)?;
                    return Ok::<_, Error>(None);
                }
            };
            owner.finish_round(round)?;
            Ok(Some(seen))
        })?;
        Ok(looked.filter(|_| self.due.is_empty()))
    }

    /// What is to be done, by what is there now.
    fn step(&self, proposal: &Proposal) -> Step {
        let Proposal {
            id,
            path,
            base,
            change,
        } = proposal;
        let there = self.local.entry(path);
        let parent = self.local.is_folder(&path.parent());
        let is_untouched = parent
            && !self.intents.contains(id)
            && match (there, base) {
                (None, None) => true,
                (Some(there), Some(base)) => there.kind == base.kind,
                _ => false,
            };
        let shown = match (there, change) {
            (None, Change::Remove) => true,
            (Some(entry), Change::File { hash, .. }) => entry.content() == Some(*hash),
            (Some(entry), Change::Link { target }) => {
                matches!(&entry.kind, Kind::Link { target: there } if there == target)
            }
            (Some(entry), Change::Folder { .. }) => entry.is_folder(),
            (Some(entry), Change::Mode { mode }) => entry.mode == *mode,
            _ => false,
        };
        if shown {
            return Step::Shown;
        }
        match change {
            Change::Mode { mode } => match there.map(|entry| &entry.kind) {
                Some(Kind::Folder | Kind::File { .. }) => Step::Mode(*mode),
                _ => Step::Conflict,
            },
            _ if !is_untouched => Step::Conflict,
            Change::Remove => {
                let node = self.local.get(path);
                match node.is_some_and(|node| node.order().is_empty()) {
                    true => Step::Swap(None),
                    false => Step::Conflict,
                }
            }
            Change::File { mode, content, .. } => match content {
                Content::Whole(bytes) => Step::Swap(Some(New::File {
                    bytes: bytes.clone(),
                    mode: mode.or(there.map(|entry| entry.mode)),
                    mtime: None,
                })),
                _ => Step::Conflict,
            },
            Change::Link { target } => Step::Swap(Some(New::Link {
                target: target.clone(),
                mtime: None,
            })),
            Change::Folder { mode } => Step::Swap(Some(New::Folder { mode: *mode })),
        }
    }

    /// The edit is on the disk: the log says so, then the server hears it.
    fn accept(&mut self, proposal: &Proposal) -> Result<bool, Error> {
        let Proposal {
            id, path, change, ..
        } = proposal;
        if !self.note(*id, &Outcome::Accepted)? {
            return Ok(false);
        }
        let now = match self.disk.look(path) {
            Ok(now) => now,
            Err(error) => {
                self.put_off(error)?;
                None
            }
        };
        // What was done, even if somebody has done something else since: that is looked at next, and said as a change.
        let entry = match change {
            Change::Remove => None,
            change => self.entry_of(path, change, now.as_ref()),
        };
        self.forget(path);
        let stands = self.local.entry(path);
        match &entry {
            None => {
                self.local.remove(path);
            }
            Some(entry) if stands.is_some_and(|stands| stands.kind == entry.kind) => {
                let node = self.local.get_mut(path).expect("it stands");
                (node.entry, node.stamp) = (entry.clone(), None);
            }
            Some(entry) => {
                let mut node = Node::new(entry.clone());
                node.open = self.epoch;
                self.local.insert(path, node, &Place::Last);
            }
        }
        if let Change::File {
            content: Content::Whole(bytes),
            hash,
            ..
        } = change
        {
            self.cache.put(*hash, bytes);
        }
        let (id, outcome) = (*id, Outcome::Accepted);
        self.emit(Op::Verdict { id, outcome, entry });
        self.touched(path.clone(), true);
        self.unsorted.insert(path.parent());
        Ok(true)
    }

    /// The entry that `change` has made at `path`, as far as it is still to be seen.
    fn entry_of(&self, path: &RelPath, change: &Change, now: Option<&Look>) -> Option<Entry> {
        let old = self.local.entry(path);
        let kind = match change {
            Change::File { size, hash, .. } => Kind::File {
                size: *size,
                hash: *hash,
            },
            Change::Link { target } => Kind::Link {
                target: target.clone(),
            },
            Change::Folder { .. } => Kind::Folder,
            Change::Mode { .. } => old?.kind.clone(),
            Change::Remove => return None,
        };
        let wanted = match change {
            Change::File { mode, .. } => mode.or(old.map(|old| old.mode)).unwrap_or(0o644),
            Change::Link { .. } => 0o777,
            Change::Folder { mode } | Change::Mode { mode } => *mode,
            Change::Remove => 0,
        };
        Some(Entry {
            mode: match change {
                Change::Mode { .. } => wanted,
                _ => now.map_or(wanted, |now| now.mode),
            },
            mtime: now.map_or(0, |now| now.mtime),
            kind,
        })
    }

    /// Writes down what became of an edit. False where the log cannot be written just now.
    pub(super) fn note(&mut self, id: u64, outcome: &Outcome) -> Result<bool, Error> {
        if self.done.contains_key(&id) {
            return Ok(true);
        }
        match self.log.append(&Note::Done(id, outcome.clone()).encode()) {
            Ok(()) => {
                self.done.insert(id, outcome.clone());
                Ok(true)
            }
            Err(error) => self.put_off(error).map(|()| false),
        }
    }
}

/// Why the server may not change `path`; None: it may.
fn denied(path: &RelPath) -> Option<String> {
    let mut names = path.names();
    let git = names.find(|name| name.eq_ignore_ascii_case(b".git"));
    git.map(|_| format!("{path}: .git is changed on the client only"))
}
