//! One world: what happens in it, in which order, and what must hold at its end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use curserve_mirror::{
    Change, Content, Error, Hash, Hold, Kind, Limits, Message, Owner, Ready, RelPath, Replica,
    Stand,
};

use super::disk::{Files, Listing, Shared, SimDisk, SimLog, What};
use super::ledger::Ledger;

/// Names that files get: pairs that differ by case, by Unicode's forms, names that are no text.
const NAMES: [&[u8]; 12] = [
    b"a",
    b"b",
    b"c",
    b"d",
    b"README",
    b"readme",
    b"\xc3\xa9",
    b"e\xcc\x81",
    b"\xff\xfe",
    b" sp ace",
    b"new\nline",
    b"-rf",
];

/// Steps after which a world must have come to rest.
const PATIENCE: usize = 20_000;

/// What has happened in a world.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Operations of users on the client.
    pub users: u64,
    /// Operations of agents on the server.
    pub agents: u64,
    /// Versions written.
    pub versions: u64,
    /// Connections cut.
    pub cuts: u64,
    /// Machines killed.
    pub kills: u64,
    /// Faults of a disk.
    pub faults: u64,
    /// Overflows of the watcher.
    pub overflows: u64,
    /// Conflicts.
    pub conflicts: u64,
    /// Calls that were answered, each checked over the whole tree.
    pub answers: u64,
    /// Bursts of changes that belong together.
    pub bursts: u64,
    /// Answers from a tree that had changed in one, each checked not to come from between.
    pub whole: u64,
    /// Calls that had to go home.
    pub homes: u64,
    /// Messages delivered, and their bytes.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.users += other.users;
        self.agents += other.agents;
        self.versions += other.versions;
        self.cuts += other.cuts;
        self.kills += other.kills;
        self.faults += other.faults;
        self.overflows += other.overflows;
        self.conflicts += other.conflicts;
        self.answers += other.answers;
        self.bursts += other.bursts;
        self.whole += other.whole;
        self.homes += other.homes;
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

/// What a path shows: None for a folder.
type Shown = BTreeMap<RelPath, Option<Vec<u8>>>;

/// A call on its way: what it needs, and what the client had when it was made.
struct Call {
    needs: Stand,
    made: usize,
}

/// The box.
pub struct World {
    seed: u64,
    rng: fastrand::Rng,
    client: Shared,
    server: Shared,
    owner: Option<Owner<SimDisk, SimLog>>,
    replica: Option<Replica<SimDisk, SimLog>>,
    owner_up: bool,
    replica_up: bool,
    to_server: VecDeque<Vec<u8>>,
    to_client: VecDeque<Vec<u8>>,
    ledger: Ledger,
    /// What the client's disk has shown, one after the other.
    history: Vec<Shown>,
    /// Which of these a user made; the others the mirror, doing an agent's edits.
    by_users: Vec<bool>,
    seen_version: u64,
    /// When an agent last touched a path: length of the history then.
    touched: BTreeMap<RelPath, usize>,
    calls: Vec<Call>,
    /// Of each burst: what the history was before it, and at its end, if that has come.
    bursts: Vec<(usize, Option<usize>)>,
    calm: bool,
    is_told: bool,
    tally: Tally,
}

fn limits() -> Limits {
    Limits {
        inline: 150,
        piece: 40,
        delta: 20,
        outgoing: 600,
        cache: 4000,
        batch: 500,
    }
}

