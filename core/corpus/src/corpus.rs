//! The corpus: owns the current state, follows the kernel's reports, hands out snapshots.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::drain::Drain;
use crate::error::Error;
use crate::merge::WatchMap;
use crate::refresh::Dirty;
use crate::snapshot::{Place, Snapshot, State};
use crate::watch::{Event, Watches};

/// How a corpus is loaded.
#[derive(Clone, Debug)]
pub struct Options {
    /// The path by which tools know the root (`/testbed`); None: its real path.
    pub at: Option<PathBuf>,
    /// Files above this size stay outside memory; tools that want one refuse.
    pub file_limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            at: None,
            file_limit: 256 << 20,
        }
    }
}

/// A folder in memory, as fresh as the file system.
pub struct Corpus {
    shared: Arc<Shared>,
    _drain: Drain,
}

pub(crate) struct Shared {
    inner: Mutex<Inner>,
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Full walks: the kernel's queue overflowed, or another folder lies at the root's path.
    pub rescans: u64,
    /// Files read, the load included.
    pub files_read: u64,
}

pub(crate) struct Inner {
    pub(crate) root: PathBuf,
    pub(crate) options: Options,
    pub(crate) state: Arc<State>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) watched: WatchMap,
    pub(crate) events: Vec<Event>,
    pub(crate) dirty: Dirty,
    pub(crate) vanished: bool,
    /// Files with more than one name: the kernel does not report writes through a name outside the root.
    pub(crate) linked: BTreeSet<u32>,
    pub(crate) counters: Counters,
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

impl Corpus {
    /// Takes in the folder `root`.
    pub fn load(root: impl AsRef<Path>, options: Options) -> Result<Corpus, Error> {
        let given = root.as_ref();
        let root_error = |source| Error::Root {
            path: given.to_path_buf(),
            source,
        };
        let root = given.canonicalize().map_err(root_error)?;
        std::fs::read_dir(&root).map_err(root_error)?;
        let watches = Arc::new(Watches::new()?);
        let place = Arc::new(Place::new(&root, options.at.as_deref()));
        let mut inner = Inner {
            root,
            options,
            state: Arc::new(State::empty(place)),
            watches: watches.clone(),
            watched: WatchMap::default(),
            events: Vec::new(),
            dirty: Dirty::default(),
            vanished: false,
            linked: BTreeSet::new(),
            counters: Counters::default(),
        };
        inner.load()?;
        if inner.vanished {
            return Err(Error::Vanished(inner.root));
        }
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
        });
        let drain = Drain::start(Arc::downgrade(&shared), watches)?;
        Ok(Corpus {
            shared,
            _drain: drain,
        })
    }

    /// The state of the folder now: every write that completed before this call is in it.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut inner = self.shared.lock();
        inner.refresh()?;
        Ok(Snapshot(inner.state.clone()))
    }

    /// Keeps the corpus from following the folder until the guard is dropped: how a test makes the queue overflow.
    #[doc(hidden)]
    pub fn hold(&self) -> impl Drop + '_ {
        struct Guard<'g>(#[allow(dead_code)] MutexGuard<'g, Inner>);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {}
        }
        Guard(self.shared.lock())
    }

    /// What has happened since the load.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters
    }
}
