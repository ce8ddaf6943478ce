//! Following a folder without holding it: which paths may have changed since one last asked.
//!
//! [`Follower`] is the corpus's watcher for those who keep a tree of their own. Everything is watched before it is reported,
//! so that whoever looks at what is reported misses nothing that happens after the look.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::lens::Glass;
use crate::scan::{is_beyond, names_in};
use crate::volume;
use crate::watch::{Event, Watches};

/// What may have changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Paths below the root, without a leading slash (the root itself is empty), and whether all below may have changed too.
    pub paths: BTreeMap<Vec<u8>, bool>,
    /// Events were lost: anything may have changed.
    pub all: bool,
    /// The root itself is gone, or lies elsewhere.
    pub gone: bool,
}

/// The watches of one folder and all below it.
#[derive(Debug)]
pub struct Follower {
    root: PathBuf,
    /// Device and inode of the root.
    identity: (u64, u64),
    watches: Watches,
    /// The watch of each path …
    of: BTreeMap<Vec<u8>, i32>,
    /// … and the paths of each watch: a file may have several names.
    at: HashMap<i32, BTreeSet<Vec<u8>>>,
    /// What has no watch of its own, and is to be looked at each time.
    unwatched: BTreeSet<Vec<u8>>,
    events: Vec<Event>,
}

impl Follower {
    /// Follows the folder `root`, whose path has no link on it. Whatever changes from now on is reported.
    ///
    /// # Errors
    /// Where its file system does not report what happens in it, or the user has no watch left.
    pub fn new(root: &Path) -> Result<Self, Error> {
        match volume::kind(root) {
            Some(kind) if !volume::reports(kind) => {
                return Err(Error::Unreported(root.to_path_buf(), kind))
            }
            _ => {}
        }
        let root_error = |source| Error::Root {
            path: root.to_path_buf(),
            source,
        };
        let found = std::fs::symlink_metadata(root).map_err(root_error)?;
        let mut follower = Follower {
            root: root.to_path_buf(),
            identity: (found.dev(), found.ino()),
            watches: Watches::new(None, Glass::default())?,
            of: BTreeMap::new(),
            at: HashMap::new(),
            unwatched: BTreeSet::new(),
            events: Vec::new(),
        };
        follower.enter(Vec::new())?;
        Ok(follower)
    }

