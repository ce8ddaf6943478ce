//! What can go wrong with a corpus as a whole; what goes wrong with one file stays with that file.

use std::io;
use std::path::PathBuf;

/// Raised when a folder cannot be taken in or followed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root is not a folder that can be read.
    #[error("cannot load {path}: {source}; give --root a folder that this user may read")]
    Root {
        /// The root as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The root was removed, or moved away.
    #[error("the root {0} has vanished; put a folder there, or restart on one that exists")]
    Vanished(PathBuf),
    /// Its file system may change without a report.
    #[error(
        "cannot follow {0}: its file system (type {1:#x}) may change without a word to this kernel, as those of \
         networks and FUSE do; copy the folder to a local one"
    )]
    Unreported(PathBuf, u32),
    /// The user's inotify watches are used up.
    #[error("out of inotify watches at {0}; raise them with: sysctl fs.inotify.max_user_watches=1048576")]
    Watches(PathBuf),
    /// The user's inotify instances are used up.
    #[error(
        "cannot open inotify: {0}; raise the limit with: sysctl fs.inotify.max_user_instances=1024"
    )]
    Instances(io::Error),
    /// Reading events failed.
    #[error("cannot read inotify events: {0}; restart")]
    Events(io::Error),
}
