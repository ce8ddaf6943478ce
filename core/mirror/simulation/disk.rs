//! A file system in memory, with a fuse: after so many steps whoever uses it is dead.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use curserve_mirror::{Disk, Log, Look, Name, New, RelPath, Seen};

/// Names of files that are half made.
const HALF: &[u8] = b".curserve.half";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Folder,
    File(Arc<[u8]>),
    Link(Box<[u8]>),
}

#[derive(Clone, Debug)]
pub struct Inode {
    pub what: What,
    pub mode: u16,
    pub mtime: i64,
    number: u64,
    changed: u64,
    place: u64,
}

/// In which order a folder lists its names.
#[derive(Clone, Copy, Debug)]
pub enum Listing {
    ByHash,
    OldFirst,
    NewFirst,
}

/// What survives whoever uses it.
#[derive(Debug)]
pub struct Files {
    pub nodes: BTreeMap<RelPath, Inode>,
    pub log: Vec<Vec<u8>>,
    /// Paths that have changed, as a watcher reports them.
    pub events: Vec<(RelPath, bool)>,
    pub listing: Listing,
    /// Steps until the machine that uses it is dead.
    pub fuse: Option<u32>,
    /// Nothing can be written.
    pub full: bool,
    /// Nothing can be opened.
    pub no_descriptors: bool,
    /// The root is away.
    pub away: bool,
    pub clock: i64,
    counter: u64,
    pub version: u64,
}

pub type Shared = Rc<RefCell<Files>>;

fn dead() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "dead")
}

impl Files {
    pub fn new(listing: Listing, clock: i64) -> Shared {
        let root = Inode {
            what: What::Folder,
            mode: 0o755,
            mtime: clock,
            number: 1,
            changed: 1,
            place: 0,
        };
        Rc::new(RefCell::new(Files {
            nodes: BTreeMap::from([(RelPath::root(), root)]),
            log: Vec::new(),
            events: Vec::new(),
            listing,
            fuse: None,
            full: false,
            no_descriptors: false,
            away: false,
            clock,
            counter: 1,
            version: 0,
        }))
    }

