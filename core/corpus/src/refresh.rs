//! Applying what the kernel reports.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use curserve_index::{Form, Grams};
use rayon::prelude::*;

use crate::error::Error;
use crate::inner::{Inner, Touched};
use crate::listing::Listing;
use crate::merge::{is_current, Merge};
use crate::meta::{Kind, Meta};
use crate::place::Place;
use crate::read::{self, Reading, Wanted};
use crate::scan;
use crate::state::{Body, Indexed, NodeData, Shelved, State, ROOT};
use crate::volume;
use crate::watch::Event;
use crate::watched::Watched;

/// A file that is written all the time is re-read at most this often for one answer.
const ROUNDS: usize = 8;

/// When more files than this carry their own trigrams, they get a segment.
const FRESH_LIMIT: usize = 2048;

impl Inner {
    /// Takes queued events over from the kernel; returns whether there were any.
    pub(crate) fn collect(&mut self) -> Result<bool, Error> {
        let mut events = std::mem::take(&mut self.events);
        self.watches.drain(&mut events).map_err(Error::Events)?;
        let any = !events.is_empty();
        for event in events.drain(..) {
            self.note(event);
        }
        self.events = events;
        Ok(any)
    }

    fn note(&mut self, Event { watch, mask, name }: Event) {
        const NAMES: u32 =
            libc::IN_CREATE | libc::IN_DELETE | libc::IN_MOVED_FROM | libc::IN_MOVED_TO;
        const GONE: u32 =
            libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_UNMOUNT | libc::IN_IGNORED;
        if mask & libc::IN_Q_OVERFLOW != 0 {
            self.dirty.rescan = true;
            return;
        }
        let tree = &self.state.tree;
        for id in self.watched.nodes(watch) {
            let Some(data) = tree.try_get(id) else {
                continue;
            };
            if !matches!(data.body, Body::Folder { .. }) {
                self.dirty.touch(data.parent, &data.name, false);
            } else if mask & GONE != 0 {
                self.dirty.reload |= id == ROOT;
            } else {
                self.dirty.touch(id, &name, mask & NAMES != 0);
            }
        }
        if mask & libc::IN_IGNORED != 0 && self.watched.forget(watch) {
            self.watches.ended();
        }
    }

    /// Applies every change that the kernel has reported until now.
    pub(crate) fn refresh(&mut self) -> Result<(), Error> {
        for round in 0..ROUNDS {
            self.collect()?;
            self.look_at_root();
            if round == 0 {
                self.look_at_unwatched();
            }
            if self.dirty.is_empty() {
                break;
            }
            self.apply()?;
        }
        if self.vanished || self.dirty.reload {
            return Err(Error::Vanished(self.given.clone()));
        }
        Ok(())
    }

    /// Applies the collected events. After an error everything is suspect: the next call walks it all again.
    pub(crate) fn apply(&mut self) -> Result<(), Error> {
        self.look_at_root();
        let result = self.try_apply();
        self.dirty.rescan |= result.is_err();
        // What was read, was read by its path, which may have begun to lead into another tree meanwhile.
        self.look_at_root();
        result
    }

    /// The folder `path` below the root is to be listed again.
    pub(crate) fn relist(&mut self, path: &[u8]) {
        let tree = &self.state.tree;
        if tree.bound() == 0 {
            return;
        }
        let mut names = path
            .split(|&byte| byte == b'/')
            .filter(|name| !name.is_empty());
        let folder = names.try_fold(ROOT, |folder, name| tree.child(folder, name));
        // One that is not there yet is new, and listed when it is taken in.
        if let Some(folder) = folder {
            self.dirty.touch(folder, b"", true);
        }
    }

    /// Compares what the root's path leads to with what we follow. inotify tells nothing of the folders above the root: when
    /// one of them is moved, what we follow goes with it, unchanged, and something else may take its place.
    fn look_at_root(&mut self) {
        let found = std::fs::metadata(&self.given).map(|found| Meta::of(&found));
        let found = found.ok().filter(|meta| meta.kind() == Kind::Folder);
        let tree = &self.state.tree;
        let held = (tree.bound() > 0).then(|| &tree.get(ROOT).meta);
        match found {
            // Until it is back, and then all is read again.
            None => self.vanished = true,
            Some(found) => {
                let is_ours =
                    held.is_some_and(|held| (held.dev, held.ino) == (found.dev, found.ino));
                self.dirty.reload |= self.vanished || !is_ours;
            }
        }
        self.dirty.rescan |= self.mounts.have_changed(&self.root);
    }

