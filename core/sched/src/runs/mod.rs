//! A prefix cache that moves runs of blocks, and gives the very answers of one that moves blocks.
//!
//! A session's blocks are taken, released and evicted together, from the deepest up. So what lies free is a queue of
//! [`Extent`]s, and a turn costs as many steps as the sequence has extents: one, as long as nobody shares a part of
//! it. Extents are cut where sharing begins or ends, and joined when they are freed side by side.

mod extents;
mod queue;

use crate::content::{NodeId, Path, Step};
use crate::kv::{Hit, Kv};
use extents::{Extent, ExtentId, Extents};
use queue::Queue;

/// The part of an extent that a request holds: blocks `start .. end`, in `extent` and what was split from it.
#[derive(Clone, Copy, Debug)]
struct Span {
    extent: ExtentId,
    end: u32,
}

/// What a request holds: hashed blocks from the first on, then blocks that nobody can find.
#[derive(Debug, Default)]
pub struct Holding {
    spans: Vec<Span>,
    unhashed: u32,
}

impl Holding {
    fn hashed(&self) -> u32 {
        self.spans.last().map_or(0, |span| span.end)
    }
}

/// The prefix cache of a replica.
#[derive(Debug)]
pub struct RunCache {
    block_tokens: u32,
    caching: bool,
    /// Free blocks that hold nothing: used before any other.
    empty: u32,
    /// Free blocks that can be found.
    idle: Queue,
    extents: Extents,
    evicted: u64,
}

impl RunCache {
    /// The blocks whose last token lies in `step`.
    fn blocks_in(&self, step: &Step) -> std::ops::Range<u32> {
        step.start / self.block_tokens..step.end / self.block_tokens
    }

    /// The copy of block `at` of `node` that is found, and where it stops being the one: the first published wins.
    fn copy_at(&self, node: NodeId, at: u32) -> Option<(ExtentId, u32)> {
        let mut until = u32::MAX;
        for &id in self.extents.of(node) {
            let extent = self.extents.get(id);
            if extent.start <= at && at < extent.end {
                return Some((id, extent.end.min(until)));
            }
            if extent.start > at {
                until = until.min(extent.start);
            }
        }
        None
    }

    /// Cut an extent, in the queue too if it lies there.
    fn cut(&mut self, id: ExtentId, at: u32) -> ExtentId {
        let rest = self.extents.split(id, at);
        if self.extents.get(id).refs == 0 {
            self.idle.put_before(rest, id, &mut self.extents);
        }
        rest
    }

    /// Hold blocks `start .. end` of an extent once more.
    fn hold(&mut self, mut id: ExtentId, start: u32, end: u32) -> ExtentId {
        if self.extents.get(id).start < start {
            id = self.cut(id, start);
        }
        if self.extents.get(id).end > end {
            self.cut(id, end);
        }
        if self.extents.get(id).refs == 0 {
            self.idle.remove(id, &mut self.extents);
        }
        self.extents.get_mut(id).refs += 1;
        id
    }

    /// Whether the holder of `last` alone may let it grow: it is the node's newest copy of all that follows.
    fn may_grow(&self, last: &Span, node: NodeId) -> bool {
        let extent = self.extents.get(last.extent);
        extent.node == node
            && extent.refs == 1
            && extent.end == last.end
            && self
                .extents
                .of(node)
                .iter()
                .all(|&id| self.extents.get(id).end <= last.end)
    }

    /// Let go of one extent; join it to the one freed before it if that went on where it ends.
    fn let_go(&mut self, id: ExtentId) {
        let extent = self.extents.get_mut(id);
        extent.refs -= 1;
        if extent.refs > 0 {
            return;
        }
        let (node, end) = (extent.node, extent.end);
        if let Some(last) = self.idle.last() {
            let other = *self.extents.get(last);
            if other.node == node && other.start == end && self.extents.of(node).len() == 2 {
                self.idle.remove(last, &mut self.extents);
                self.extents.remove(last);
                self.extents.get_mut(id).end = other.end;
            }
        }
        self.idle.push(id, &mut self.extents);
    }
}

