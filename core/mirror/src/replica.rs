//! The server's side: applies the client's records in order, and keeps the edits of the agent until the client has them.
//!
//! `base` is the tree as the client has last said it is. What lies on the disk is `base` with the edits on top that have no
//! verdict yet. A record overrides ("shadows") all such edits that it touches: the client's disk is right, and it has made
//! that record before it saw the edit. An edit that is shadowed is still in the log, and gets its verdict.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use crate::content;
use crate::disk::{remove_all, Disk, Log, Look, New, Seen};
use crate::entry::{Entry, Hash, Kind};
use crate::error::Error;
use crate::fault::Fault;
use crate::limits::Limits;
use crate::message::{
    Change, Content, Message, Op, Outcome, Proposal, Stand, MAX_NAMES, MAX_PENDING, VERSION,
};
use crate::notes::Note;
use crate::path::{RelPath, MAX_DEPTH, MAX_PATH};
use crate::tree::{Node, Place, Tree};

/// The most bytes of contents whose record has not come yet.
const MAX_PARTIAL: usize = 1 << 30;
/// The most nodes of a workspace.
const MAX_NODES: usize = 4_000_000;
/// The most questions that wait.
const MAX_ASKS: usize = 1 << 20;
/// The most bytes between begin and commit.
const MAX_BATCH: usize = 256 << 20;

/// An edit that waits for its verdict.
#[derive(Debug)]
struct Pending {
    proposal: Proposal,
    /// A record has overridden it on the disk.
    is_shadowed: bool,
    /// What the file held before, to make out deltas that the client sends meanwhile.
    before: Option<Arc<[u8]>>,
}

/// A connection to the client.
#[derive(Debug)]
struct Link {
    /// None until the client has said hello.
    epoch: Option<u64>,
    received: u64,
    applied: u64,
    /// Up to where the client knows that records were applied.
    reported: u64,
    in_step: bool,
    /// Records that wait for a content, or for the end of their batch, with their numbers.
    queue: VecDeque<(u64, Op)>,
    /// Contents of which the rest is on its way, by the number of their record.
    bulk: BTreeMap<u64, Vec<u8>>,
    /// How many of them are part of a batch that is whole.
    whole: usize,
    in_batch: bool,
    batch_bytes: usize,
    /// Questions, each with the record before it.
    asks: VecDeque<(u64, u64, RelPath)>,
}

/// What becomes of a call that needs a stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It may be answered.
    Now,
    /// What it needs is on its way.
    Wait,
    /// It cannot be answered here: the copy is not whole, and nothing on its way makes it so.
    Home,
}