    /// The path by which what we follow is read is the one without links: whether it is still.
    fn is_moved(&self) -> bool {
        let leads = self.given.canonicalize();
        leads.is_ok_and(|leads| leads != self.root)
    }

    fn try_apply(&mut self) -> Result<(), Error> {
        let dirty = std::mem::take(&mut self.dirty);
        if self.vanished && !dirty.reload {
            return Ok(());
        }
        if dirty.reload || (!dirty.is_empty() && self.is_moved()) {
            self.counters.rescans += 1;
            return self.load();
        }
        if dirty.rescan {
            self.counters.rescans += 1;
            return self.rescan();
        }
        let root = self.root.clone();
        let state = Arc::make_mut(&mut self.state);
        let mut merge = Merge::new(state, &mut self.watched, &self.watches);
        for (folder, touched) in dirty.folders {
            update_folder(&mut merge, folder, touched, &root)?;
        }
        let (wanted, ids) = (merge.wanted, merge.ids);
        self.settle_watches();
        self.read(ids, wanted);
        Ok(())
    }

    /// Ends watches that nothing needs any more; and some that would be useful, where others of this user had none left.
    fn settle_watches(&mut self) {
        self.watched.sweep(&self.watches);
        if self.watches.ran_short() {
            let tree = &self.state.tree;
            let is_file = |id| !matches!(tree.get(id).body, Body::Folder { .. });
            self.watched.spare(&self.watches, is_file);
        }
    }

    /// Reads the files `ids`: a few by themselves, many in packs with indexes of their own.
    fn read(&mut self, ids: Vec<u32>, wanted: Vec<Wanted>) {
        const FEW: usize = 64;
        if ids.len() < FEW {
            for (id, file) in ids.into_iter().zip(&wanted) {
                self.read_one(id, &file.path);
            }
            if self.state.fresh.len() > FRESH_LIMIT {
                Arc::make_mut(&mut self.state).seal();
            }
            return;
        }
        let packs = read::read_all(&wanted, self.options.file_limit);
        let mut ids = ids.into_iter();
        for (readings, segment) in packs {
            let nodes: Vec<u32> = ids.by_ref().take(readings.len()).collect();
            let number = self.state.segments.len() as u32;
            for (at, (&id, reading)) in nodes.iter().zip(readings).enumerate() {
                self.fill(id, reading, Indexed::Segment(number, at as u16));
            }
            let state = Arc::make_mut(&mut self.state);
            Arc::make_mut(&mut state.segments).push(Shelved::new(segment, nodes));
        }
    }

    fn read_one(&mut self, id: u32, path: &Path) {
        let reading = read::read_one(path, self.options.file_limit);
        let grams = match &reading {
            Ok((content, _)) if read::form(content) != Form::Wild => Grams::of(content),
            _ => Grams::any(),
        };
        self.fill(id, reading, Indexed::Own(Arc::new(grams)));
    }

    /// Stores what reading file `id` gave, unless the file was removed meanwhile.
    fn fill(&mut self, id: u32, reading: Reading, indexed: Indexed) {
        self.counters.files_read += 1;
        let state = Arc::make_mut(&mut self.state);
        let is_file = |data: &NodeData| matches!(data.body, Body::File { .. });
        if !state.tree.try_get(id).is_some_and(is_file) {
            return;
        }
        state.fill(id, reading, indexed);
    }

    /// Looks at what nothing is reported of, and notes what has changed.
    fn look_at_unwatched(&mut self) {
        const FEW: usize = 256;
        let state = &self.state;
        let has_changed = |&id: &u32| {
            let found = std::fs::symlink_metadata(state.live_path(id));
            let held = state.tree.get(id);
            id != ROOT && !found.is_ok_and(|found| is_as_held(held, &Meta::of(&found)))
        };
        let unwatched = self.watched.unwatched();
        let changed: Vec<u32> = match unwatched.len() {
            0..FEW => unwatched.iter().copied().filter(has_changed).collect(),
            _ => {
                let all: Vec<u32> = unwatched.iter().copied().collect();
                all.into_par_iter().filter(has_changed).collect()
            }
        };
        for id in changed {
            let data = state.tree.get(id);
            self.dirty.touch(data.parent, &data.name, false);
        }
    }

