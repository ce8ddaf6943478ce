//! The seams: a file system beneath one folder, and a log. Both machines see nothing else of the world; so the simulation runs
//! the same code as a laptop does.

use std::io;
use std::sync::Arc;

use crate::entry::{Entry, Hash, Kind};
use crate::path::{Name, RelPath};
use crate::tree::Stamp;

/// What a file system says of a node without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Permissions.
    pub mode: u16,
    /// Time of the last change, ns.
    pub mtime: i64,
    /// What it is.
    pub kind: Seen,
    /// Another one whenever the node has changed.
    pub stamp: Stamp,
    /// Whether the node is old enough for a change after this look to show in the stamp.
    pub settled: bool,
}

/// What is to be seen of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A folder.
    Folder,
    /// A regular file of this size.
    File(u64),
    /// A link, and where it points.
    Link(Box<[u8]>),
    /// A node whose content is not mirrored.
    Withheld {
        /// Its length.
        size: u64,
        /// As in [`Kind::Withheld`].
        what: u8,
    },
}

impl Look {
    /// The entry of this node, if it has the content `hash`; of anything but a file the hash is not looked at.
    pub fn entry(&self, hash: Hash) -> Entry {
        let kind = match &self.kind {
            Seen::Folder => Kind::Folder,
            Seen::File(size) => Kind::File { size: *size, hash },
            Seen::Link(target) => Kind::Link {
                target: target.clone(),
            },
            Seen::Withheld { size, what } => Kind::Withheld {
                size: *size,
                what: *what,
            },
        };
        Entry {
            mode: self.mode,
            mtime: self.mtime,
            kind,
        }
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == Seen::Folder
    }
}

/// A node that is to be made. Mode and time are the file system's own where they are not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum New {
    /// A regular file.
    File {
        /// Its content.
        bytes: Arc<[u8]>,
        /// Permissions.
        mode: Option<u16>,
        /// Time of change.
        mtime: Option<i64>,
    },
    /// A link.
    Link {
        /// Where it points.
        target: Box<[u8]>,
        /// Time of change.
        mtime: Option<i64>,
    },
    /// A folder.
    Folder {
        /// Permissions.
        mode: u16,
    },
    /// A node without its content.
    Withheld {
        /// Its length.
        size: u64,
        /// As in [`Kind::Withheld`].
        what: u8,
        /// Permissions.
        mode: u16,
        /// Time of change.
        mtime: i64,
    },
}

/// A file system beneath one folder. No link is followed on any way; what lies behind one is not there.
pub trait Disk {
    /// What is at `path`; None where nothing is, or where a folder on the way is none.
    ///
    /// # Errors
    /// The file system's.
    fn look(&mut self, path: &RelPath) -> io::Result<Option<Look>>;

    /// The content of the regular file at `path`.
    ///
    /// # Errors
    /// The file system's; `NotFound` also where it is no regular file any more.
    fn read(&mut self, path: &RelPath) -> io::Result<Vec<u8>>;

    /// The names in the folder `path`, in the file system's order.
    ///
    /// # Errors
    /// The file system's; `NotFound` also where it is no folder any more.
    fn list(&mut self, path: &RelPath) -> io::Result<Vec<Name>>;

    /// Makes `new` at `path`, in place of a file or link that is there: whole, or not at all.
    ///
    /// # Errors
    /// The file system's; a folder is never replaced.
    fn put(&mut self, path: &RelPath, new: &New) -> io::Result<()>;

    /// As [`Disk::put`] (or, for None, takes away a file, a link or an empty folder), if what is there is still what was
    /// seen. False: it is not, and nothing has been done.
    ///
    /// # Errors
    /// The file system's; then nothing has been done.
    fn swap(&mut self, path: &RelPath, seen: Option<&Look>, new: Option<&New>) -> io::Result<bool>;

    /// Sets mode or time of what is at `path`; a link's mode is nobody's business.
    ///
    /// # Errors
    /// The file system's.
    fn set(&mut self, path: &RelPath, mode: Option<u16>, mtime: Option<i64>) -> io::Result<()>;

    /// Takes away a file, a link or an empty folder.
    ///
    /// # Errors
    /// The file system's.
    fn remove(&mut self, path: &RelPath) -> io::Result<()>;

    /// Moves what is at `from` to `to`, where nothing is.
    ///
    /// # Errors
    /// The file system's.
    fn rename(&mut self, from: &RelPath, to: &RelPath) -> io::Result<()>;
}

/// Takes away what is at `path`, and all below it.
///
/// # Errors
/// The file system's.
pub fn remove_all(disk: &mut impl Disk, path: &RelPath) -> io::Result<()> {
    match disk.look(path)? {
        None => return Ok(()),
        Some(look) if look.is_folder() => {
            for name in disk.list(path)? {
                if let Ok(child) = path.join(&name) {
                    remove_all(disk, &child)?;
                }
            }
        }
        Some(_) => {}
    }
    disk.remove(path)
}

/// What must survive a process that is killed: entries, in order.
pub trait Log {
    /// All entries. A last one that was cut off is not there.
    ///
    /// # Errors
    /// The file system's.
    fn entries(&mut self) -> io::Result<Vec<Vec<u8>>>;

    /// Adds one, and waits until it is on the disk.
    ///
    /// # Errors
    /// The file system's; then it is not there. Only who is killed in between does not know.
    fn append(&mut self, entry: &[u8]) -> io::Result<()>;

    /// Replaces all, at once.
    ///
    /// # Errors
    /// The file system's; then the old ones are there.
    fn replace(&mut self, entries: &[Vec<u8>]) -> io::Result<()>;
}
