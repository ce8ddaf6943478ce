//! A vector that is cheap to copy after a small change, however long it is: chunks, and groups of chunks, are shared until one of
//! them is written.

use std::sync::Arc;

/// Values of a chunk, and chunks of a group.
const MANY: usize = 128;

type Chunk<T> = Arc<Vec<T>>;
type Group<T> = Arc<Vec<Chunk<T>>>;

/// Grows at the end; a clone shares everything, and a write copies one chunk and its group at most.
#[derive(Clone, Debug)]
pub(crate) struct Arena<T> {
    groups: Arc<Vec<Group<T>>>,
    len: usize,
}

impl<T: Clone> Arena<T> {
    pub(crate) fn new() -> Self {
        Arena {
            groups: Arc::new(Vec::new()),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, at: u32) -> &T {
        let at = at as usize;
        &self.groups[at / (MANY * MANY)][at / MANY % MANY][at % MANY]
    }

    pub(crate) fn get_mut(&mut self, at: u32) -> &mut T {
        let at = at as usize;
        let group = &mut Arc::make_mut(&mut self.groups)[at / (MANY * MANY)];
        let chunk = &mut Arc::make_mut(group)[at / MANY % MANY];
        &mut Arc::make_mut(chunk)[at % MANY]
    }

    pub(crate) fn set(&mut self, at: u32, value: T) {
        *self.get_mut(at) = value;
    }

    pub(crate) fn push(&mut self, value: T) -> u32 {
        let at = self.len;
        let groups = Arc::make_mut(&mut self.groups);
        if at.is_multiple_of(MANY * MANY) {
            groups.push(Arc::default());
        }
        let group = Arc::make_mut(&mut groups[at / (MANY * MANY)]);
        if at.is_multiple_of(MANY) {
            group.push(Arc::new(Vec::with_capacity(MANY)));
        }
        Arc::make_mut(&mut group[at / MANY % MANY]).push(value);
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
        for i in 0..40_000u32 {
            assert_eq!(arena.push(i), i);
        }
        let before = arena.clone();
        for at in [500, 20_000, 39_999] {
            arena.set(at, 7);
        }
        arena.push(8);
        for at in [500, 20_000, 39_999] {
            assert_eq!((*before.get(at), *arena.get(at)), (at, 7));
        }
        assert_eq!((before.len(), arena.len()), (40_000, 40_001));
        assert_eq!((*arena.get(40_000), *arena.get(39_998)), (8, 39_998));
    }
}