/// The machine of the server's side.
#[derive(Debug)]
pub struct Replica<D, L> {
    /// The workspace.
    pub disk: D,
    log: L,
    session: [u8; 16],
    base: Tree,
    nodes: usize,
    pending: BTreeMap<u64, Pending>,
    next_edit: u64,
    last: Stand,
    link: Option<Link>,
    partial: HashMap<Hash, Vec<u8>>,
    holes: BTreeMap<u64, RelPath>,
    next_hole: u64,
    /// What the client has said of edits since somebody asked.
    outcomes: Vec<(u64, RelPath, Outcome)>,
    /// Why the last record could not be applied.
    stalled: Option<String>,
    /// A record was applied in part, and its rest is lost: nobody but the disk says what is there.
    is_doubtful: bool,
    /// Folders whose time could not be set.
    late: BTreeSet<RelPath>,
    /// Where edits were made since there was last none without a verdict.
    edited: BTreeSet<RelPath>,
    limits: Limits,
    out: VecDeque<Message>,
}

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
            limits,
            out: VecDeque::new(),
        };
        replica.compact()?;
        replica.rescan()?;
        Ok(replica)
    }

    /// Makes `base` anew from what lies on the disk.
    fn rescan(&mut self) -> io::Result<()> {
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
        if self.stalled.is_some() || needs.epoch > epoch {
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

    /// What has come of long contents is used when the client sends the same ones again.
    fn keep_partial(&mut self, mut link: Link) {
        for (sequence, op) in link.queue {
            let Op::Put { entry, .. } = op else { continue };
            let have = link.bulk.remove(&sequence).filter(|have| !have.is_empty());
            if let (Some(hash), Some(have)) = (entry.content(), have) {
                if self.partial.len() < MAX_NAMES {
                    self.partial.insert(hash, have);
                }
            }
        }
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

    fn take(&mut self, sequence: u64, op: Op) -> Result<(), Error> {
        let link = self.link.as_mut().expect("a record came by it");
        match &op {
            Op::Begin if link.in_batch => return Err(Fault::new("a batch in a batch").into()),
            Op::Begin => link.in_batch = true,
            Op::Commit if !link.in_batch => {
                return Err(Fault::new("the end of no batch").into());
            }
            Op::Commit => {
                link.in_batch = false;
                link.batch_bytes = 0;
            }
            Op::Put { entry, content, .. } => {
                let bytes = match content {
                    Content::Whole(bytes) => bytes.len(),
                    Content::Delta { frame, .. } => frame.len(),
                    Content::Bulk { have } => {
                        let hash = entry.content();
                        let old = hash.and_then(|hash| self.partial.remove(&hash));
                        let mut old = old.unwrap_or_default();
                        if (old.len() as u64) < *have {
                            return Err(Fault::new("the rest of a content that is not here").into());
                        }
                        old.truncate(*have as usize);
                        link.bulk.insert(sequence, old);
                        0
                    }
                    Content::None => 0,
                };
                if link.in_batch {
                    link.batch_bytes += bytes + 200;
                }
                if link.batch_bytes > MAX_BATCH {
                    return Err(Fault::new("a batch of more than 256 MiB").into());
                }
            }
            _ => {}
        }
        link.queue.push_back((sequence, op));
        if !link.in_batch {
            link.whole = link.queue.len();
        }
        Ok(())
    }

    fn piece(&mut self, number: u64, bytes: &[u8]) -> Result<(), Error> {
        let link = self.link.as_mut().expect("a piece came by it");
        let wanted = link.queue.iter().find(|(sequence, _)| *sequence == number);
        let size = match wanted {
            Some((_, Op::Put { entry, .. })) => match entry.kind {
                Kind::File { size, .. } => size,
                _ => 0,
            },
            _ => 0,
        };
        let held: usize = link.bulk.values().map(Vec::len).sum();
        match link.bulk.get_mut(&number) {
            None => Err(Fault::new(format!("a piece of {number}, which waits for none")).into()),
            Some(have) if (have.len() + bytes.len()) as u64 > size => {
                Err(Fault::new(format!("more pieces of {number} than its size")).into())
            }
            Some(_) if held + bytes.len() > MAX_PARTIAL => {
                Err(Fault::new("more than 1 GiB of contents that wait").into())
            }
            Some(have) => {
                have.extend_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Applies what can be applied.
    fn advance(&mut self) -> Result<(), Error> {
        loop {
            let Some(link) = &mut self.link else {
                return Ok(());
            };
            if link.whole == 0 || !self.contents_are_here() {
                break;
            }
            let link = self.link.as_mut().expect("it was just there");
            let (sequence, op) = link.queue.pop_front().expect("as many as are whole");
            match self.apply(sequence, &op) {
                Ok(()) => {}
                Err(Error::Disk(error)) if passes(&error) => {
                    self.stalled = Some(error.to_string());
                    let link = self.link.as_mut().expect("it was just there");
                    link.queue.push_front((sequence, op));
                    self.answer_asks();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
            self.stalled = None;
            let link = self.link.as_mut().expect("it was just there");
            link.bulk.remove(&sequence);
            link.whole -= 1;
            link.applied = sequence;
            self.last.sequence = sequence;
        }
        self.answer_asks();
        self.touch_late()?;
        self.compare_edited()?;
        let Some(link) = &mut self.link else {
            return Ok(());
        };
        if link.whole == 0 && link.applied > link.reported && !link.in_batch {
            link.reported = link.applied;
            let sequence = link.applied;
            self.out.push_back(Message::Applied { sequence });
        }
        Ok(())
    }

    /// When all edits have their verdicts, the disk has what the client has; where it has not, the client says it once more.
    fn compare_edited(&mut self) -> Result<(), Error> {
        let in_step = self.link.as_ref().is_some_and(|link| link.in_step);
        if !in_step || !self.pending.is_empty() {
            return Ok(());
        }
        while let Some(path) = self.edited.first().cloned() {
            match self.compare(&path) {
                Err(Error::Disk(error)) if passes(&error) => {
                    self.stalled = Some(error.to_string());
                    return Ok(());
                }
                done => done?,
            }
            self.edited.remove(&path);
        }
        Ok(())
    }

    fn compare(&mut self, path: &RelPath) -> Result<(), Error> {
        let there = match self.disk.look(path)? {
            Some(look) => {
                let hash = match look.kind {
                    Seen::File(_) => Hash::of(&self.disk.read(path)?),
                    _ => Hash::of(b""),
                };
                Some(look.entry(hash))
            }
            None => None,
        };
        let base = self.base.entry(path).cloned();
        if there == base || self.is_lost(path) {
            return Ok(());
        }
        match base {
            None => {
                remove_all(&mut self.disk, path)?;
                self.touch_parent(path)?;
                Ok(())
            }
            Some(base) if there.is_some_and(|there| there.kind == base.kind) => {
                Ok(self.disk.set(path, Some(base.mode), Some(base.mtime))?)
            }
            Some(_) => self.lose(path),
        }
    }

    /// Answers the questions that no verdict stands before. No other record that still waits is about what lies in a folder
    /// that is asked about: the client sends none before it has the answer.
    fn answer_asks(&mut self) {
        while let Some(link) = &mut self.link {
            let verdict = link
                .queue
                .iter()
                .find(|(_, op)| matches!(op, Op::Verdict { .. }));
            let verdict = verdict.map_or(u64::MAX, |(sequence, _)| *sequence);
            match link.asks.front() {
                Some((after, ..)) if *after < verdict => {}
                _ => break,
            }
            if let Some((_, id, path)) = link.asks.pop_front() {
                self.list(id, &path);
            }
        }
    }

    /// Whether the next record, or the whole batch that it begins, has its contents.
    fn contents_are_here(&self) -> bool {
        let link = self.link.as_ref().expect("asked with a connection");
        let is_here = |(sequence, op): &(u64, Op)| match op {
            Op::Put { entry, .. } => match (&entry.kind, link.bulk.get(sequence)) {
                (Kind::File { size, .. }, Some(have)) => have.len() as u64 >= *size,
                _ => true,
            },
            _ => true,
        };
        match link.queue.front() {
            Some((_, Op::Begin)) => {
                let batch = link.queue.iter().take(link.whole);
                batch
                    .take_while(|(_, op)| !matches!(op, Op::Commit))
                    .all(is_here)
            }
            Some(one) => is_here(one),
            None => true,
        }
    }

    /// Whether something at or above `path` is lost: then what is said of it comes again.
    fn is_lost(&self, path: &RelPath) -> bool {
        self.holes.values().any(|hole| path.is_within(hole))
    }

    fn apply(&mut self, sequence: u64, op: &Op) -> Result<(), Error> {
        match op {
            Op::Begin | Op::Commit => Ok(()),
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

    /// Makes `new` at `path`, whatever is there.
    fn show(&mut self, path: &RelPath, new: &New) -> io::Result<()> {
        let there = self.disk.look(path)?;
        let is_folder = there.as_ref().is_some_and(Look::is_folder);
        match (is_folder, new) {
            (true, New::Folder { .. }) => return Ok(()),
            (true, _) => remove_all(&mut self.disk, path)?,
            (false, New::Folder { .. }) if there.is_some() => self.disk.remove(path)?,
            _ => {}
        }
        self.disk.put(path, new)
    }

    /// The content of a file, as a record gives it; None where it cannot be made out.
    fn content(
        &mut self,
        sequence: u64,
        path: &RelPath,
        size: u64,
        hash: &Hash,
        content: &Content,
    ) -> Result<Option<Arc<[u8]>>, Error> {
        let bytes: Arc<[u8]> = match content {
            Content::None => return Err(Fault::new(format!("{path} without its content")).into()),
            Content::Whole(bytes) => bytes.clone(),
            Content::Bulk { .. } => {
                let link = self.link.as_ref().expect("a record came by it");
                let bytes = link.bulk.get(&sequence).map_or(&[][..], Vec::as_slice);
                bytes.into()
            }
            Content::Delta { base, frame } => {
                let Some(old) = self.old(path, base)? else {
                    return Ok(None);
                };
                match content::patched(&old, frame, size as usize) {
                    Ok(bytes) => bytes.into(),
                    Err(_) => {
                        return Err(Fault::new(format!("a delta of {path} that is none")).into())
                    }
                }
            }
        };
        match bytes.len() as u64 == size && Hash::of(&bytes) == *hash {
            true => Ok(Some(bytes)),
            false => Err(Fault::new(format!(
                "a content of {path} that is not what its hash says"
            ))
            .into()),
        }
    }

    /// The content with hash `base` that was at `path`.
    fn old(&mut self, path: &RelPath, base: &Hash) -> Result<Option<Arc<[u8]>>, Error> {
        if let Some(Look {
            kind: Seen::File(_),
            ..
        }) = self.disk.look(path)?
        {
            let bytes = self.disk.read(path)?;
            if Hash::of(&bytes) == *base {
                return Ok(Some(bytes.into()));
            }
        }
        let mut kept = self.pending.values().filter_map(|one| one.before.as_ref());
        Ok(kept.find(|bytes| Hash::of(bytes) == *base).cloned())
    }

    /// What is at `path` cannot be made out: it goes, and the client is asked for it.
    fn lose(&mut self, path: &RelPath) -> Result<(), Error> {
        self.shadow(path);
        remove_all(&mut self.disk, path)?;
        self.nodes -= self.base.walk(path).len();
        self.base.remove(path);
        let id = self.next_hole;
        self.next_hole += 1;
        self.holes.insert(id, path.clone());
        let path = path.clone();
        self.out.push_back(Message::Lost { id, path });
        Ok(())
    }

    fn delete(&mut self, path: &RelPath) -> Result<(), Error> {
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

    fn verdict(&mut self, id: u64, outcome: &Outcome, entry: Option<&Entry>) -> Result<(), Error> {
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

    /// A record on `path` overrides the edits that touch it.
    fn shadow(&mut self, path: &RelPath) {
        for one in self.pending.values_mut() {
            if one.proposal.path.overlaps(path) {
                one.is_shadowed = true;
            }
        }
    }

    /// The same, of those at `path` and above.
    fn shadow_above(&mut self, path: &RelPath) {
        for one in self.pending.values_mut() {
            if path.is_within(&one.proposal.path) {
                one.is_shadowed = true;
            }
        }
    }

    /// The folders down to `path` are on the disk as the client has them, even if an edit has taken one away.
    fn ensure_folder(&mut self, path: &RelPath) -> Result<(), Error> {
        let mut folders = path.ancestors();
        folders.push(path.clone());
        for folder in folders.iter().filter(|folder| !folder.is_root()) {
            let there = self.disk.look(folder)?;
            if there.is_some_and(|look| look.is_folder()) {
                continue;
            }
            let entry = self.base.entry(folder).cloned();
            let mode = entry.as_ref().map_or(0o755, |entry| entry.mode);
            self.show(folder, &New::Folder { mode })?;
            if let Some(entry) = entry {
                self.disk.set(folder, Some(entry.mode), Some(entry.mtime))?;
            }
            self.touch_parent(folder)?;
        }
        Ok(())
    }

    /// What was done in a folder has changed its time here; it is the client's that counts. Where that fails it is done later.
    fn touch_parent(&mut self, path: &RelPath) -> io::Result<()> {
        self.touch_folder(&path.parent())
    }

    fn touch(&mut self, folder: &RelPath) -> io::Result<()> {
        let Some(entry) = self.base.entry(folder) else {
            return Ok(());
        };
        let (mode, mtime) = (entry.mode, entry.mtime);
        let there = self.disk.look(folder)?;
        match entry.is_folder() && there.is_some_and(|look| look.is_folder()) {
            true => self.disk.set(folder, Some(mode), Some(mtime)),
            false => Ok(()),
        }
    }

    /// Sets the times that could not be set.
    fn touch_late(&mut self) -> io::Result<()> {
        while let Some(folder) = self.late.pop_first() {
            self.stalled = None;
            self.touch_folder(&folder)?;
            if self.late.contains(&folder) {
                break;
            }
        }
        Ok(())
    }

    fn touch_folder(&mut self, folder: &RelPath) -> io::Result<()> {
        match self.touch(folder) {
            Err(error) if passes(&error) => {
                self.stalled = Some(error.to_string());
                self.late.insert(folder.clone());
                Ok(())
            }
            done => done,
        }
    }

    fn list(&mut self, id: u64, path: &RelPath) {
        let mut entries = Vec::new();
        if let Some(node) = self.base.get_mut(path) {
            entries = node.listed();
        }
        let mut bytes = 0;
        let mut part = Vec::new();
        for listed in entries {
            bytes += listed.name.len() + 64;
            if let Kind::Link { target } = &listed.entry.kind {
                bytes += target.len();
            }
            if part.len() == MAX_NAMES || bytes > 512 << 10 {
                let entries = std::mem::take(&mut part);
                let last = false;
                self.out.push_back(Message::Listing { id, last, entries });
                bytes = 0;
            }
            part.push(listed);
        }
        self.out.push_back(Message::Listing {
            id,
            last: true,
            entries: part,
        });
    }

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
    fn send(&mut self, id: u64, whole: bool) -> Result<(), Error> {
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

/// Whether an error may pass by itself; after any other the machine is not to be used any more.
fn passes(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::ConnectionAborted
}

/// Whether an edit is to be seen in what is there.
fn shows(there: Option<&Entry>, change: &Change) -> bool {
    match (there, change) {
        (None, Change::Remove) => true,
        (Some(_), Change::Remove) | (None, _) => false,
        (Some(entry), change) => is_of(entry, change),
    }
}

/// Whether `entry` is what `change` makes.
fn is_of(entry: &Entry, change: &Change) -> bool {
    match change {
        Change::File { hash, .. } => entry.content() == Some(*hash),
        Change::Link { target } => {
            matches!(&entry.kind, Kind::Link { target: there } if there == target)
        }
        Change::Folder { .. } => entry.is_folder(),
        Change::Mode { mode } => entry.mode == *mode,
        Change::Remove => false,
    }
}

fn same_kind(seen: &Seen, kind: &Kind) -> bool {
    matches!(
        (seen, kind),
        (Seen::Folder, Kind::Folder)
            | (Seen::File(_), Kind::File { .. })
            | (Seen::Link(_), Kind::Link { .. })
            | (Seen::Withheld { .. }, Kind::Withheld { .. })
    )
}

/// The node that a change makes, with `mode` where it says none.
fn made(change: &Change, mode: u16) -> Option<New> {
    match change {
        Change::File {
            mode: own, content, ..
        } => match content {
            Content::Whole(bytes) => Some(New::File {
                bytes: bytes.clone(),
                mode: Some(own.unwrap_or(mode)),
                mtime: None,
            }),
            _ => None,
        },
        Change::Link { target } => Some(New::Link {
            target: target.clone(),
            mtime: None,
        }),
        Change::Folder { mode } => Some(New::Folder { mode: *mode }),
        Change::Remove | Change::Mode { .. } => None,
    }
}

/// Whether `change` can be made of what is there.
fn possible(there: Option<&Look>, change: &Change) -> io::Result<()> {
    use io::ErrorKind::{AlreadyExists, InvalidInput, IsADirectory, NotFound, PermissionDenied};
    let kind = match (there.map(|look| &look.kind), change) {
        (Some(Seen::Withheld { .. }), _) => PermissionDenied,
        (Some(_), Change::Folder { .. }) => AlreadyExists,
        (Some(Seen::Folder), Change::File { .. } | Change::Link { .. }) => IsADirectory,
        (None, Change::Remove | Change::Mode { .. }) => NotFound,
        (Some(Seen::Link(_)), Change::Mode { .. }) => InvalidInput,
        _ => return Ok(()),
    };
    Err(kind.into())
}
