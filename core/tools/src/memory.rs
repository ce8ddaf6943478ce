//! What a call may hold in memory: counted where its input decides how much that is.
//!
//! Every buffer that grows with values, streams or words is taken from one budget, in the steps in which it grows; so
//! the count costs a call nothing that it could measure. What a tool holds that is bounded otherwise (by a pattern's size,
//! by the folder's) is not counted.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use crate::Refusal;

/// The bytes that one call may still take. Clones share them.
#[derive(Clone, Debug)]
pub struct Memory(Rc<Cell<usize>>);

/// What a call may take where nobody says otherwise.
pub const CALL: usize = 512 << 20;

impl Default for Memory {
    fn default() -> Self {
        Memory::new(CALL)
    }
}

impl Memory {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Memory(Rc::new(Cell::new(bytes)))
    }

    /// So many bytes are left.
    pub fn left(&self) -> usize {
        self.0.get()
    }

    /// Takes so many bytes for the rest of the call, or until they are given back.
    ///
    /// # Errors
    /// Where so many are not left.
    pub fn take(&self, bytes: usize) -> Result<(), Refusal> {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.ok_or_else(spent)?);
        Ok(())
    }

    /// Gives back what was taken.
    pub fn give(&self, bytes: usize) {
        self.0.set(self.0.get() + bytes);
    }

    /// Takes so many bytes until what this returns is dropped.
    ///
    /// # Errors
    /// Where so many are not left.
    pub fn hold(&self, bytes: usize) -> Result<Held, Refusal> {
        self.take(bytes)?;
        Ok(Held {
            memory: self.clone(),
            bytes,
        })
    }
}

/// Bytes that are given back when this is dropped.
#[derive(Debug)]
pub struct Held {
    memory: Memory,
    bytes: usize,
}

impl Held {
    /// Takes more.
    ///
    /// # Errors
    /// Where so many are not left.
    pub fn more(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.memory.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.give(self.bytes);
    }
}

/// The bytes that all threads together may still take; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<AtomicUsize>);

impl Pool {
    /// So many bytes.
    pub(crate) fn new(bytes: usize) -> Pool {
        Pool(Arc::new(AtomicUsize::new(bytes)))
    }

    /// So many bytes again, between two batches.
    pub(crate) fn refill(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    /// Whether more was asked for than there is.
    pub(crate) fn is_spent(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Takes so many bytes, for good; once that fails, nothing is left.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let less = |left: usize| Some(left.saturating_sub(bytes));
        let left = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        left.is_ok_and(|left| left > bytes)
    }
}

/// Why a call is refused whose budget is spent.
pub(crate) fn spent() -> Refusal {
    Refusal::TooLarge("more memory than a call may take".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_back_and_no_more_is_taken_than_there_is() {
        let memory = Memory::new(10);
        let mut held = memory.hold(6).unwrap();
        assert!(memory.take(5).is_err());
        held.more(4).unwrap();
        assert!(held.more(1).is_err());
        assert_eq!(memory.left(), 0);
        drop(held);
        assert_eq!(memory.left(), 10);
    }
}