impl Kv for RunCache {
    type Holding = Holding;

    fn new(blocks: u32, block_tokens: u32, caching: bool) -> Self {
        let (idle, extents) = (Queue::default(), Extents::default());
        Self {
            block_tokens,
            caching,
            empty: blocks,
            idle,
            extents,
            evicted: 0,
        }
    }

    fn free(&self) -> u32 {
        self.empty + self.idle.blocks
    }

    fn idle(&self) -> u32 {
        self.idle.blocks
    }

    fn evicted(&self) -> u64 {
        self.evicted
    }

    fn held(holding: &Holding) -> u32 {
        holding.hashed() + holding.unhashed
    }

    fn hit(&self, path: &Path, tokens: u32) -> Hit {
        let mut hit = Hit::default();
        let limit = tokens / self.block_tokens;
        for step in path.steps() {
            let blocks = self.blocks_in(step);
            while hit.blocks < blocks.end.min(limit) {
                let Some((id, until)) = self.copy_at(step.node, hit.blocks) else {
                    return hit;
                };
                let until = until.min(blocks.end).min(limit);
                if self.extents.get(id).refs == 0 {
                    hit.idle += until - hit.blocks;
                }
                hit.blocks = until;
            }
        }
        hit
    }

    fn take(&mut self, holding: &mut Holding, path: &Path, blocks: u32) {
        debug_assert!(Self::held(holding) == 0, "only an empty holding takes");
        let mut at = 0;
        for step in path.steps() {
            let end = self.blocks_in(step).end.min(blocks);
            while at < end {
                let (id, until) = self
                    .copy_at(step.node, at)
                    .expect("only what was found is taken");
                let until = until.min(end);
                let extent = self.hold(id, at, until);
                holding.spans.push(Span { extent, end: until });
                at = until;
            }
        }
    }

    fn grow(&mut self, holding: &mut Holding, blocks: u32) {
        debug_assert!(blocks <= self.free(), "there must be as many free blocks");
        holding.unhashed += blocks;
        let empty = blocks.min(self.empty);
        self.empty -= empty;
        let mut wanted = blocks - empty;
        while wanted > 0 {
            let id = self
                .idle
                .first()
                .expect("the count of free blocks is right");
            let extent = self.extents.get_mut(id);
            let taken = wanted.min(extent.blocks());
            wanted -= taken;
            self.evicted += u64::from(taken);
            if taken == extent.blocks() {
                self.idle.remove(id, &mut self.extents);
                self.extents.remove(id);
            } else {
                extent.end -= taken;
                self.idle.blocks -= taken;
            }
        }
    }

    fn publish(&mut self, holding: &mut Holding, path: &Path, blocks: u32) {
        if !self.caching {
            return;
        }
        for step in path.steps() {
            let (start, end) = (holding.hashed(), self.blocks_in(step).end.min(blocks));
            if start >= end {
                continue;
            }
            holding.unhashed -= end - start;
            match holding.spans.last_mut() {
                Some(last) if self.may_grow(last, step.node) => {
                    self.extents.get_mut(last.extent).end = end;
                    last.end = end;
                }
                _ => {
                    let extent = self.extents.add(Extent::new(step.node, start, end, 1));
                    holding.spans.push(Span { extent, end });
                }
            }
        }
    }

    fn release(&mut self, holding: &mut Holding) {
        self.empty += std::mem::take(&mut holding.unhashed);
        for span in std::mem::take(&mut holding.spans).into_iter().rev() {
            let mut pieces = vec![span.extent];
            let mut last = *self.extents.get(span.extent);
            while last.end < span.end {
                pieces.push(last.right);
                last = *self.extents.get(last.right);
            }
            pieces
                .into_iter()
                .rev()
                .for_each(|piece| self.let_go(piece));
        }
    }
}
