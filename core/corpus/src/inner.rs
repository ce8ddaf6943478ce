//! What a corpus keeps while it follows a folder: the state, the watches, and what the kernel has reported and nobody has
//! looked at yet.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::kept::Store;
use crate::lens::Lens;
use crate::mounts::Mounts;
use crate::state::State;
use crate::watch::{Event, Watches};
use crate::watched::Watched;

/// How a corpus is loaded.
#[derive(Clone, Debug)]
pub struct Options {
    /// The path by which tools know the root (`/testbed`); None: its real path.
    pub at: Option<PathBuf>,
    /// Files above this size stay outside memory; tools that want one refuse.
    pub file_limit: u64,
    /// So many watches leave room for one more on a file; None: half of what the user may have. A file without one is looked
    /// at before each answer.
    pub watches: Option<usize>,
    /// The state folder in which the index is kept from one start to the next; None: it is not.
    pub state: Option<PathBuf>,
    /// What the root is a copy of; None: it is no copy.
    pub lens: Option<Arc<dyn Lens>>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            at: None,
            file_limit: 256 << 20,
            watches: None,
            state: None,
            lens: None,
        }
    }
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Full walks: the kernel's queue overflowed, or another folder lies at the root's path.
    pub rescans: u64,
    /// Files read, the load included.
    pub files_read: u64,
    /// Nodes that nothing is reported of, now: each answer begins with a look at them.
    pub unwatched: usize,
    /// Files that were as an earlier start had indexed them.
    pub recalled: u64,
}

pub(crate) struct Shared {
    pub(crate) inner: Mutex<Inner>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            // Whoever panicked may have left the tree half-changed: all is read again.
            self.inner.clear_poison();
            let mut inner = poisoned.into_inner();
            inner.dirty.doubt_everything();
            inner
        })
    }
}

pub(crate) struct Inner {
    /// The path that was given; a link may lie on it, and may be led elsewhere.
    pub(crate) given: PathBuf,
    /// Where it leads.
    pub(crate) root: PathBuf,
    pub(crate) options: Options,
    pub(crate) state: Arc<State>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) watched: Watched,
    pub(crate) mounts: Mounts,
    pub(crate) events: Vec<Event>,
    pub(crate) dirty: Dirty,
    pub(crate) vanished: bool,
    pub(crate) counters: Counters,
    /// Where the index is kept.
    pub(crate) store: Option<Arc<Store>>,
    /// The same until the first walk, which recalls what is there.
    pub(crate) first: Option<Arc<Store>>,
    /// What stands against keeping or recalling it.
    pub(crate) trouble: Option<String>,
}

/// What the events of one batch ask for.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    pub(crate) rescan: bool,
    /// What we follow is not what lies at the root's path: all that is held is void.
    pub(crate) reload: bool,
    /// Folders whose names changed: list again. All folders here had an event, for their metadata at least.
    pub(crate) folders: BTreeMap<u32, Touched>,
}

#[derive(Debug, Default)]
pub(crate) struct Touched {
    pub(crate) relist: bool,
    /// Each name that had an event; true: the name itself came or went, so what lies there may be another node, even
    /// one with the same inode number.
    pub(crate) names: BTreeMap<Box<[u8]>, bool>,
}

impl Dirty {
    /// Nothing that is held can be trusted.
    pub(crate) fn doubt_everything(&mut self) {
        self.reload = true;
    }

    /// Something happened to `name` in `folder`, or where it is empty to the folder itself.
    pub(crate) fn touch(&mut self, folder: u32, name: &[u8], came_or_went: bool) {
        let touched = self.folders.entry(folder).or_default();
        touched.relist |= came_or_went;
        if !name.is_empty() {
            *touched.names.entry(name.into()).or_default() |= came_or_went;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.rescan && !self.reload && self.folders.is_empty()
    }
}