impl World {
    /// Runs one world of `operations` on both sides together, to its end.
    pub fn run(seed: u64, operations: usize) -> Tally {
        let mut rng = fastrand::Rng::with_seed(seed);
        let listings = [Listing::ByHash, Listing::OldFirst, Listing::NewFirst];
        let mut listing = || listings[rng.usize(..3)];
        let (ours, theirs) = (listing(), listing());
        let day = 86_400_000_000_000;
        let skew = rng.i64(-day..day);
        let mut world = World {
            seed,
            rng,
            client: Files::new(ours, 1_700_000_000_000_000_000),
            server: Files::new(theirs, 1_700_000_000_000_000_000 + skew),
            owner: None,
            replica: None,
            owner_up: false,
            replica_up: false,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            ledger: Ledger::default(),
            history: Vec::new(),
            by_users: Vec::new(),
            seen_version: u64::MAX,
            touched: BTreeMap::new(),
            calls: Vec::new(),
            bursts: Vec::new(),
            calm: false,
            is_told: std::env::var_os("CURSERVE_TRACE").is_some(),
            tally: Tally::default(),
        };
        for _ in 0..world.rng.usize(..20) {
            world.user();
        }
        world.tally.users = 0;
        let mut done = 0;
        while done < operations {
            done += world.step();
        }
        world.rest();
        world.check();
        world.tally.versions = world.ledger.len() as u64;
        world.tally
    }

    fn odds(&mut self, one_in: usize) -> bool {
        self.rng.usize(..one_in) == 0
    }

    /// Something happens. Gives how many operations that was.
    fn step(&mut self) -> usize {
        let before = self.tally.users + self.tally.agents;
        match self.rng.usize(..100) {
            0..=13 => self.user(),
            14..=25 => self.agent(),
            26..=40 => self.look(),
            41..=55 => self.deliver_to_server(),
            56..=70 => self.deliver_to_client(),
            71..=79 => self.call(),
            80..=84 => self.connect(),
            85 => self.cut(),
            86 => self.kill(),
            87 => self.trouble(),
            88 if self.odds(3) => self.overflow(),
            89 => self.begin_burst(),
            90..=95 => self.end_burst(),
            96 if self.odds(4) => self.pause(),
            _ => self.tick(),
        }
        self.note_history(false);
        (self.tally.users + self.tally.agents - before) as usize
    }

