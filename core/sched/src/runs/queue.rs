//! Free extents in the order of their eviction.

use super::extents::{ExtentId, Extents, NONE};

/// The ends of a list whose links are in the extents. The first is evicted first, its last block before its first.
#[derive(Debug)]
pub struct Queue {
    first: ExtentId,
    last: ExtentId,
    /// Blocks of all extents in it.
    pub blocks: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            blocks: 0,
        }
    }
}

impl Queue {
    /// The extent to evict from.
    pub fn first(&self) -> Option<ExtentId> {
        (self.first != NONE).then_some(self.first)
    }

    /// The extent that was freed last.
    pub fn last(&self) -> Option<ExtentId> {
        (self.last != NONE).then_some(self.last)
    }

    /// Put an extent at the end.
    pub fn push(&mut self, id: ExtentId, extents: &mut Extents) {
        let last = self.last;
        let extent = extents.get_mut(id);
        (extent.before, extent.after) = (last, NONE);
        self.blocks += extent.blocks();
        self.last = id;
        match last {
            NONE => self.first = id,
            last => extents.get_mut(last).after = id,
        }
    }

    /// Put `id`, which was just split from the end of `of`, before it: its blocks are counted already.
    pub fn put_before(&mut self, id: ExtentId, of: ExtentId, extents: &mut Extents) {
        let before = extents.get(of).before;
        extents.get_mut(of).before = id;
        let extent = extents.get_mut(id);
        (extent.before, extent.after) = (before, of);
        match before {
            NONE => self.first = id,
            before => extents.get_mut(before).after = id,
        }
    }

    /// Take an extent out.
    pub fn remove(&mut self, id: ExtentId, extents: &mut Extents) {
        let extent = extents.get_mut(id);
        let (before, after) = (extent.before, extent.after);
        (extent.before, extent.after) = (NONE, NONE);
        self.blocks -= extent.blocks();
        match before {
            NONE => self.first = after,
            before => extents.get_mut(before).after = after,
        }
        match after {
            NONE => self.last = before,
            after => extents.get_mut(after).before = before,
        }
    }
}
