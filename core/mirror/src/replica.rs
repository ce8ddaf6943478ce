//! The server's side: applies the client's records in order, and keeps the edits of the agent until the client has them.
//!
//! `base` is the tree as the client has last said it is. What lies on the disk is `base` with the edits on top that have no
//! verdict yet. A record overrides ("shadows") all such edits that it touches: the client's disk is right, and it has made
//! that record before it saw the edit. An edit that is shadowed is still in the log, and gets its verdict.

mod apply;
mod changes;
mod contents;
mod edits;
mod folders;
mod questions;
mod queue;
mod rescan;
mod shadows;
mod state;
mod verdicts;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;

use crate::disk::{Disk, Log};
use crate::entry::Entry;
use crate::error::Error;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::message::{Message, Outcome, Stand, MAX_NAMES, VERSION};
use crate::notes::Note;
use crate::path::RelPath;
use crate::tree::Tree;

use state::{Link, Pending};
pub use state::{Ready, Replica};

/// The most questions that wait.
const MAX_ASKS: usize = 1 << 20;

impl<D: Disk, L: Log> Replica<D, L> {
    /// Opens a session: what its log says, on what lies on the disk. `fresh` is the session's number if it is new.
    ///
    /// # Errors
    /// The disk's or the log's, or a log that is none of ours.
    pub fn open(disk: D, mut log: L, fresh: [u8; 16], limits: Limits) -> Result<Self, Error> {
        let mut session = None;
        let mut pending: BTreeMap<u64, Pending> = BTreeMap::new();
        let mut next_edit = 1;
        let mut last = Stand::default();
        for entry in log.entries()? {
            match Note::decode(&entry)? {
                Note::Session(id) => session = Some(id),
                Note::Epoch(epoch) => last.epoch = epoch,
                Note::Next(id) => next_edit = next_edit.max(id),
                Note::Proposed(proposal) => {
                    next_edit = next_edit.max(proposal.id + 1);
                    let before = None;
                    let is_shadowed = false;
                    let id = proposal.id;
                    let one = Pending {
                        proposal,
                        is_shadowed,
                        before,
                    };
                    pending.insert(id, one);
                }
                Note::Settled(id) => {
                    pending.remove(&id);
                }
                Note::Intent(_) | Note::Done(..) => {
                    return Err(Fault::new("the server's log is a client's").into())
                }
            }
        }
        let session = match session {
            Some(session) => session,
            None => {
                log.append(&Note::Session(fresh).encode())?;
                fresh
            }
        };
        let mut replica = Replica {
            disk,
            log,
            session,
            base: Tree::default(),
            nodes: 0,
            pending,
            next_edit,
            last,
            link: None,
            partial: HashMap::new(),
            holes: BTreeMap::new(),
            next_hole: 1,
            outcomes: Vec::new(),
            stalled: None,
            is_doubtful: false,
            late: BTreeSet::new(),
            edited: BTreeSet::new(),
            rearranged: BTreeSet::new(),
            limits,
            out: VecDeque::new(),
        };
        replica.compact()?;
        replica.rescan()?;
        Ok(replica)
    }

    /// Writes the log anew, without what is settled.
    fn compact(&mut self) -> io::Result<()> {
        let mut notes = vec![
            Note::Session(self.session).encode(),
            Note::Epoch(self.last.epoch).encode(),
            Note::Next(self.next_edit).encode(),
        ];
        let pending = self.pending.values();
        notes.extend(pending.map(|one| Note::Proposed(one.proposal.clone()).encode()));
        self.log.replace(&notes)
    }

    /// The tree as the client has said it is.
    pub fn base(&self) -> &Tree {
        &self.base
    }

    /// How many edits wait for a verdict.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Those edits: where, and what was there.
    pub fn edits(&self) -> impl Iterator<Item = (&RelPath, Option<&Entry>)> {
        let edits = self.pending.values().map(|one| &one.proposal);
        edits.map(|edit| (&edit.path, edit.base.as_ref()))
    }

    /// Up to where records have been applied.
    pub fn stand(&self) -> Stand {
        self.last
    }

    /// Whether the copy is whole and follows the client.
    pub fn is_in_step(&self) -> bool {
        let link = self.link.as_ref();
        link.is_some_and(|link| link.in_step) && self.holes.is_empty() && self.stalled.is_none()
    }

    /// Why the last record could not be applied; it is tried again.
    pub fn stalled(&self) -> Option<&str> {
        self.stalled.as_deref()
    }

    /// What the client has said of edits since this was last asked: number, path, outcome.
    pub fn outcomes(&mut self) -> Vec<(u64, RelPath, Outcome)> {
        std::mem::take(&mut self.outcomes)
    }

