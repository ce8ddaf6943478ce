//! A vector that is cheap to copy after a small change: chunks are shared until one of them is written.

use std::sync::Arc;

const CHUNK: usize = 128;

/// Grows at the end; a clone shares all chunks, and a write copies one chunk at most.
#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    chunks: Arc<Vec<Arc<Vec<T>>>>,
    len: usize,
}

impl<T: Clone> Arena<T> {
    pub(crate) fn new() -> Self {
        Arena {
            chunks: Arc::new(Vec::new()),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, at: u32) -> &T {
        &self.chunks[at as usize / CHUNK][at as usize % CHUNK]
    }

    pub(crate) fn set(&mut self, at: u32, value: T) {
        let chunks = Arc::make_mut(&mut self.chunks);
        Arc::make_mut(&mut chunks[at as usize / CHUNK])[at as usize % CHUNK] = value;
    }

    pub(crate) fn push(&mut self, value: T) -> u32 {
        let at = self.len;
        let chunks = Arc::make_mut(&mut self.chunks);
        if at.is_multiple_of(CHUNK) {
            chunks.push(Arc::new(Vec::with_capacity(CHUNK)));
        }
        Arc::make_mut(&mut chunks[at / CHUNK]).push(value);
        self.len += 1;
        at as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut arena = Arena::new();
        for i in 0..1000u32 {
            assert_eq!(arena.push(i), i);
        }
        let before = arena.clone();
        arena.set(500, 7);
        arena.push(8);
        assert_eq!((*before.get(500), before.len()), (500, 1000));
        assert_eq!(
            (*arena.get(500), *arena.get(1000), arena.len()),
            (7, 8, 1001)
        );
    }
}