    /// Takes in what lies at the root's path now, as if nothing had been here before. A folder made again in the place of a
    /// removed one may have its inode number, so not even that says that something held is still true.
    ///
    /// # Errors
    /// Where its file system is not one that can be followed, or the user has no watch left.
    pub(crate) fn load(&mut self) -> Result<(), Error> {
        self.root = match self.given.canonicalize() {
            Ok(root) => root,
            Err(_) => {
                self.vanished = true;
                return Ok(());
            }
        };
        let place = Arc::new(Place::new(
            &self.root,
            self.options.at.as_deref(),
            self.options.lens.clone(),
        ));
        self.state = Arc::new(State::empty(place));
        self.watched.clear(&self.watches);
        self.watches.glass.stand(&self.root);
        self.mounts.read(&self.root);
        self.vanished = false;
        let loaded = self.check_volume().and_then(|()| self.rescan());
        self.dirty.reload |= loaded.is_err();
        loaded
    }

    /// # Errors
    /// Where the root's file system is not one that can be followed.
    fn check_volume(&self) -> Result<(), Error> {
        match volume::kind(&self.root) {
            Some(kind) if !volume::reports(kind) => Err(Error::Unreported(self.root.clone(), kind)),
            _ => Ok(()),
        }
    }

    /// Walks everything again and reads what may have changed.
    fn rescan(&mut self) -> Result<(), Error> {
        let mut walked = self.walk();
        while matches!(walked, Err(Error::Watches(_))) && self.watches.begin_with_less() {
            self.watched = Watched::default();
            walked = self.walk();
        }
        walked
    }

    fn walk(&mut self) -> Result<(), Error> {
        let root = std::fs::symlink_metadata(&self.root).map(|root| Meta::of(&root));
        if let Ok(root) = root {
            self.watches.volumes.begin(root.dev);
        }
        let Some(mut found) = scan::scan(&self.root, &self.watches)? else {
            self.vanished = true;
            return Ok(());
        };
        found.name = Box::default();
        let state = Arc::make_mut(&mut self.state);
        let existing = (state.tree.bound() > 0).then_some(ROOT);
        let mut merge = Merge::new(state, &mut self.watched, &self.watches);
        merge.put(found, existing, ROOT, &self.root, false);
        let (mut wanted, mut ids) = (merge.wanted, merge.ids);
        self.settle_watches();
        if let Some(store) = self.first.take() {
            (ids, wanted) = self.recall(&store, ids, wanted);
        }
        self.read(ids, wanted);
        Ok(())
    }
}

/// Whether a node that is not watched is what it was when it was taken in.
fn is_as_held(held: &NodeData, meta: &Meta) -> bool {
    let is_read = matches!(held.body, Body::File { content: Ok(_), .. });
    held.meta == *meta && (!is_read || is_current(held, meta))
}

/// Brings one folder up to date. A folder that an earlier step of the batch removed, or put new, is left alone.
fn update_folder(
    merge: &mut Merge<'_>,
    id: u32,
    touched: Touched,
    root: &Path,
) -> Result<(), Error> {
    let is_folder = |data: &NodeData| matches!(data.body, Body::Folder { .. });
    if !merge.state.tree.try_get(id).is_some_and(is_folder) {
        return Ok(());
    }
    let path = merge.state.live_path(id);
    let Ok(metadata) = std::fs::symlink_metadata(&path) else {
        return Ok(());
    };
    let meta = Meta::of(&metadata);
    let mut data = merge.state.tree.get(id).clone();
    if data.meta.ino != meta.ino || data.meta.kind() != meta.kind() {
        // Another folder lies here by now; the event of its parent brings it.
        return Ok(());
    }
    let permissions_changed =
        data.meta.mode != meta.mode || data.meta.uid != meta.uid || data.meta.gid != meta.gid;
    let parent = data.parent;
    data.meta = meta;
    merge.state.tree.set(id, data);
    look_upwards(merge.state, parent);
    if permissions_changed || merge.state.tree.listing(id).is_none() {
        if let Some(mut found) = scan::scan(&path, merge.watches)? {
            found.name = merge.state.tree.get(id).name.clone();
            let parent = merge.state.tree.get(id).parent;
            merge.put(
                found,
                Some(id),
                parent,
                if id == ROOT { root } else { &path },
                true,
            );
        }
        return Ok(());
    }
    if touched.relist {
        relist(merge, id, &path, &touched)
    } else {
        retouch(merge, id, &path, &touched)
    }
}

