//! Where the threads of one run gather what they print: memory of the call, as much as it has left for them.

use std::io;

use crate::memory::Pool;

/// What one thread prints of one file.
#[derive(Debug)]
pub(super) struct Room {
    bytes: Vec<u8>,
    pool: Pool,
}

impl Room {
    pub(super) fn new(pool: &Pool) -> Room {
        Room {
            bytes: Vec::new(),
            pool: pool.clone(),
        }
    }

    /// Makes room for so many bytes more; false where there is none.
    #[inline]
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let needed = self.bytes.len() + bytes;
        needed <= self.bytes.capacity() || self.grow(needed)
    }

    /// What has been printed, to which no more is appended than there is room for.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The memory of one file is taken from the pool as it grows, and what is printed stays taken.
    fn grow(&mut self, needed: usize) -> bool {
        let capacity = needed.max(2 * self.bytes.capacity()).max(256);
        let taken = self.pool.take(capacity - self.bytes.capacity());
        if taken {
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        taken
    }

    /// What has been printed; the room keeps as much memory as it had.
    pub(super) fn copy_out(&mut self) -> Option<Vec<u8>> {
        if !self.pool.take(self.bytes.len()) {
            return None;
        }
        let out = self.bytes.clone();
        self.bytes.clear();
        Some(out)
    }

    /// What has been printed.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}

impl io::Write for Room {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.has_room(bytes.len()) {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
