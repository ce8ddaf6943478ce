//! Edits of the server that something came between: merged where the changes do not touch, else both versions are kept.

use std::io;

use crate::disk::{Disk, Log, New, Seen};
use crate::entry::Entry;
use crate::error::Error;
use crate::merge::merged;
use crate::message::{Change, Content, Op, Outcome, Proposal};
use crate::path::RelPath;

use super::state::Owner;

impl<D: Disk, L: Log> Owner<D, L> {
    /// What both sides have made of the file; None where they cannot be brought together.
    pub(super) fn merge(&mut self, proposal: &Proposal) -> io::Result<Option<New>> {
        let Proposal {
            id,
            path,
            base,
            change,
        } = proposal;
        let Change::File {
            mode,
            content: Content::Whole(theirs),
            ..
        } = change
        else {
            return Ok(None);
        };
        let there = self.local.entry(path).cloned();
        let base = base.as_ref().and_then(Entry::content);
        let hash = there.as_ref().and_then(Entry::content);
        // Tried before a crash, it may have been done and undone by somebody since.
        let (Some(base), Some(hash), false) = (base, hash, self.intents.contains(id)) else {
            return Ok(None);
        };
        let (Some(base), Some(ours)) = (self.cache.get(&base), self.old(path, &hash)?) else {
            return Ok(None);
        };
        Ok(merged(&base, &ours, theirs).map(|bytes| New::File {
            bytes: bytes.into(),
            mode: mode.or(there.map(|there| there.mode)),
            mtime: None,
        }))
    }

    /// Something came between: the client's version stays, the server's is kept beside it.
    pub(super) fn conflict(&mut self, proposal: &Proposal) -> Result<bool, Error> {
        let new = match &proposal.change {
            Change::File {
                content: Content::Whole(bytes),
                ..
            } => Some(New::File {
                bytes: bytes.clone(),
                mode: None,
                mtime: None,
            }),
            Change::Link { target } => Some(New::Link {
                target: target.clone(),
                mtime: None,
            }),
            _ => None,
        };
        let copy = match new {
            None => None,
            Some(new) => match self.keep_copy(proposal, &new)? {
                Some(copy) => Some(copy),
                None => return Ok(false),
            },
        };
        self.overrule(proposal.id, &proposal.path, Outcome::Conflict(copy))
    }

    /// Puts the server's version beside the client's. None where that has to wait.
    fn keep_copy(&mut self, proposal: &Proposal, new: &New) -> Result<Option<RelPath>, Error> {
        let mut folder = proposal.path.parent();
        while !self.local.is_folder(&folder) {
            folder = folder.parent();
        }
        let (_, name) = proposal.path.split().expect("an edit is not of the root");
        for number in 0.. {
            let end = match number {
                0 => format!(".curserve-conflict-{}", proposal.id),
                _ => format!(".curserve-conflict-{}.{number}", proposal.id),
            };
            let name = [&name[..name.len().min(255 - end.len())], end.as_bytes()].concat();
            let Ok(copy) = folder.join(&name) else {
                // Too long a path: the root takes it.
                folder = RelPath::root();
                continue;
            };
            // One that is there already, with this content, is from before a crash.
            let there = match self.disk.look(&copy) {
                Ok(there) => there,
                Err(error) => return self.put_off(error).map(|()| None),
            };
            let done = match &there {
                None => self.disk.swap(&copy, None, Some(new)),
                Some(_) => self.holds(&copy, new),
            };
            match done {
                Ok(true) => {
                    self.touched(copy.clone(), true);
                    self.look()?;
                    return Ok(Some(copy));
                }
                Ok(false) => {}
                Err(error) => return self.put_off(error).map(|()| None),
            }
        }
        Ok(None)
    }

    fn holds(&mut self, path: &RelPath, new: &New) -> io::Result<bool> {
        let there = self.disk.look(path)?.map(|look| look.kind);
        match (there, new) {
            (Some(Seen::Link(there)), New::Link { target, .. }) => Ok(there == *target),
            (Some(Seen::File(size)), New::File { bytes, .. }) if size == bytes.len() as u64 => {
                Ok(self.disk.read(path)? == **bytes)
            }
            _ => Ok(false),
        }
    }

    /// The client's version counts: the server gets it, and the outcome.
    pub(super) fn overrule(
        &mut self,
        id: u64,
        path: &RelPath,
        outcome: Outcome,
    ) -> Result<bool, Error> {
        if self.seen(path)?.is_none() {
            return Ok(false);
        }
        let Some(whole) = self.gather(path)? else {
            return Ok(false);
        };
        if !self.note(id, &outcome)? {
            return Ok(false);
        }
        self.conflicts.push((path.clone(), outcome.clone()));
        self.batch(|owner| {
            owner.resend(path, whole)?;
            let entry = None;
            owner.emit(Op::Verdict { id, outcome, entry });
            Ok::<_, Error>(())
        })?;
        Ok(true)
    }
}
