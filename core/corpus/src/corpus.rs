//! The corpus: owns the current state, follows the kernel's reports, hands out snapshots.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::drain::Drain;
use crate::error::Error;
use crate::inner::{Counters, Dirty, Inner, Options, Shared};
use crate::kept::Store;
use crate::lens::Glass;
use crate::mounts::Mounts;
use crate::place::Place;
use crate::state::{Snapshot, State};
use crate::watch::Watches;
use crate::watched::Watched;

/// A folder in memory, as fresh as the file system.
pub struct Corpus {
    shared: Arc<Shared>,
    _drain: Drain,
}

impl Corpus {
    /// Takes in the folder `root`, and follows that path: a link on it may be led elsewhere.
    ///
    /// # Errors
    /// Where the folder cannot be read, its file system does not report what happens in it, or inotify gives no more.
    pub fn load(root: impl AsRef<Path>, options: Options) -> Result<Corpus, Error> {
        let given = root.as_ref();
        let root_error = |source| Error::Root {
            path: given.to_path_buf(),
            source,
        };
        let given = std::path::absolute(given).map_err(root_error)?;
        let root = given.canonicalize().map_err(root_error)?;
        std::fs::read_dir(&root).map_err(root_error)?;
        let watches = Arc::new(Watches::new(
            options.watches,
            Glass::new(options.lens.clone()),
        )?);
        let store = options.state.as_deref();
        let store = store.map(|state| Store::open(state, &root)).transpose();
        let (store, trouble) = match store {
            Ok(store) => (store.map(Arc::new), None),
            Err(trouble) => (None, Some(trouble)),
        };
        let place = Arc::new(Place::new(
            &root,
            options.at.as_deref(),
            options.lens.clone(),
        ));
        let mut inner = Inner {
            mounts: Mounts::new(&root),
            given,
            root,
            options,
            state: Arc::new(State::empty(place)),
            watches: watches.clone(),
            watched: Watched::default(),
            events: Vec::new(),
            dirty: Dirty::default(),
            vanished: false,
            counters: Counters::default(),
            first: store.clone(),
            store,
            trouble,
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
    ///
    /// # Errors
    /// Where there is no folder at the root's path, or it cannot be followed any more.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut inner = self.shared.lock();
        inner.refresh()?;
        Ok(Snapshot(inner.state.clone()))
    }

    /// Keeps the index for the next start, where enough of it is new; whether it was written. What is asked meanwhile
    /// does not wait.
    ///
    /// # Errors
    /// Why it is not kept, as a sentence; [`Corpus::trouble`] says so from then on.
    pub fn keep(&self) -> Result<bool, String> {
        let (store, state) = {
            let inner = self.shared.lock();
            match &inner.store {
                Some(store) => (store.clone(), inner.state.clone()),
                None => return inner.trouble.clone().map_or(Ok(false), Err),
            }
        };
        let kept = state.keep(&store);
        if let Err(trouble) = &kept {
            self.shared.lock().trouble = Some(trouble.clone());
        }
        kept
    }

    /// What stood against keeping the index, or using what was kept; None: nothing so far.
    pub fn trouble(&self) -> Option<String> {
        self.shared.lock().trouble.clone()
    }

    /// The names in these folders of a copy (below the root) may lie in another order now.
    pub fn rearranged<'f>(&self, folders: impl Iterator<Item = &'f [u8]>) {
        let mut inner = self.shared.lock();
        for folder in folders {
            inner.relist(folder);
        }
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
        let inner = self.shared.lock();
        Counters {
            unwatched: inner.watched.unwatched().len(),
            ..inner.counters
        }
    }
}
