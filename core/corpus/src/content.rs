//! Contents: byte slices of large shared buffers, with the facts about them that every search asks for.

use std::ops::Deref;
use std::sync::Arc;

/// A file's bytes: a cheap shared slice that stays valid and unchanged whatever happens to the file.
#[derive(Clone, Debug)]
pub struct Content {
    buffer: Arc<Vec<u8>>,
    start: usize,
    len: usize,
    facts: Facts,
}

/// What is known of a content before anybody searches it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// A NUL byte occurs.
    pub has_nul: bool,
    /// All of it is valid UTF-8.
    pub is_utf8: bool,
    /// All of it is ASCII.
    pub is_ascii: bool,
    /// It begins with a byte-order mark of UTF-8 or UTF-16.
    pub has_bom: bool,
}

impl Facts {
    /// Reads the facts off `bytes`.
    pub fn of(bytes: &[u8]) -> Facts {
        let is_ascii = bytes.is_ascii();
        Facts {
            has_nul: memchr::memchr(0, bytes).is_some(),
            is_utf8: is_ascii || std::str::from_utf8(bytes).is_ok(),
            is_ascii,
            has_bom: [&b"\xEF\xBB\xBF"[..], b"\xFF\xFE", b"\xFE\xFF"]
                .iter()
                .any(|mark| bytes.starts_with(mark)),
        }
    }
}

impl Content {
    /// The bytes `start..start + len` of `buffer`.
    pub(crate) fn slice(buffer: Arc<Vec<u8>>, start: usize, len: usize) -> Content {
        let facts = Facts::of(&buffer[start..start + len]);
        Content {
            buffer,
            start,
            len,
            facts,
        }
    }

    /// All of `bytes`, in a buffer of its own.
    pub fn owned(mut bytes: Vec<u8>) -> Content {
        bytes.shrink_to_fit();
        let len = bytes.len();
        Content::slice(Arc::new(bytes), 0, len)
    }

    /// What is known of these bytes.
    pub fn facts(&self) -> Facts {
        self.facts
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer[self.start..self.start + self.len]
    }
}