    fn live(&mut self) -> io::Result<()> {
        match &mut self.fuse {
            Some(0) => return Err(dead()),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(())
    }

    fn step(&mut self) -> io::Result<()> {
        self.live()?;
        match self.no_descriptors {
            true => Err(io::Error::from_raw_os_error(24)),
            false => Ok(()),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.step()?;
        if self.away {
            return Err(io::ErrorKind::NotFound.into());
        }
        match self.full {
            true => Err(io::Error::from_raw_os_error(28)),
            false => Ok(()),
        }
    }

    fn tick(&mut self) -> i64 {
        self.version += 1;
        self.clock += 1;
        self.clock
    }

    fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn is_folder(&self, path: &RelPath) -> bool {
        matches!(
            self.nodes.get(path),
            Some(Inode {
                what: What::Folder,
                ..
            })
        )
    }

    fn touch(&mut self, path: &RelPath) {
        let (now, number) = (self.tick(), self.number());
        if let Some(node) = self.nodes.get_mut(path) {
            node.mtime = now;
            node.changed = number;
        }
        if !path.is_root() {
            self.events.push((path.clone(), false));
        }
    }

    pub fn below(&self, path: &RelPath) -> Vec<RelPath> {
        let all = self.nodes.range(path.clone()..).map(|(path, _)| path);
        all.take_while(|other| other.is_within(path))
            .cloned()
            .collect()
    }

    pub fn is_empty(&self, path: &RelPath) -> bool {
        self.below(path).len() == 1
    }

    /// Makes a node; what is there, no folder, is replaced.
    pub fn make(&mut self, path: &RelPath, what: What, mode: u16) {
        let number = self.number();
        let (now, changed, place) = (self.tick(), number, number);
        let node = Inode {
            what,
            mode,
            mtime: now,
            number,
            changed,
            place,
        };
        self.nodes.insert(path.clone(), node);
        self.touch(&path.parent());
        self.events.push((path.clone(), true));
    }

    /// Writes into a file that is there.
    pub fn overwrite(&mut self, path: &RelPath, bytes: Arc<[u8]>) {
        let (now, number) = (self.tick(), self.number());
        let node = self.nodes.get_mut(path).expect("it is there");
        node.what = What::File(bytes);
        (node.mtime, node.changed) = (now, number);
        self.events.push((path.clone(), false));
    }

    pub fn set(&mut self, path: &RelPath, mode: Option<u16>, mtime: Option<i64>) {
        self.version += 1;
        let number = self.number();
        let node = self.nodes.get_mut(path).expect("it is there");
        if !matches!(node.what, What::Link(_)) {
            node.mode = mode.unwrap_or(node.mode);
        }
        node.mtime = mtime.unwrap_or(node.mtime);
        node.changed = number;
        self.events.push((path.clone(), false));
    }

    pub fn unlink(&mut self, path: &RelPath) {
        for below in self.below(path) {
            self.nodes.remove(&below);
        }
        self.touch(&path.parent());
        self.events.push((path.clone(), true));
    }

    pub fn rename(&mut self, from: &RelPath, to: &RelPath) {
        for old in self.below(to) {
            self.nodes.remove(&old);
        }
        let number = self.number();
        for path in self.below(from) {
            let mut node = self.nodes.remove(&path).expect("it is there");
            let rest = &path.bytes()[from.bytes().len()..];
            if rest.is_empty() {
                node.place = number;
                node.changed = number;
            }
            let path = RelPath::new(&[to.bytes(), rest].concat()).expect("short paths");
            self.nodes.insert(path, node);
        }
        self.touch(&from.parent());
        self.touch(&to.parent());
        self.events.push((from.clone(), true));
        self.events.push((to.clone(), true));
    }

    pub fn list(&self, folder: &RelPath) -> Vec<Name> {
        let below = self.below(folder);
        let children = below
            .iter()
            .filter(|path| !path.is_root() && path.parent() == *folder);
        let mut listed: Vec<(u64, Name)> = children
            .map(|path| {
                let (_, name) = path.split().expect("not the root");
                let key = match self.listing {
                    Listing::ByHash => name.iter().fold(7u64, |hash, byte| {
                        hash.wrapping_mul(0x100_0000_01b3).rotate_left(9) ^ u64::from(*byte)
                    }),
                    Listing::OldFirst => self.nodes[path].place,
                    Listing::NewFirst => u64::MAX - self.nodes[path].place,
                };
                (key, Name::from(name))
            })
            .filter(|(_, name)| !name.starts_with(HALF))
            .collect();
        listed.sort();
        listed.into_iter().map(|(_, name)| name).collect()
    }

    /// What a restart finds: what was half made is swept away.
    pub fn reopen(&mut self) {
        self.fuse = None;
        let half: Vec<RelPath> = self
            .nodes
            .keys()
            .filter(|path| path.split().is_some_and(|(_, name)| name.starts_with(HALF)))
            .cloned()
            .collect();
        for path in half {
            self.nodes.remove(&path);
        }
    }

    fn look(&self, path: &RelPath) -> Option<Look> {
        let is_half = path.split().is_some_and(|(_, name)| name.starts_with(HALF));
        if self.away || is_half {
            return None;
        }
        let node = self.nodes.get(path)?;
        Some(Look {
            mode: node.mode,
            mtime: node.mtime,
            kind: match &node.what {
                What::Folder => Seen::Folder,
                What::File(bytes) => Seen::File(bytes.len() as u64),
                What::Link(target) => Seen::Link(target.clone()),
            },
            stamp: [node.number, node.changed, 0, 0, 0],
            settled: true,
        })
    }

    fn put(&mut self, path: &RelPath, new: &New) -> io::Result<()> {
        self.write()?;
        if !path.is_root() && !self.is_folder(&path.parent()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if self.is_folder(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let old = self.nodes.get(path).map(|node| node.mode);
        let (what, mode, mtime) = match new {
            New::Folder { mode } if old.is_none() => (What::Folder, Some(*mode), None),
            New::Folder { .. } => return Err(io::ErrorKind::AlreadyExists.into()),
            New::File { bytes, mode, mtime } => (What::File(bytes.clone()), *mode, *mtime),
            New::Link { target, mtime } => (What::Link(target.clone()), None, *mtime),
            New::Withheld { .. } => unreachable!("nothing is withheld here"),
        };
        if !matches!(new, New::Folder { .. }) {
            // Half of it first, under another name.
            let half = path.parent().join(HALF).expect("a short path");
            self.make(&half, What::File(b"half"[..].into()), 0o600);
            let done = self.write();
            self.nodes.remove(&half);
            if let Err(error) = done {
                if error.kind() == io::ErrorKind::ConnectionAborted {
                    self.make(&half, What::File(b"half"[..].into()), 0o600);
                }
                return Err(error);
            }
        }
        let mode = match what {
            What::Link(_) => 0o777,
            _ => mode.unwrap_or(0o644),
        };
        self.make(path, what, mode);
        if mtime.is_some() {
            self.set(path, None, mtime);
        }
        Ok(())
    }
}

/// The seam's side of it.
#[derive(Clone, Debug)]
pub struct SimDisk(pub Shared);

impl Disk for SimDisk {
    fn look(&mut self, path: &RelPath) -> io::Result<Option<Look>> {
        let mut files = self.0.borrow_mut();
        files.step()?;
        Ok(files.look(path))
    }

    fn read(&mut self, path: &RelPath) -> io::Result<Vec<u8>> {
        let mut files = self.0.borrow_mut();
        files.step()?;
        match files.nodes.get(path).map(|node| &node.what) {
            Some(What::File(bytes)) if !files.away => Ok(bytes.to_vec()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn list(&mut self, path: &RelPath) -> io::Result<Vec<Name>> {
        let mut files = self.0.borrow_mut();
        files.step()?;
        match files.is_folder(path) && !files.away {
            true => Ok(files.list(path)),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn put(&mut self, path: &RelPath, new: &New) -> io::Result<()> {
        self.0.borrow_mut().put(path, new)
    }

    fn swap(&mut self, path: &RelPath, seen: Option<&Look>, new: Option<&New>) -> io::Result<bool> {
        let mut files = self.0.borrow_mut();
        files.step()?;
        let there = files.look(path);
        if there.as_ref().map(|look| look.stamp) != seen.map(|look| look.stamp) {
            return Ok(false);
        }
        match new {
            Some(_) if !files.is_folder(&path.parent()) => Ok(false),
            Some(new) => files.put(path, new).map(|()| true),
            None => {
                files.write()?;
                if !files.is_empty(path) {
                    return Ok(false);
                }
                files.unlink(path);
                Ok(true)
            }
        }
    }

    fn set(&mut self, path: &RelPath, mode: Option<u16>, mtime: Option<i64>) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        files.step()?;
        match files.nodes.contains_key(path) {
            true => {
                files.set(path, mode, mtime);
                Ok(())
            }
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn remove(&mut self, path: &RelPath) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        files.step()?;
        match files.nodes.contains_key(path) {
            false => Err(io::ErrorKind::NotFound.into()),
            true if !files.is_empty(path) => Err(io::ErrorKind::DirectoryNotEmpty.into()),
            true => {
                files.unlink(path);
                Ok(())
            }
        }
    }

    fn rename(&mut self, from: &RelPath, to: &RelPath) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        files.write()?;
        match files.nodes.contains_key(from) && files.is_folder(&to.parent()) {
            true => {
                files.rename(from, to);
                Ok(())
            }
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The log lies on the same disk.
#[derive(Clone, Debug)]
pub struct SimLog(pub Shared);

impl Log for SimLog {
    fn entries(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let mut files = self.0.borrow_mut();
        files.step()?;
        Ok(files.log.clone())
    }

    fn append(&mut self, entry: &[u8]) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        files.write()?;
        files.log.push(entry.to_vec());
        // It may be there although nobody has heard so.
        files.live()
    }

    fn replace(&mut self, entries: &[Vec<u8>]) -> io::Result<()> {
        let mut files = self.0.borrow_mut();
        files.write()?;
        files.log = entries.to_vec();
        files.live()
    }
}
