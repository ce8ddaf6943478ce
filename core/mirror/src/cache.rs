//! Old contents: what deltas are made against, and merges.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::entry::Hash;

/// Contents by hash, the oldest forgotten first.
#[derive(Debug)]
pub(crate) struct Cache {
    most: usize,
    held: usize,
    contents: HashMap<Hash, Arc<[u8]>>,
    order: VecDeque<Hash>,
}

impl Cache {
    /// A cache of at most `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        Cache {
            most,
            held: 0,
            contents: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    pub(crate) fn get(&self, hash: &Hash) -> Option<Arc<[u8]>> {
        self.contents.get(hash).cloned()
    }

    /// Keeps a content, unless it would take more than an eighth of the room.
    pub(crate) fn put(&mut self, hash: Hash, bytes: &Arc<[u8]>) {
        if bytes.len() > self.most / 8 || self.contents.contains_key(&hash) {
            return;
        }
        self.held += bytes.len();
        self.contents.insert(hash, bytes.clone());
        self.order.push_back(hash);
        while self.held > self.most {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.held -= self.contents.remove(&oldest).map_or(0, |old| old.len());
        }
    }
}
