//! Bringing the tree in line with what a walk found: the first load, a new folder, one saved file and a full rescan
//! are all the same merge.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::ignored::RULE_FILES;
use crate::meta::Meta;
use crate::order::SORTED_ABOVE;
use crate::read::{Reading, Wanted};
use crate::scan::{Found, FoundBody, FoundFolder};
use crate::state::{Body, Indexed, Memo, NodeData, State, Unreadable, ROOT};
use crate::volume::WalkOrder;
use crate::watch::Watches;
use crate::watched::Watched;

/// A file whose last change lies this close before its reading may change again without a new time stamp: the kernel's
/// clock ticks every 1–10 ms.
const RACY_NS: i128 = 50_000_000;

/// One merge in progress: changes go to `state`; files to read are collected.
pub(crate) struct Merge<'m> {
    pub(crate) state: &'m mut State,
    pub(crate) watched: &'m mut Watched,
    pub(crate) watches: &'m Watches,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) ids: Vec<u32>,
}

impl<'m> Merge<'m> {
    pub(crate) fn new(
        state: &'m mut State,
        watched: &'m mut Watched,
        watches: &'m Watches,
    ) -> Self {
        Merge {
            state,
            watched,
            watches,
            wanted: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Makes the node `existing` (or a new one below `parent`) what `found` says; returns its id. `touched`: a file is
    /// read even if its times have not changed.
    pub(crate) fn put(
        &mut self,
        found: Found,
        existing: Option<u32>,
        parent: u32,
        path: &Path,
        touched: bool,
    ) -> u32 {
        let same_kind =
            existing.filter(|&id| self.state.tree.get(id).meta.kind() == found.meta.kind());
        if let (Some(id), None) = (existing, same_kind) {
            self.clear(id);
        }
        let Found {
            name,
            meta,
            body,
            watch,
        } = found;
        self.state.named(&name);
        let data = NodeData {
            parent,
            name,
            meta,
            body: Body::Other,
            verdict: Memo::default(),
        };
        let id = match body {
            FoundBody::Link(target) => self.set(
                existing,
                NodeData {
                    body: Body::Link(target),
                    ..data
                },
            ),
            FoundBody::Other => self.set(existing, data),
            FoundBody::File => self.put_file(data, existing, same_kind, path, touched),
            FoundBody::Unreported | FoundBody::Withheld => self.set(
                existing,
                NodeData {
                    body: Body::File {
                        content: Err(Unreadable::Unknown),
                        racy: false,
                        indexed: Indexed::Not,
                    },
                    ..data
                },
            ),
            FoundBody::Folder(folder) => {
                self.put_folder(data, folder, existing, same_kind, path, touched)
            }
        };
        self.watched.put(id, watch);
        self.state.note_readable(id);
        id
    }

    fn put_file(
        &mut self,
        data: NodeData,
        id: Option<u32>,
        same: Option<u32>,
        path: &Path,
        touched: bool,
    ) -> u32 {
        let old = same.map(|id| self.state.tree.get(id).clone());
        let body = match &old {
            Some(old) => old.body.clone(),
            None => Body::File {
                content: Err(Unreadable::Unknown),
                racy: true,
                indexed: Indexed::Not,
            },
        };
        let keep = !touched && old.as_ref().is_some_and(|old| is_current(old, &data.meta));
        let size = data.meta.size;
        let id = self.set(id, NodeData { body, ..data });
        if !keep {
            self.wanted.push(Wanted {
                path: path.to_path_buf(),
                size,
            });
            self.ids.push(id);
        }
        id
    }

    fn put_folder(
        &mut self,
        data: NodeData,
        found: FoundFolder,
        id: Option<u32>,
        same: Option<u32>,
        path: &Path,
        touched: bool,
    ) -> u32 {
        let FoundFolder {
            entries,
            searchable,
        } = found;
        let old = same.and_then(|id| match &self.state.tree.get(id).body {
            Body::Folder { listing, .. } => listing.clone().ok(),
            _ => None,
        });
        let body = Body::Folder {
            listing: Ok(old.unwrap_or_default()),
            searchable,
        };
        let id = self.set(id, NodeData { body, ..data });
        match entries {
            Ok(entries) => {
                let mut children = Vec::with_capacity(entries.len());
                for entry in entries {
                    let below = path.join(OsStr::from_bytes(&entry.name));
                    let existing = self.state.tree.child(id, &entry.name);
                    children.push(self.put(entry, existing, id, &below, touched));
                }
                self.relist(id, children);
            }
            Err(why) => {
                let why = self.state.why(why);
                self.clear(id);
                let mut data = self.state.tree.get(id).clone();
                data.body = Body::Folder {
                    listing: Err(why),
                    searchable,
                };
                self.state.tree.set(id, data);
            }
        }
        id
    }

    /// Gives folder `id` these children, in this order; those that are no longer among them are removed.
    pub(crate) fn relist(&mut self, id: u32, children: Vec<u32>) {
        let mut data = self.state.tree.get(id).clone();
        let Body::Folder { listing, .. } = &mut data.body else {
            return;
        };
        let old = match listing {
            Ok(old) => old.ids().collect(),
            Err(_) => Vec::new(),
        };
        // A large folder is walked by inode, so the names may be the same and the order another.
        if old != children || children.len() > SORTED_ABOVE {
            let in_order = self.state.as_walked(children.clone());
            self.state.tree.set_positions(&in_order);
        }
        if old == children {
            return;
        }
        let kept: std::collections::HashSet<u32> = children.iter().copied().collect();
        for gone in old.into_iter().filter(|child| !kept.contains(child)) {
            self.remove(gone);
        }
        *listing = Ok(Arc::new(self.state.tree.listing_of(&children)));
        self.state.tree.set(id, data);
    }

    /// Takes a node that was put into folder `id` into its listing; its place there is not known.
    pub(crate) fn list(&mut self, id: u32, child: u32) {
        let data = self.state.tree.get(child);
        let (kind, name) = (data.meta.kind(), data.name.clone());
        let tree = &mut self.state.tree;
        tree.edit_listing(id, |listing| listing.add(child, kind, &name));
        self.state.note_readable(id);
    }

    /// Removes a node of folder `id`, which is gone.
    pub(crate) fn unlist(&mut self, id: u32, child: u32) {
        let name = self.state.tree.get(child).name.clone();
        self.remove(child);
        let tree = &mut self.state.tree;
        tree.edit_listing(id, |listing| listing.take_out(&name));
        self.state.note_readable(id);
    }

    /// Removes a node and all below it; the caller takes it out of its folder's listing.
    pub(crate) fn remove(&mut self, id: u32) {
        self.clear(id);
        self.watched.drop(id);
        let name = self.state.tree.get(id).name.clone();
        self.state.named(&name);
        self.state.tree.remove(id);
        self.state.note_readable(id);
    }

    /// Takes away what lies in a folder.
    fn clear(&mut self, id: u32) {
        if let Body::Folder { listing, .. } = self.state.tree.get(id).body.clone() {
            for child in listing.iter().flat_map(|listing| listing.ids()) {
                self.remove(child);
            }
            let mut data = self.state.tree.get(id).clone();
            data.body = Body::Folder {
                listing: Ok(Arc::default()),
                searchable: true,
            };
            self.state.tree.set(id, data);
        }
    }

    fn set(&mut self, id: Option<u32>, data: NodeData) -> u32 {
        match id {
            Some(id) => {
                self.state.tree.set(id, data);
                id
            }
            None => self.state.tree.insert(data),
        }
    }
}

impl State {
    /// Stores what reading file `id` gave. A file that has vanished since keeps no content; its event is on its way.
    pub(crate) fn fill(&mut self, id: u32, reading: Reading, indexed: Indexed) {
        let mut data = self.tree.get(id).clone();
        let (content, meta) = match reading {
            Ok((content, meta)) => (Ok(content), meta),
            Err(why) => (Err(self.why(why)), None),
        };
        self.named(&data.name);
        let indexed = if content.is_ok() {
            indexed
        } else {
            Indexed::Not
        };
        if matches!(indexed, Indexed::Own(_)) && !self.fresh.contains(&id) {
            Arc::make_mut(&mut self.fresh).insert(id);
        }
        data.meta = meta.unwrap_or(data.meta);
        let racy = is_racy(&data.meta);
        data.body = Body::File {
            content,
            racy,
            indexed,
        };
        self.tree.set(id, data);
        self.note_readable(id);
    }

    /// Why something cannot be read. What this process may not read of a copy says nothing of the original.
    fn why(&self, why: Unreadable) -> Unreadable {
        match (&self.place.lens, why) {
            (Some(_), Unreadable::Errno(_)) => Unreadable::Unknown,
            _ => why,
        }
    }

    /// A node of this name came, went or was written: where it holds ignore rules, all verdicts are void.
    pub(crate) fn named(&mut self, name: &[u8]) {
        if RULE_FILES.contains(&name) {
            self.rules = Arc::default();
        }
    }

    /// Notes whether what is now at `id` could be read.
    fn note_readable(&mut self, id: u32) {
        let lacks = self.tree.try_get(id).is_some_and(|data| match &data.body {
            Body::File { content, .. } => content.is_err(),
            Body::Folder { listing, .. } => match listing {
                Ok(listing) => {
                    listing.len() > SORTED_ABOVE && self.place.walk == WalkOrder::Unknown
                }
                Err(_) => true,
            },
            Body::Link(_) | Body::Other => false,
        });
        if lacks != self.unreadable.contains(&id) {
            let unreadable = Arc::make_mut(&mut self.unreadable);
            let _ = if lacks {
                unreadable.insert(id)
            } else {
                unreadable.remove(&id)
            };
        }
    }

    /// The live path of a node.
    pub(crate) fn live_path(&self, mut id: u32) -> PathBuf {
        let mut names = Vec::new();
        while id != ROOT {
            let data = self.tree.get(id);
            names.push(data.name.as_ref());
            id = data.parent;
        }
        let mut path = self.place.real.clone();
        path.extend(names.iter().rev().map(|name| OsStr::from_bytes(name)));
        path
    }
}

/// The content in memory is what a file with this metadata holds: the kernel sets ctime on every change, and nobody
/// else can.
pub(crate) fn is_current(held: &NodeData, meta: &Meta) -> bool {
    let stamp = |meta: &Meta| (meta.dev, meta.ino, meta.size, meta.mtime, meta.ctime);
    let is_held = matches!(
        held.body,
        Body::File {
            content: Ok(_),
            racy: false,
            ..
        }
    );
    is_held && stamp(&held.meta) == stamp(meta)
}

fn is_racy(meta: &Meta) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i128);
    let changed = i128::from(meta.ctime.0) * 1_000_000_000 + i128::from(meta.ctime.1);
    now - changed < RACY_NS
}
