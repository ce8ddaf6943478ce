//! The agent's edits: done here at once, and proposed to the client.

use std::io;

use crate::content;
use crate::disk::{Disk, Log, Look, Seen};
use crate::entry::{Entry, Hash};
use crate::error::Error;
use crate::fault::Fault;
use crate::message::{Change, Content, Message, Proposal, MAX_PENDING};
use crate::notes::Note;
use crate::path::RelPath;

use super::changes::{made, possible};
use super::state::{Pending, Replica};

impl<D: Disk, L: Log> Replica<D, L> {
    /// An edit of the agent: done here at once, and proposed to the client. Gives its number.
    ///
    /// # Errors
    /// The disk's or the log's; then nothing has been done, as far as an edit can be taken back.
    pub fn edit(&mut self, path: &RelPath, change: Change) -> Result<u64, Error> {
        if self.pending.len() >= MAX_PENDING {
            let text = "too many edits wait for the client";
            return Err(io::Error::new(io::ErrorKind::WouldBlock, text).into());
        }
        let there = self.disk.look(path)?;
        let mut before = None;
        let base = match &there {
            None => None,
            Some(look) => {
                let hash = match look.kind {
                    Seen::File(_) => {
                        let bytes = self.disk.read(path)?;
                        let hash = Hash::of(&bytes);
                        before = Some(bytes.into());
                        hash
                    }
                    _ => Hash::of(b""),
                };
                Some(look.entry(hash))
            }
        };
        possible(there.as_ref(), &change)?;
        if matches!(&change, Change::Remove) && there.as_ref().is_some_and(Look::is_folder) {
            if !self.disk.list(path)?.is_empty() {
                let text = format!("{path}: folder is not empty");
                return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, text).into());
            }
        } else if let (None, false) = (&there, path.parent().is_root()) {
            let parent = self.disk.look(&path.parent())?;
            if !parent.is_some_and(|look| look.is_folder()) {
                let text = format!("{path} has no folder to lie in");
                return Err(io::Error::new(io::ErrorKind::NotFound, text).into());
            }
        }
        let id = self.next_edit;
        let proposal = Proposal {
            id,
            path: path.clone(),
            base,
            change,
        };
        // On record before it is on the disk: what an agent has seen done is not lost.
        self.log
            .append(&Note::Proposed(proposal.clone()).encode())?;
        self.next_edit += 1;
        self.edited.insert(path.clone());
        let done = match &proposal.change {
            Change::Remove => self.disk.remove(path),
            Change::Mode { mode } => self.disk.set(path, Some(*mode), None),
            change => {
                let mode = there.as_ref().map_or(0o644, |look| look.mode);
                let new = made(change, mode).expect("neither removal nor mode");
                self.disk.put(path, &new)
            }
        };
        if let Err(error) = done {
            self.log.append(&Note::Settled(id).encode())?;
            return Err(error.into());
        }
        let one = Pending {
            proposal,
            is_shadowed: false,
            before,
        };
        self.pending.insert(id, one);
        if self.link.as_ref().is_some_and(|link| link.in_step) {
            self.send(id, false)?;
        }
        Ok(id)
    }

    /// Proposes an edit to the client. A content that is too long for a message goes before, in pieces.
    pub(super) fn send(&mut self, id: u64, whole: bool) -> Result<(), Error> {
        let one = &self.pending[&id];
        let mut proposal = one.proposal.clone();
        let mut pieces = None;
        if let Change::File { content, .. } = &mut proposal.change {
            let Content::Whole(bytes) = content.clone() else {
                return Err(Fault::new("an edit in the log without its content").into());
            };
            let base = proposal.base.as_ref().and_then(Entry::content);
            let frame = match (&one.before, base) {
                (Some(before), Some(_)) if !whole && bytes.len() > self.limits.delta => {
                    content::delta(before, &bytes)?
                }
                _ => None,
            };
            match (frame, base) {
                (Some(frame), Some(base)) if frame.len() <= self.limits.inline => {
                    let frame = frame.into();
                    *content = Content::Delta { base, frame };
                }
                _ if bytes.len() > self.limits.inline => {
                    pieces = Some(bytes);
                    *content = Content::Bulk { have: 0 };
                }
                _ => {}
            }
        }
        self.out.push_back(Message::Propose(proposal));
        for part in pieces
            .iter()
            .flat_map(|bytes| bytes.chunks(self.limits.piece))
        {
            let (number, bytes) = (id, part.into());
            self.out.push_back(Message::Piece { number, bytes });
        }
        Ok(())
    }
}
