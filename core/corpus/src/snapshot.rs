//! One consistent state of the tree; queries run on it while the corpus moves on.

use std::sync::Arc;

use crate::meta::Meta;
use crate::place::Place;
use crate::state::{Node, Snapshot, State, Tree, ROOT};

impl State {
    /// Nothing yet.
    pub(crate) fn empty(place: Arc<Place>) -> State {
        State {
            place,
            tree: Tree::new(),
            segments: Arc::default(),
            fresh: Arc::default(),
            unreadable: Arc::default(),
            rules: Arc::default(),
        }
    }
}

impl Snapshot {
    pub(crate) fn state(&self) -> &State {
        &self.0
    }

    /// The root folder.
    pub fn root(&self) -> Node<'_> {
        Node {
            state: &self.0,
            id: ROOT,
        }
    }

    /// The root's absolute path as tools see it: the alias, or its real path.
    pub fn at(&self) -> &[u8] {
        &self.0.place.at
    }

    /// Whether this is a copy: of its nodes, only what its own files and the [`Lens`](crate::Lens) say is true of the original,
    /// which is kind, mode, time of change, and size of what is no folder. Owners, links, blocks, inodes and access are
    /// not known.
    pub fn is_copy(&self) -> bool {
        self.0.place.lens.is_some()
    }

    /// Whether all folders and files in it could be read.
    pub fn is_readable(&self) -> bool {
        self.0.unreadable.is_empty()
    }

    /// Whether all names in it are UTF-8. True is sure; false may speak of a name that is gone.
    pub fn is_named_in_utf8(&self) -> bool {
        self.0.tree.is_named_in_utf8()
    }

    /// `lstat` of the root's parent, taken now: `ls -la` of the root shows it. None where the root goes by an alias,
    /// whose parent is not here.
    pub fn parent_meta(&self) -> Option<Meta> {
        use std::os::unix::ffi::OsStrExt;
        let place = &self.0.place;
        if self.is_copy() || place.real.as_os_str().as_bytes() != place.at.as_slice() {
            return None;
        }
        std::fs::symlink_metadata(place.real.parent()?)
            .ok()
            .map(|m| Meta::of(&m))
    }
}
