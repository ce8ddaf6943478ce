//! What is known of a node: what a listing shows of it, and its content by hash.

use std::fmt;

/// blake3 of a content, or of a folder's entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Hash(*blake3::hash(bytes).as_bytes())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// What kind of node it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A regular file whose content is mirrored.
    File {
        /// Its length in bytes.
        size: u64,
        /// Its content.
        hash: Hash,
    },
    /// A symbolic link, which nobody here follows.
    Link {
        /// Where it points.
        target: Box<[u8]>,
    },
    /// A node that is there and whose content is not mirrored: ignored, secret, or of a kind without one.
    Withheld {
        /// Its length in bytes.
        size: u64,
        /// `f` a regular file, `p` a FIFO, `s` a socket, `c` and `b` devices.
        what: u8,
    },
}

/// A node, as its folder lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Permissions, the lowest twelve bits.
    pub mode: u16,
    /// When the content last changed: ns since 1970.
    pub mtime: i64,
    /// The kind, and what goes with it.
    pub kind: Kind,
}

impl Entry {
    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.kind == Kind::Folder
    }

    /// The hash of the content, of a regular file that is mirrored.
    pub fn content(&self) -> Option<Hash> {
        match self.kind {
            Kind::File { hash, .. } => Some(hash),
            _ => None,
        }
    }
}