/// The first change of something in an overlay changes every folder on the way to it (its number of links, for one), of which
/// nothing is reported; so it goes up to the first folder that is as it was.
fn look_upwards(state: &mut State, folder: u32) {
    let mut at = folder;
    loop {
        let held = state.tree.get(at);
        let found = std::fs::symlink_metadata(state.live_path(at)).map(|found| Meta::of(&found));
        let ours = |found: &Meta| (found.dev, found.ino) == (held.meta.dev, held.meta.ino);
        let Some(found) = found
            .ok()
            .filter(|found| ours(found) && *found != held.meta)
        else {
            return;
        };
        let mut data = held.clone();
        data.meta = found;
        let parent = data.parent;
        state.tree.set(at, data);
        if at == ROOT {
            return;
        }
        at = parent;
    }
}

/// Files of this folder were written or changed their metadata; names are as they were.
fn retouch(merge: &mut Merge<'_>, id: u32, path: &Path, touched: &Touched) -> Result<(), Error> {
    for name in touched.names.keys() {
        let Some(child) = merge.state.tree.child(id, name) else {
            continue;
        };
        put_touched(merge, id, child, &path.join(OsStr::from_bytes(name)), false)?;
    }
    Ok(())
}

/// A folder of more names is not listed again for one of them.
const MANY: usize = 64;

/// Names came or went: lists the folder again, keeping its order; only touched or new names are looked at.
fn relist(merge: &mut Merge<'_>, id: u32, path: &Path, touched: &Touched) -> Result<(), Error> {
    let names = merge.state.tree.listing(id).map_or(0, Listing::len);
    let few = names > MANY && touched.names.len() < names / 8;
    if few && merge.state.place.lens.is_none() && volume::keeps_names(path) {
        return look_at_names(merge, id, path, touched);
    }
    let Ok(mut names) = scan::names_in(path) else {
        return Ok(());
    };
    merge.watches.glass.arrange(path, &mut names);
    let mut children = Vec::with_capacity(names.len());
    for name in names {
        let below = path.join(OsStr::from_bytes(&name));
        match (
            merge.state.tree.child(id, &name),
            touched.names.get(name.as_slice()),
        ) {
            (Some(child), None) => children.push(child),
            (Some(child), Some(&came_or_went)) => {
                if put_touched(merge, id, child, &below, came_or_went)? {
                    children.push(child);
                }
            }
            (None, _) => {
                if let Some(found) = scan::scan(&below, merge.watches)? {
                    children.push(merge.put(found, None, id, &below, true));
                }
            }
        }
    }
    merge.relist(id, children);
    Ok(())
}

/// Names came or went among many: looks at those alone, and leaves where they stand to whoever wants to know.
fn look_at_names(
    merge: &mut Merge<'_>,
    id: u32,
    path: &Path,
    touched: &Touched,
) -> Result<(), Error> {
    for (name, &came_or_went) in &touched.names {
        let below = path.join(OsStr::from_bytes(name));
        match merge.state.tree.child(id, name) {
            Some(child) => {
                if !put_touched(merge, id, child, &below, came_or_went)? {
                    merge.unlist(id, child);
                } else if came_or_went {
                    merge.state.tree.edit_listing(id, Listing::disturb);
                }
            }
            None => {
                if let Some(found) = scan::scan(&below, merge.watches)? {
                    let child = merge.put(found, None, id, &below, true);
                    merge.list(id, child);
                }
            }
        }
    }
    Ok(())
}

/// Looks at one touched child again; false where it is gone. A folder that is still the same one has watches of its
/// own, so its metadata suffices.
fn put_touched(
    merge: &mut Merge<'_>,
    parent: u32,
    child: u32,
    path: &Path,
    came_or_went: bool,
) -> Result<bool, Error> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else {
        return Ok(false);
    };
    let meta = Meta::of(&metadata);
    let mut data = merge.state.tree.get(child).clone();
    let same_folder = !came_or_went
        && matches!(data.body, Body::Folder { .. })
        && (meta.dev, meta.ino, meta.mode) == (data.meta.dev, data.meta.ino, data.meta.mode)
        && (meta.uid, meta.gid) == (data.meta.uid, data.meta.gid);
    if same_folder {
        data.meta = meta;
        merge.state.tree.set(child, data);
        return Ok(true);
    }
    match scan::scan(path, merge.watches)? {
        Some(found) => {
            merge.put(found, Some(child), parent, path, true);
            Ok(true)
        }
        None => Ok(false),
    }
}