    fn name(&mut self) -> &'static [u8] {
        NAMES[self.rng.usize(..NAMES.len())]
    }

    /// A path in a folder that is there.
    fn path(&mut self, files: &Shared) -> Option<RelPath> {
        let files = files.borrow();
        let folders: Vec<RelPath> = files
            .nodes
            .keys()
            .filter(|path| files.is_folder(path) && path.names().count() < 4)
            .cloned()
            .collect();
        drop(files);
        let folder = folders[self.rng.usize(..folders.len())].clone();
        let name = self.name();
        folder.join(name).ok()
    }

    /// A node that is there.
    fn there(&mut self, files: &Shared) -> Option<RelPath> {
        let nodes: Vec<RelPath> = {
            let files = files.borrow();
            let nodes = files.nodes.keys().filter(|path| !path.is_root());
            nodes.filter(|path| !is_hidden(path)).cloned().collect()
        };
        match nodes.len() {
            0 => None,
            count => Some(nodes[self.rng.usize(..count)].clone()),
        }
    }

    fn content(&mut self) -> Vec<u8> {
        let length = match self.rng.usize(..10) {
            0 => 400,
            1..=4 => 100,
            _ => 10,
        };
        self.ledger.fresh(length)
    }

    /// A user does something on the client, past the mirror.
    fn user(&mut self) {
        let files = self.client.clone();
        if files.borrow().away {
            return;
        }
        self.tally.users += 1;
        let path = match self.rng.bool() {
            true => self.there(&files),
            false => self.path(&files),
        };
        let Some(path) = path else { return };
        let version = files.borrow().version;
        self.user_at(&files, &path);
        self.note_history(true);
        if files.borrow().version != version {
            let now = files
                .borrow()
                .nodes
                .get(&path)
                .map(|node| node.what.clone());
            self.say(|| format!("user {path} {now:?} {:?}", files.borrow().events));
        }
    }

    fn user_at(&mut self, files: &Shared, path: &RelPath) {
        let is_there = files.borrow().nodes.contains_key(path);
        let is_folder = files.borrow().is_folder(path);
        match self.rng.usize(..12) {
            // In place, as some editors and `>>` do; half of it may be seen.
            0..=2 if is_there && !is_folder => {
                let is_file = matches!(files.borrow().nodes[path].what, What::File(_));
                if is_file {
                    self.ledger.supersede(&files.borrow(), path);
                    if self.odds(3) {
                        let half = self.content();
                        self.ledger.uncertain(&half);
                        files.borrow_mut().overwrite(path, half.into());
                        self.look();
                    }
                    if !files.borrow().nodes.contains_key(path) {
                        return;
                    }
                    if !matches!(files.borrow().nodes[path].what, What::File(_)) {
                        return;
                    }
                    self.ledger.supersede(&files.borrow(), path);
                    let whole = self.content();
                    self.ledger.written(&whole);
                    files.borrow_mut().overwrite(path, whole.into());
                }
            }
            0..=4 if !is_folder => {
                self.ledger.supersede(&files.borrow(), path);
                let whole = self.content();
                self.ledger.written(&whole);
                files
                    .borrow_mut()
                    .make(path, What::File(whole.into()), 0o644);
            }
            5 if !is_there => files.borrow_mut().make(path, What::Folder, 0o755),
            6 if !is_folder => {
                self.ledger.supersede(&files.borrow(), path);
                let target = self.ledger.fresh(8);
                self.ledger.written(&target);
                let target = What::Link(target.into());
                files.borrow_mut().make(path, target, 0o777);
            }
            7 if is_there => {
                let is_tree = is_folder && self.odds(2);
                let is_empty = files.borrow().is_empty(path);
                if !is_folder || is_tree || is_empty {
                    self.ledger.supersede(&files.borrow(), path);
                    files.borrow_mut().unlink(path);
                }
            }
            8 if is_there => {
                let mode = [0o644, 0o755, 0o600, 0o700][self.rng.usize(..4)];
                files.borrow_mut().set(path, Some(mode), None);
            }
            9 if is_there => {
                let mtime = self.rng.i64(..);
                files.borrow_mut().set(path, None, Some(mtime));
            }
            _ => {
                let Some(from) = self.there(files) else {
                    return;
                };
                let fits = path.names().count() + depth(&files.borrow(), &from) < 8;
                let is_free = !is_folder || files.borrow().is_empty(path);
                let kinds = !is_there || files.borrow().is_folder(&from) == is_folder;
                if !from.overlaps(path) && fits && is_free && kinds {
                    self.ledger.supersede(&files.borrow(), path);
                    files.borrow_mut().rename(&from, path);
                }
            }
        }
    }

    /// An agent does something on the server, through the mirror.
    fn agent(&mut self) {
        if self.replica.is_none() {
            return;
        }
        self.tally.agents += 1;
        let files = self.server.clone();
        let path = match self.rng.bool() {
            true => self.there(&files),
            false => self.path(&files),
        };
        let Some(path) = path else { return };
        match self.rng.usize(..10) {
            0..=4 => {
                let whole = self.content();
                self.edit(&path, file(&whole, None), Some(&whole));
            }
            5 => {
                let target = self.ledger.fresh(8);
                let change = Change::Link {
                    target: target.clone().into(),
                };
                self.edit(&path, change, Some(&target));
            }
            6 => {
                self.edit(&path, Change::Folder { mode: 0o755 }, None);
            }
            7 => {
                self.edit(&path, Change::Remove, None);
            }
            8 => {
                let mode = [0o644, 0o755, 0o600][self.rng.usize(..3)];
                self.edit(&path, Change::Mode { mode }, None);
            }
            _ => {
                // A rename is a put and a removal.
                let Some(to) = self.path(&files) else { return };
                let what = files
                    .borrow()
                    .nodes
                    .get(&path)
                    .map(|node| node.what.clone());
                let Some(What::File(bytes)) = what else {
                    return;
                };
                if !to.overlaps(&path) && self.edit(&to, file(&bytes, Some(0o644)), Some(&bytes)) {
                    self.edit(&path, Change::Remove, None);
                }
            }
        }
    }

    fn edit(&mut self, path: &RelPath, change: Change, version: Option<&[u8]>) -> bool {
        self.say(|| format!("agent {path} {change:?}"));
        let Some(replica) = &mut self.replica else {
            return false;
        };
        let before = self.server.borrow().nodes.get(path).cloned();
        let result = replica.edit(path, change.clone());
        let replaces = !matches!(change, Change::Mode { .. } | Change::Folder { .. });
        let old = match before.map(|node| node.what) {
            Some(What::File(bytes)) if replaces => Some(bytes.to_vec()),
            Some(What::Link(target)) if replaces => Some(target.to_vec()),
            _ => None,
        };
        match result {
            Ok(_) => {
                if let Some(version) = version {
                    self.ledger.written(version);
                }
                if let Some(old) = old.filter(|old| Some(&old[..]) != version) {
                    self.ledger.uncertain(&old);
                }
                self.touched.insert(path.clone(), self.history.len());
                true
            }
            Err(Error::Disk(error)) if error.kind() == std::io::ErrorKind::ConnectionAborted => {
                // Nobody has heard of it; it may be in the log.
                if let Some(version) = version {
                    self.ledger.uncertain(version);
                }
                if let Some(old) = old {
                    self.ledger.uncertain(&old);
                }
                self.touched.insert(path.clone(), self.history.len());
                self.replica_died();
                false
            }
            Err(Error::Disk(_)) => false,
            Err(error) => self.fail(&format!("edit of {path}: {error}")),
        }
    }

    /// The client's watcher reports, the client looks.
    fn look(&mut self) {
        self.note_history(true);
        let Some(owner) = &mut self.owner else { return };
        let events = std::mem::take(&mut self.client.borrow_mut().events);
        for (path, deep) in events {
            owner.touched(path, deep);
        }
        let result = owner.pump();
        self.owner_result(result);
        let is_over = self.bursts.last().is_none_or(|(_, end)| end.is_some());
        if let Some(owner) = self.owner.as_mut().filter(|_| is_over) {
            if owner.has_said_all() && self.client.borrow().events.is_empty() {
                owner.hold(Hold::Free);
            }
        }
    }

    /// Something begins that changes many files, such as a switch of branches; whoever watches knows.
    fn begin_burst(&mut self) {
        let is_over = self.bursts.last().is_none_or(|(_, end)| end.is_some());
        let Some(owner) = self.owner.as_mut().filter(|_| is_over) else {
            return;
        };
        owner.hold(Hold::Held);
        self.tally.bursts += 1;
        self.say(|| "a burst begins".to_owned());
        self.bursts.push((self.history.len() - 1, None));
        for _ in 0..self.rng.usize(2..8) {
            self.user();
            if self.odds(3) {
                self.look();
                self.deliver_to_server();
                self.answer();
            }
        }
    }

    fn end_burst(&mut self) {
        self.note_history(true);
        let now = self.history.len() - 1;
        if let Some((_, end)) = self.bursts.last_mut().filter(|(_, end)| end.is_none()) {
            *end = Some(now);
            self.say(|| "a burst ends".to_owned());
        }
    }

    /// A burst takes a break.
    fn pause(&mut self) {
        let is_on = self.bursts.last().is_some_and(|(_, end)| end.is_none());
        if let Some(owner) = self.owner.as_mut().filter(|_| is_on) {
            owner.hold(Hold::Paused);
        }
    }

    fn owner_result(&mut self, result: Result<(), Error>) {
        match result {
            Ok(()) => {
                let owner = self.owner.as_mut().expect("it has just answered");
                self.tally.conflicts += owner.conflicts().len() as u64;
            }
            Err(Error::Disk(error)) if error.kind() == std::io::ErrorKind::ConnectionAborted => {
                self.owner_died();
            }
            Err(Error::Disk(_)) => self.cut(),
            Err(error) => self.fail(&format!("client: {error}")),
        }
    }

    fn replica_result(&mut self, result: Result<(), Error>) {
        match result {
            Ok(()) => {}
            Err(Error::Disk(error)) if error.kind() == std::io::ErrorKind::ConnectionAborted => {
                self.replica_died();
            }
            Err(Error::Disk(_)) => self.cut(),
            Err(error) => self.fail(&format!("server: {error}")),
        }
    }

    fn owner_died(&mut self) {
        self.say(|| "the client dies".to_owned());
        self.owner = None;
        self.tally.kills += 1;
        self.cut();
    }

    fn replica_died(&mut self) {
        self.say(|| "the server dies".to_owned());
        self.replica = None;
        self.calls.clear();
        self.tally.kills += 1;
        self.cut();
    }

    /// What the client has to say gets onto the line, messages before pieces.
    fn send_to_server(&mut self, most: usize) {
        let Some(owner) = self.owner.as_mut().filter(|_| self.owner_up) else {
            return;
        };
        for _ in 0..most {
            let Some(message) = owner.next_message().or_else(|| owner.next_piece()) else {
                break;
            };
            self.to_server.push_back(message.encode());
        }
    }

    fn send_to_client(&mut self, most: usize) {
        let Some(replica) = self.replica.as_mut().filter(|_| self.replica_up) else {
            return;
        };
        for _ in 0..most {
            let Some(message) = replica.next_message() else {
                break;
            };
            self.to_client.push_back(message.encode());
        }
    }

    fn deliver_to_server(&mut self) {
        let most = 1 + self.rng.usize(..20);
        self.send_to_server(most);
        for _ in 0..most {
            if !self.replica_up || self.replica.is_none() {
                return;
            }
            let Some(bytes) = self.to_server.pop_front() else {
                return;
            };
            let message = self.decode(&bytes);
            let replica = self.replica.as_mut().expect("it is up");
            let result = replica.receive(message);
            self.replica_result(result);
            self.answer();
        }
    }

    fn deliver_to_client(&mut self) {
        let most = 1 + self.rng.usize(..20);
        self.send_to_client(most);
        for _ in 0..most {
            if !self.owner_up || self.owner.is_none() {
                return;
            }
            let Some(bytes) = self.to_client.pop_front() else {
                return;
            };
            let message = self.decode(&bytes);
            let owner = self.owner.as_mut().expect("it is up");
            let result = owner.receive(message);
            self.owner_result(result);
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Message {
        self.tally.messages += 1;
        self.tally.bytes += bytes.len() as u64;
        match Message::decode(bytes) {
            Ok(message) if message.encode() == bytes => {
                self.say(|| format!("{message:?}"));
                message
            }
            Ok(message) => self.fail(&format!("written otherwise: {message:?}")),
            Err(fault) => self.fail(&format!("not read: {fault}")),
        }
    }

    /// A machine that is down starts; a line that is down stands.
    fn connect(&mut self) {
        if self.owner.is_none() {
            self.client.borrow_mut().reopen();
            self.client.borrow_mut().events.clear();
            self.maybe_fuse(self.client.clone());
            let (disk, log) = (SimDisk(self.client.clone()), SimLog(self.client.clone()));
            match Owner::open(disk, log, [1; 16], limits()) {
                Ok(mut owner) => {
                    if self.bursts.last().is_some_and(|(_, end)| end.is_none()) {
                        owner.hold(Hold::Held);
                    }
                    self.owner = Some(owner);
                }
                Err(_) => return,
            }
        }
        if self.replica.is_none() {
            self.server.borrow_mut().reopen();
            self.maybe_fuse(self.server.clone());
            let (disk, log) = (SimDisk(self.server.clone()), SimLog(self.server.clone()));
            match Replica::open(disk, log, [2; 16], limits()) {
                Ok(replica) => self.replica = Some(replica),
                Err(_) => return,
            }
        }
        if !self.owner_up && !self.replica_up {
            self.to_server.clear();
            self.to_client.clear();
            let replica = self.replica.as_mut().expect("it is there");
            match replica.connected() {
                Ok(()) => {
                    self.owner.as_mut().expect("it is there").connected();
                    (self.owner_up, self.replica_up) = (true, true);
                }
                Err(Error::Disk(error))
                    if error.kind() == std::io::ErrorKind::ConnectionAborted =>
                {
                    self.replica_died();
                }
                Err(_) => {}
            }
        }
    }

    /// Now and then a machine dies soon.
    fn maybe_fuse(&mut self, files: Shared) {
        if !self.calm && self.odds(6) {
            files.borrow_mut().fuse = Some(self.rng.u32(..60));
        }
    }

    /// The line is cut. What is on it arrives up to some point; the sides notice one after the other.
    fn cut(&mut self) {
        if !self.owner_up && !self.replica_up {
            return;
        }
        self.tally.cuts += 1;
        self.say(|| "cut".to_owned());
        let (mut one, mut other) = (self.to_server.len(), self.to_client.len());
        one = self.rng.usize(..one + 1);
        other = self.rng.usize(..other + 1);
        self.to_server.truncate(one);
        self.to_client.truncate(other);
        let order = self.rng.bool();
        for side in [order, !order] {
            match side {
                true if self.owner_up => {
                    self.owner_up = false;
                    if let Some(owner) = &mut self.owner {
                        owner.disconnected();
                    }
                    self.to_client.clear();
                }
                false if self.replica_up => {
                    while let (Some(bytes), Some(_)) = (self.to_server.pop_front(), &self.replica) {
                        let message = self.decode(&bytes);
                        let replica = self.replica.as_mut().expect("it was just there");
                        if replica.receive(message).is_err() {
                            self.replica = None;
                            self.calls.clear();
                            self.tally.kills += 1;
                        }
                    }
                    self.replica_up = false;
                    if let Some(replica) = &mut self.replica {
                        replica.disconnected();
                    }
                    self.to_server.clear();
                }
                _ => {}
            }
        }
    }

    /// One side will die, at some step to come.
    fn kill(&mut self) {
        let files = match self.rng.bool() {
            true => &self.client,
            false => &self.server,
        };
        files.borrow_mut().fuse = Some(self.rng.u32(..40));
    }

    /// A disk has a fault for a while, or one that it had passes.
    fn trouble(&mut self) {
        let files = match self.rng.bool() {
            true => self.client.clone(),
            false => self.server.clone(),
        };
        let is_client = std::rc::Rc::ptr_eq(&files, &self.client);
        let mut files = files.borrow_mut();
        if files.full || files.no_descriptors || files.away {
            (files.full, files.no_descriptors, files.away) = (false, false, false);
            return;
        }
        self.tally.faults += 1;
        match self.rng.usize(..3) {
            0 => files.full = true,
            1 => files.no_descriptors = true,
            _ if is_client => files.away = true,
            _ => {}
        }
    }

    /// The watcher has lost events.
    fn overflow(&mut self) {
        self.tally.overflows += 1;
        self.client.borrow_mut().events.clear();
        if let Some(owner) = &mut self.owner {
            owner.touched_all();
        }
    }

    fn tick(&mut self) {
        if let Some(replica) = &mut self.replica {
            let result = replica.tick();
            self.replica_result(result);
        }
    }

    /// A call that needs all that the client has now.
    fn call(&mut self) {
        self.look();
        self.note_history(false);
        self.send_to_server(usize::MAX);
        let Some(owner) = self.owner.as_ref().filter(|owner| owner.is_in_step()) else {
            return;
        };
        let (needs, made) = (owner.stand(), self.history.len() - 1);
        self.say(|| format!("call {needs:?}"));
        self.calls.push(Call { needs, made });
        self.answer();
    }

    /// Calls that are ready are answered, and their answers looked at.
    fn answer(&mut self) {
        let mut left = Vec::new();
        for call in std::mem::take(&mut self.calls) {
            let Some(replica) = &self.replica else { return };
            match replica.ready(call.needs) {
                Ready::Now => {
                    self.tally.answers += 1;
                    self.judge(&call);
                }
                Ready::Wait => left.push(call),
                Ready::Home => self.tally.homes += 1,
            }
        }
        self.calls = left;
    }

    /// The server's tree shows nothing that is older than what the client had when the call was made.
    fn judge(&mut self, call: &Call) {
        let now = shown(&self.server.borrow());
        self.tally.whole += self.judge_bursts(&now, call.made);
        let then = &self.history[call.made];
        let paths: BTreeSet<&RelPath> = now.keys().chain(then.keys()).collect();
        for path in paths {
            let answer = now.get(path);
            if answer == then.get(path) {
                continue;
            }
            let later = &self.history[call.made..];
            let mut was = later.iter().map(|shown| shown.get(path));
            if was.any(|shown| shown == answer) {
                continue;
            }
            // An agent's edit that has no verdict yet, on a tree that is not older.
            let replica = self.replica.as_ref().expect("it has just answered");
            let base = replica.base().entry(path).map(|entry| match &entry.kind {
                Kind::File { hash, .. } => Some(*hash),
                Kind::Link { target } => Some(Hash::of(&[b"-> ", &target[..]].concat())),
                _ => None,
            });
            let hash = |shown: Option<&Option<Vec<u8>>>| {
                shown.map(|what| what.as_ref().map(|bytes| Hash::of(bytes)))
            };
            let is_edited = replica.edits().any(|(edited, _)| edited == path);
            let mut was = later.iter().map(|shown| hash(shown.get(path)));
            if is_edited && was.any(|shown| shown == base) {
                continue;
            }
            // An agent's own edit counts, unless a user has changed the path since.
            let edits = self
                .touched
                .iter()
                .filter(|(edited, _)| edited.overlaps(path));
            let edited = edits.map(|(_, when)| *when).max();
            let states = self.history[..=call.made].windows(2);
            let changed = states
                .zip(&self.by_users[1..])
                .enumerate()
                .rfind(|(_, (pair, by_user))| **by_user && pair[0].get(path) != pair[1].get(path))
                .map(|(at, _)| at)
                .map_or(0, |at| at + 1);
            if edited.is_some_and(|when| when > changed) {
                continue;
            }
            self.fail(&format!(
                "stale: {path} shows {answer:?}, the client had {:?}",
                then.get(path)
            ));
        }
    }

    /// No answer comes from the middle of a burst. Gives in how many that could be seen.
    fn judge_bursts(&self, now: &Shown, made: usize) -> u64 {
        let mut seen = 0;
        for (start, end) in &self.bursts {
            let before = &self.history[*start];
            let later = &self.history[end.unwrap_or(self.history.len() - 1)..];
            let paths: BTreeSet<&RelPath> = before.keys().chain(later[0].keys()).collect();
            let changed = paths.into_iter().filter(|path| {
                let old = before.get(path);
                let is_back = later.iter().any(|shown| shown.get(path) == old);
                !is_back && !self.touched.keys().any(|edited| edited.overlaps(path))
            });
            let (old, new): (Vec<_>, Vec<_>) =
                changed.partition(|path| now.get(path) == before.get(path));
            // What it was when the call was made may be shown too.
            let earlier = &self.history[made.min(*start)..=*start];
            let shows = |states: &[Shown], path: &RelPath| {
                states.iter().any(|shown| shown.get(path) == now.get(path))
            };
            let new: Vec<_> = new
                .into_iter()
                .filter(|path| shows(later, path) && !shows(earlier, path))
                .collect();
            if !new.is_empty() && (!old.is_empty() || end.is_none()) {
                self.fail(&format!(
                    "half a burst {start} to {end:?}: {old:?} are as before it, {new:?} as after it"
                ));
            }
            seen += u64::from(!old.is_empty() || !new.is_empty());
        }
        seen
    }

    fn note_history(&mut self, by_user: bool) {
        let version = self.client.borrow().version;
        if version != self.seen_version {
            self.seen_version = version;
            self.history.push(shown(&self.client.borrow()));
            self.by_users.push(by_user);
        }
    }

    /// Nothing happens any more but what must.
    fn rest(&mut self) {
        self.calm = true;
        self.end_burst();
        for files in [&self.client, &self.server] {
            let mut files = files.borrow_mut();
            (files.full, files.no_descriptors, files.away) = (false, false, false);
            files.fuse = None;
        }
        for _ in 0..PATIENCE {
            self.connect();
            self.look();
            self.deliver_to_server();
            self.tick();
            self.deliver_to_client();
            self.note_history(false);
            let is_done = self.to_server.is_empty()
                && self.to_client.is_empty()
                && self.client.borrow().events.is_empty()
                && self.owner.as_ref().is_some_and(Owner::is_acknowledged)
                && self
                    .replica
                    .as_ref()
                    .is_some_and(|replica| replica.is_in_step() && replica.pending() == 0);
            if is_done {
                return;
            }
        }
        let owner = self.owner.as_ref();
        let replica = self.replica.as_ref();
        self.fail(&format!(
            "no rest: client {:?} {:?}, server {:?} {:?} pending {:?}, on the line {} and {}\n{owner:#?}",
            owner.map(Owner::is_acknowledged),
            owner.and_then(Owner::stalled),
            replica.map(Replica::is_in_step),
            replica.and_then(Replica::stalled),
            replica.map(Replica::pending),
            self.to_server.len(),
            self.to_client.len(),
        ))
    }

    /// At the end both sides are the same, and nothing is lost.
    fn check(&mut self) {
        let (client, server) = (self.client.borrow(), self.server.borrow());
        let paths: BTreeSet<&RelPath> = client.nodes.keys().chain(server.nodes.keys()).collect();
        let replica = self.replica.as_ref().expect("it is at rest");
        for path in paths {
            let of = |files: &Files| {
                let node = files.nodes.get(path)?;
                Some((node.what.clone(), node.mode, node.mtime))
            };
            let (here, there) = (of(&client), of(&server));
            if here != there || is_hidden(path) {
                self.fail(&format!("{path}: client {here:?}, server {there:?}"));
            }
            if client.is_folder(path) {
                let (list, base) = (client.list(path), replica.base().get(path));
                let order = base.map(|node| node.order().to_vec());
                if order.as_ref() != Some(&list) {
                    self.fail(&format!("{path} lists {list:?}, on the server {order:?}"));
                }
            }
        }
        let lost = self.ledger.lost(&client);
        if !lost.is_empty() {
            self.fail(&format!("lost: {lost:?}"));
        }
    }

    /// `CURSERVE_TRACE` shows what happens.
    fn say(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:4} {}", self.history.len(), what());
        }
    }

    fn fail(&self, what: &str) -> ! {
        panic!("seed {}: {what}", self.seed)
    }
}

fn is_hidden(path: &RelPath) -> bool {
    path.split()
        .is_some_and(|(_, name)| name.starts_with(b".curserve.half"))
}

fn depth(files: &Files, path: &RelPath) -> usize {
    let below = files.below(path);
    below
        .iter()
        .map(|path| path.names().count())
        .max()
        .unwrap_or(0)
}

fn shown(files: &Files) -> Shown {
    let nodes = files.nodes.iter().filter(|(path, _)| !is_hidden(path));
    let nodes = nodes.map(|(path, node)| {
        let what = match &node.what {
            What::Folder => None,
            What::File(bytes) => Some(bytes.to_vec()),
            What::Link(target) => Some([b"-> ", &target[..]].concat()),
        };
        (path.clone(), what)
    });
    nodes.collect()
}

fn file(bytes: &[u8], mode: Option<u16>) -> Change {
    Change::File {
        mode,
        size: bytes.len() as u64,
        hash: Hash::of(bytes),
        content: Content::Whole(bytes.into()),
    }
}
