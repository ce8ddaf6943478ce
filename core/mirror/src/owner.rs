//! The client's side: sees what changes on its disk, says so in order, and does the edits of the server if nothing came between.
//!
//! `local` is the disk as it was last looked at. A folder of it is *open* when the server is known to have the same names in
//! it, by what has been said in this connection; only what happens in open folders is said at once. A new connection opens
//! the tree from the root down, where hashes differ ([`walk`](self)).

mod batches;
mod conflicts;
mod edits;
mod hold;
mod lanes;
mod link;
mod look;
mod outgoing;
mod state;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use crate::cache::Cache;
use crate::disk::{Disk, Log};
use crate::error::Error;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::message::{Message, Outcome, Stand, VERSION};
use crate::notes::Note;
use crate::path::RelPath;
use crate::tree::Tree;

pub use hold::Hold;
use lanes::Outgoing;
use link::Link;
pub use state::Owner;

impl<D: Disk, L: Log> Owner<D, L> {
    /// Opens the workspace: reads the log, and looks at all files. Whoever watches has begun before.
    ///
    /// # Errors
    /// The disk's or the log's, or a log that is none of ours.
    pub fn open(disk: D, mut log: L, client: [u8; 16], limits: Limits) -> Result<Self, Error> {
        let mut session = None;
        let (mut intents, mut done) = (BTreeSet::new(), BTreeMap::new());
        for entry in log.entries()? {
            match Note::decode(&entry)? {
                Note::Session(id) => session = Some(id),
                Note::Intent(id) => {
                    intents.insert(id);
                }
                Note::Done(id, outcome) => {
                    done.insert(id, outcome);
                }
                _ => return Err(Fault::new("the client's log is a server's").into()),
            }
        }
        let mut owner = Owner {
            disk,
            log,
            client,
            local: Tree::default(),
            due: BTreeMap::new(),
            unsorted: BTreeSet::new(),
            link: None,
            epoch: 0,
            session,
            intents,
            done,
            conflicts: Vec::new(),
            stalled: None,
            limits,
            cache: Cache::new(limits.cache),
            out: Outgoing::default(),
            hold: Hold::Free,
        };
        owner.touched_all();
        owner.look()?;
        Ok(owner)
    }

    /// The tree as it was last looked at.
    pub fn local(&self) -> &Tree {
        &self.local
    }

    /// Something may have changed at `path`; `deep`: also below.
    pub fn touched(&mut self, path: RelPath, deep: bool) {
        let slot = self.due.entry(path).or_default();
        *slot |= deep;
    }

    /// Anything may have changed anywhere.
    pub fn touched_all(&mut self) {
        self.touched(RelPath::root(), true);
    }

    /// Looks at what is due, and says what has changed; does edits of the server.
    ///
    /// # Errors
    /// Those after which the machine is not to be used any more; others are tried again ([`Owner::stalled`]).
    pub fn pump(&mut self) -> Result<(), Error> {
        self.stalled = None;
        self.look()?;
        self.send_owed()?;
        self.finish_walk();
        self.heal()?;
        self.do_edits()
    }

    /// What calls need that are to see all that was on the disk when [`Owner::pump`] was last called.
    pub fn stand(&self) -> Stand {
        let sequence = self.link.as_ref().map_or(0, |link| link.sequence);
        Stand {
            epoch: self.epoch,
            sequence,
        }
    }

    /// Whether nothing is left to be looked at or said.
    pub fn is_in_step(&self) -> bool {
        let link = self.link.as_ref();
        self.due.is_empty()
            && link.is_some_and(|link| link.in_step && link.owed.is_empty() && link.lost.is_empty())
    }

    /// Whether all that is known to have changed has been looked at and said.
    pub fn has_said_all(&self) -> bool {
        self.due.is_empty()
    }

    /// Whether edits of the server have come that are not done yet.
    pub fn has_edits(&self) -> bool {
        self.link
            .as_ref()
            .is_some_and(|link| !link.edits.is_empty())
    }

    /// How many nodes and contents the server still lacks, as far as is known.
    pub fn owed(&self) -> usize {
        let link = self.link.as_ref();
        link.map_or(0, |link| link.owed.len() + link.asks.len())
    }

    /// Whether the server has said that it has applied all that was sent.
    pub fn is_acknowledged(&self) -> bool {
        let link = self.link.as_ref();
        self.is_in_step() && link.is_some_and(|link| link.applied == link.sequence)
    }

    /// Why something was put off.
    pub fn stalled(&self) -> Option<&str> {
        self.stalled.as_deref()
    }

    /// Edits of the server that met others, since this was last asked.
    pub fn conflicts(&mut self) -> Vec<(RelPath, Outcome)> {
        std::mem::take(&mut self.conflicts)
    }

    /// The next message for the server that nothing may overtake.
    pub fn next_message(&mut self) -> Option<Message> {
        self.out.next()
    }

    /// The next piece of a long content, to be sent when there is no message.
    pub fn next_piece(&mut self) -> Option<Message> {
        self.out.next_piece(self.limits.piece)
    }

    /// A connection stands; the server speaks first.
    pub fn connected(&mut self) {
        self.disconnected();
        self.link = Some(Link::default());
    }

    /// The connection is gone.
    pub fn disconnected(&mut self) {
        self.link = None;
        self.out = Outgoing::default();
    }

    /// Takes a message of the server's.
    ///
    /// # Errors
    /// A fault of the server's, upon which the connection is to be ended; or the log's.
    pub fn receive(&mut self, message: Message) -> Result<(), Error> {
        let Some(link) = &mut self.link else {
            return Err(Fault::new("a message without a connection").into());
        };
        let is_welcomed = link.epoch != 0;
        match message {
            Message::Welcome {
                version,
                session,
                epoch,
                root,
                entry,
                pending,
                partial,
            } if !is_welcomed => {
                if version != VERSION {
                    let text =
                        format!("version {version} of the protocol, {VERSION} is spoken here");
                    return Err(Fault::new(text).into());
                }
                if !entry.is_folder() {
                    return Err(Fault::new("a root that is no folder").into());
                }
                link.partial = partial.into_iter().collect();
                self.welcome(session, epoch, root, entry, &pending)
            }
            Message::Listing { id, last, entries } if is_welcomed => {
                self.listing(id, last, entries)
            }
            Message::Applied { sequence } if is_welcomed => {
                if sequence < link.applied || sequence > link.sequence {
                    return Err(Fault::new(format!("record {sequence} applied")).into());
                }
                link.applied = sequence;
                Ok(())
            }
            Message::Lost { id, path } if is_welcomed => self.lost(id, path),
            Message::Propose(proposal) if is_welcomed => self.proposed(proposal),
            Message::Piece { number, bytes } if is_welcomed => self.piece(number, &bytes),
            other => {
                let text = format!("{} out of turn", other.name());
                Err(Fault::new(text).into())
            }
        }
    }
}