    /// Becomes readable when something has changed.
    pub fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is the watches', which live as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(self.watches.raw_fd()) }
    }

    /// Whether the folder at the root's path is still the one that is followed.
    pub fn is_there(&self) -> bool {
        std::fs::symlink_metadata(&self.root)
            .is_ok_and(|found| (found.dev(), found.ino()) == self.identity)
    }

    /// How many nodes have no watch, and are among the changes each time.
    pub fn unwatched(&self) -> usize {
        self.unwatched.len()
    }

    /// What may have changed since this was last asked: everything that was complete before this call is in it.
    ///
    /// # Errors
    /// Where the events cannot be read, or the user has no watch left.
    pub fn changes(&mut self) -> Result<Changes, Error> {
        let mut changes = Changes::default();
        let mut events = std::mem::take(&mut self.events);
        self.watches.drain(&mut events).map_err(Error::Events)?;
        for event in events.drain(..) {
            self.note(&event, &mut changes)?;
        }
        self.events = events;
        if changes.all {
            self.begin_again()?;
        }
        let unwatched = self.unwatched.iter().map(|path| (path.clone(), false));
        for (path, deep) in unwatched {
            *changes.paths.entry(path).or_default() |= deep;
        }
        Ok(changes)
    }

    fn note(&mut self, event: &Event, changes: &mut Changes) -> Result<(), Error> {
        const CAME: u32 = libc::IN_CREATE | libc::IN_MOVED_TO;
        const WENT: u32 = libc::IN_DELETE | libc::IN_MOVED_FROM;
        const GONE: u32 = libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_UNMOUNT;
        if event.mask & libc::IN_Q_OVERFLOW != 0 {
            changes.all = true;
            return Ok(());
        }
        let paths: Vec<Vec<u8>> = self
            .at
            .get(&event.watch)
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        for path in paths {
            if event.mask & GONE != 0 && path.is_empty() {
                changes.gone = true;
            }
            let touched = match event.name.is_empty() {
                true => path,
                false => below(&path, &event.name),
            };
            let (came, went) = (event.mask & CAME != 0, event.mask & WENT != 0);
            if came || went {
                self.leave(&touched);
            }
            if came {
                self.enter(touched.clone())?;
            }
            *changes.paths.entry(touched).or_default() |= came;
        }
        if event.mask & libc::IN_IGNORED != 0 && self.at.remove(&event.watch).is_some() {
            self.of.retain(|_, watch| *watch != event.watch);
            self.watches.ended();
        }
        Ok(())
    }

    /// Watches what lies at `path`, and all below it.
    fn enter(&mut self, path: Vec<u8>) -> Result<(), Error> {
        let mut waiting = vec![path];
        while let Some(path) = waiting.pop() {
            let real = self.real(&path);
            // First as a node: a folder's own watch adds to it.
            let Ok(found) = std::fs::symlink_metadata(&real) else {
                continue;
            };
            if !found.is_dir() {
                match self.watches.add_node(&real) {
                    Some(watch) => self.put(path, watch),
                    None => drop(self.unwatched.insert(path)),
                }
                continue;
            }
            if is_beyond(&real) {
                self.unwatched.insert(path);
                continue;
            }
            let Some(watch) = self.watches.add_folder(&real)? else {
                self.unwatched.insert(path);
                continue;
            };
            self.put(path.clone(), watch);
            let names = names_in(&real).unwrap_or_default();
            waiting.extend(names.iter().map(|name| below(&path, name)));
        }
        Ok(())
    }

    fn put(&mut self, path: Vec<u8>, watch: i32) {
        self.unwatched.remove(&path);
        self.at.entry(watch).or_default().insert(path.clone());
        if let Some(old) = self
            .of
            .insert(path.clone(), watch)
            .filter(|old| *old != watch)
        {
            self.part(old, &path);
        }
    }

    /// What was at `path` lies there no more, nor what was below it.
    fn leave(&mut self, path: &[u8]) {
        let is_within = |other: &[u8]| {
            path.is_empty()
                || other.starts_with(path) && matches!(other.get(path.len()), None | Some(b'/'))
        };
        // Names may stand between a folder and what lies in it (`a-b` between `a` and `a/c`).
        let from = self.of.range(path.to_vec()..);
        let gone: Vec<(Vec<u8>, i32)> = from
            .take_while(|(other, _)| other.starts_with(path))
            .filter(|(other, _)| is_within(other))
            .map(|(other, watch)| (other.clone(), *watch))
            .collect();
        for (other, watch) in gone {
            self.of.remove(&other);
            self.part(watch, &other);
        }
        self.unwatched.retain(|other| !is_within(other));
    }

    /// `path` is no name of what `watch` watches any more.
    fn part(&mut self, watch: i32, path: &[u8]) {
        let Some(paths) = self.at.get_mut(&watch) else {
            return;
        };
        paths.remove(path);
        if paths.is_empty() {
            self.at.remove(&watch);
            self.watches.remove(watch);
        }
    }

    /// Watches everything anew.
    fn begin_again(&mut self) -> Result<(), Error> {
        for watch in std::mem::take(&mut self.at).into_keys() {
            self.watches.remove(watch);
        }
        self.of.clear();
        self.unwatched.clear();
        self.enter(Vec::new())
    }

    fn real(&self, path: &[u8]) -> PathBuf {
        match path.is_empty() {
            true => self.root.clone(),
            false => self.root.join(OsStr::from_bytes(path)),
        }
    }
}

fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder.is_empty() {
        true => name.to_vec(),
        false => [folder, b"/", name].concat(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn paths(follower: &mut Follower) -> Vec<String> {
        let changes = follower.changes().unwrap();
        assert!(!changes.all && !changes.gone);
        let shown = |path: &Vec<u8>| String::from_utf8_lossy(path).into_owned();
        changes.paths.keys().map(shown).collect()
    }

    #[test]
    fn whatever_is_done_by_any_name_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/f"), "1").unwrap();
        fs::hard_link(root.join("a/b/f"), root.join("g")).unwrap();
        let mut follower = Follower::new(&root).unwrap();
        assert_eq!(paths(&mut follower), Vec::<String>::new());
        fs::write(root.join("a/b/f"), "2").unwrap();
        assert_eq!(paths(&mut follower), ["a/b/f", "g"]);
        fs::rename(root.join("a"), root.join("c")).unwrap();
        assert!(paths(&mut follower).contains(&"c".to_owned()));
        fs::write(root.join("c/b/f"), "3").unwrap();
        assert_eq!(paths(&mut follower), ["c/b/f", "g"]);
        fs::create_dir(root.join("new")).unwrap();
        fs::write(root.join("new/x"), "").unwrap();
        assert!(paths(&mut follower).contains(&"new".to_owned()));
        fs::write(root.join("new/x"), "y").unwrap();
        assert_eq!(paths(&mut follower), ["new/x"]);
        fs::remove_dir_all(root.join("c")).unwrap();
        assert!(paths(&mut follower).contains(&"c".to_owned()));
        fs::write(root.join("g"), "4").unwrap();
        assert_eq!(paths(&mut follower), ["g"]);
    }

    #[test]
    fn a_queue_that_overflows_says_that_anything_may_have_changed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let mut follower = Follower::new(&root).unwrap();
        let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
        let limit: usize = limit.trim().parse().unwrap();
        for number in 0..limit + 10 {
            let made = root.join(["a", "b"][number % 2]);
            fs::write(&made, "").unwrap();
            fs::remove_file(&made).unwrap();
        }
        assert!(follower.changes().unwrap().all);
        fs::write(root.join("a"), "1").unwrap();
        assert_eq!(paths(&mut follower), ["a"]);
    }
}
