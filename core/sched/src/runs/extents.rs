//! Runs of hashed blocks, which share one fate as long as they can.

use crate::content::NodeId;

/// A place in [`Extents`].
pub type ExtentId = u32;

/// No extent.
pub const NONE: u32 = u32::MAX;

/// Blocks `start .. end` of every sequence that goes through `node` so far: one copy of them in memory.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub node: NodeId,
    pub start: u32,
    pub end: u32,
    /// Requests that hold all of it. Free, and in the queue, at 0.
    pub refs: u32,
    /// What was split from its end: who held more than `end` holds that too.
    pub right: ExtentId,
    /// Neighbours in the queue of free extents.
    pub before: ExtentId,
    pub after: ExtentId,
}

impl Extent {
    pub fn new(node: NodeId, start: u32, end: u32, refs: u32) -> Self {
        Self {
            node,
            start,
            end,
            refs,
            right: NONE,
            before: NONE,
            after: NONE,
        }
    }

    pub fn blocks(&self) -> u32 {
        self.end - self.start
    }
}

/// All extents, and for each node those in it, the first published first.
///
/// Two requests that compute the same text side by side each publish a copy. The first one published is the one that
/// is found, until it is evicted.
#[derive(Debug, Default)]
pub struct Extents {
    all: Vec<Extent>,
    vacant: Vec<ExtentId>,
    of: Vec<Vec<ExtentId>>,
}

impl Extents {
    pub fn get(&self, id: ExtentId) -> &Extent {
        &self.all[id as usize]
    }

    pub fn get_mut(&mut self, id: ExtentId) -> &mut Extent {
        &mut self.all[id as usize]
    }

    /// The extents in `node`, the first published first.
    pub fn of(&self, node: NodeId) -> &[ExtentId] {
        self.of.get(node as usize).map_or(&[], Vec::as_slice)
    }

    /// Add an extent, as the last published of its node.
    pub fn add(&mut self, extent: Extent) -> ExtentId {
        let id = self.store(extent);
        let node = extent.node as usize;
        if self.of.len() <= node {
            self.of.resize_with(node + 1, Vec::new);
        }
        self.of[node].push(id);
        id
    }

    /// Cut extent `id` before block `at`; the rest is a new extent, as old and as much held.
    pub fn split(&mut self, id: ExtentId, at: u32) -> ExtentId {
        let whole = *self.get(id);
        debug_assert!(whole.start < at && at < whole.end);
        let rest = self.store(Extent {
            start: at,
            before: NONE,
            after: NONE,
            ..whole
        });
        let left = self.get_mut(id);
        left.end = at;
        left.right = rest;
        let list = &mut self.of[whole.node as usize];
        let place = list
            .iter()
            .position(|&other| other == id)
            .expect("an extent is listed in its node");
        list.insert(place + 1, rest);
        rest
    }

    /// Remove an extent that nobody holds and no queue knows.
    pub fn remove(&mut self, id: ExtentId) {
        let list = &mut self.of[self.all[id as usize].node as usize];
        list.retain(|&other| other != id);
        if list.is_empty() {
            *list = Vec::new();
        }
        self.vacant.push(id);
    }

    fn store(&mut self, extent: Extent) -> ExtentId {
        if let Some(id) = self.vacant.pop() {
            self.all[id as usize] = extent;
            return id;
        }
        self.all.push(extent);
        (self.all.len() - 1) as ExtentId
    }
}