    /// Whether a call that needs `needs` may be answered.
    pub fn ready(&self, needs: Stand) -> Ready {
        let Some(link) = &self.link else {
            return Ready::Home;
        };
        let epoch = link.epoch.unwrap_or(0);
        if self.stalled.is_some() || link.is_between || needs.epoch > epoch {
            return Ready::Home;
        }
        if !link.in_step || !self.holes.is_empty() {
            return Ready::Wait;
        }
        match needs <= self.last {
            true => Ready::Now,
            false if needs.sequence <= link.received => Ready::Wait,
            // A record comes before what needs it: this one was never sent.
            false => Ready::Home,
        }
    }

    /// Folders whose names may have come to lie in another order since this was last asked.
    pub fn rearranged(&mut self) -> BTreeSet<RelPath> {
        std::mem::take(&mut self.rearranged)
    }

    /// The next message for the client.
    pub fn next_message(&mut self) -> Option<Message> {
        self.out.pop_front()
    }

    /// A connection stands: what the client must know first.
    ///
    /// # Errors
    /// The disk's, where the copy has to be looked at once more.
    pub fn connected(&mut self) -> Result<(), Error> {
        self.disconnected();
        if self.is_doubtful {
            self.rescan()?;
        }
        self.link = Some(Link {
            epoch: None,
            received: 0,
            applied: 0,
            reported: 0,
            in_step: false,
            queue: VecDeque::new(),
            bulk: BTreeMap::new(),
            whole: 0,
            in_batch: false,
            batch_bytes: 0,
            is_between: false,
            asks: VecDeque::new(),
        });
        let root = RelPath::root();
        let partial = self
            .partial
            .iter()
            .map(|(hash, bytes)| (*hash, bytes.len() as u64));
        let welcome = Message::Welcome {
            version: VERSION,
            session: self.session,
            epoch: self.last.epoch,
            root: self.base.hash(&root).expect("there is a root"),
            entry: self.base.entry(&root).expect("there is a root").clone(),
            pending: self.pending.keys().copied().collect(),
            partial: partial.take(MAX_NAMES).collect(),
        };
        self.out.push_back(welcome);
        Ok(())
    }

    /// The connection is gone, and with it what was under way. What is half a batch has never been seen by anyone.
    pub fn disconnected(&mut self) {
        if let Some(link) = self.link.take() {
            self.is_doubtful |= self.stalled.is_some();
            self.keep_partial(link);
        }
        self.out.clear();
        self.stalled = None;
        // `base` does not have them: the walk brings them back.
        self.holes.clear();
    }

    /// Takes a message of the client's.
    ///
    /// # Errors
    /// A fault of the client's, upon which the connection is to be ended; or the log's.
    pub fn receive(&mut self, message: Message) -> Result<(), Error> {
        let Some(link) = &mut self.link else {
            return Err(Fault::new("a message without a connection").into());
        };
        match (message, link.epoch) {
            (Message::Hello { version, epoch, .. }, None) => {
                if version != VERSION {
                    let text =
                        format!("version {version} of the protocol, {VERSION} is spoken here");
                    return Err(Fault::new(text).into());
                }
                if epoch <= self.last.epoch {
                    return Err(Fault::new(format!("epoch {epoch} again")).into());
                }
                link.epoch = Some(epoch);
                self.last = Stand { epoch, sequence: 0 };
                self.log.append(&Note::Epoch(epoch).encode())?;
            }
            (Message::Record { sequence, op }, Some(_)) => {
                if sequence != link.received + 1 {
                    let text = format!("record {sequence} after {}", link.received);
                    return Err(Fault::new(text).into());
                }
                link.received = sequence;
                self.take(sequence, op)?;
                self.advance()?;
            }
            (Message::Piece { number, bytes }, Some(_)) => {
                self.piece(number, &bytes)?;
                self.advance()?;
            }
            (Message::Ask { id, path }, Some(_)) => {
                if link.asks.len() >= MAX_ASKS {
                    return Err(Fault::new("too many questions").into());
                }
                link.asks.push_back((link.received, id, path));
                self.advance()?;
            }
            (Message::Again { id }, Some(_)) if self.pending.contains_key(&id) => {
                self.send(id, true)?;
            }
            (other, _) => {
                let text = format!("{} out of turn", other.name());
                return Err(Fault::new(text).into());
            }
        }
        Ok(())
    }

    /// Tries again what could not be applied.
    ///
    /// # Errors
    /// As [`Replica::receive`].
    pub fn tick(&mut self) -> Result<(), Error> {
        self.advance()
    }
}
