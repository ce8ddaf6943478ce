//! The code under a root, packed in memory in the file system's own order, and kept fresh by inotify.
//!
//! [`Corpus::load`] takes a folder in; [`Corpus::snapshot`] first applies every change that the kernel has reported
//! and gives an immutable [`Snapshot`]; on it, [`Snapshot::resolve`] follows a path as the kernel would, to a [`Node`].
//! Contents are read, never mapped: truncating a live file can neither stop a search nor tear its answer.
//!
//! ```
//! let folder = tempfile::tempdir().unwrap();
//! std::fs::write(folder.path().join("a.py"), "print(1)\n").unwrap();
//! let corpus = curserve_corpus::Corpus::load(folder.path(), curserve_corpus::Options::default()).unwrap();
//! let snapshot = corpus.snapshot().unwrap();
//! let node = snapshot.resolve(snapshot.at(), b"a.py", true).unwrap();
//! assert_eq!(&**node.bytes().unwrap(), b"print(1)\n");
//! ```

mod arena;
mod content;
mod corpus;
mod drain;
mod error;
mod follow;
mod glimpse;
mod ids;
mod ignored;
mod inner;
mod kept;
mod lens;
mod listing;
mod merge;
mod meta;
mod mounts;
mod node;
mod order;
mod place;
mod read;
mod refresh;
mod repository;
mod resolve;
mod scan;
mod select;
mod snapshot;
mod state;
mod straight;
mod tree;
mod volume;
mod watch;
mod watched;

pub use content::{Content, Facts};
pub use corpus::Corpus;
pub use error::Error;
pub use follow::{Changes, Follower};
pub use ids::{IdHasher, IdMap};
pub use inner::{Counters, Options};
pub use lens::{Behind, Lens};
pub use meta::{Kind, Meta};
pub use node::Entry;
pub use resolve::{Errno, Lookup};
pub use select::Chosen;
pub use state::{BrokenRule, Node, Snapshot, Unreadable, Verdict};
pub use volume::follows;
