//! The prefix cache block by block, as plainly as it can be said: what `RunCache` must equal.

use std::collections::{HashMap, VecDeque};

use curserve_sched::content::{NodeId, Path};
use curserve_sched::{Hit, Kv};

/// What a block says: the node of its last token, and its place in the sequence.
type Hash = (NodeId, u32);

#[derive(Clone, Debug, Default)]
struct Block {
    refs: u32,
    hash: Option<Hash>,
}

#[derive(Debug)]
pub struct BlockCache {
    block_tokens: u32,
    caching: bool,
    blocks: Vec<Block>,
    free: VecDeque<usize>,
    found: HashMap<Hash, Vec<usize>>,
    evicted: u64,
}

#[derive(Debug, Default)]
pub struct Blocks {
    held: Vec<usize>,
    hashed: usize,
}

impl BlockCache {
    fn hashes(&self, path: &Path, blocks: u32) -> Vec<Hash> {
        let node = |block: u32| {
            let last = (block + 1) * self.block_tokens - 1;
            path.steps()
                .iter()
                .find(|step| last < step.end)
                .map(|step| step.node)
        };
        (0..blocks)
            .map_while(|block| Some((node(block)?, block)))
            .collect()
    }

    fn first_copies(&self, path: &Path, blocks: u32) -> Vec<usize> {
        let copy = |hash| self.found.get(&hash).map(|copies| copies[0]);
        self.hashes(path, blocks)
            .into_iter()
            .map_while(copy)
            .collect()
    }
}

impl Kv for BlockCache {
    type Holding = Blocks;

    fn new(blocks: u32, block_tokens: u32, caching: bool) -> Self {
        Self {
            block_tokens,
            caching,
            blocks: vec![Block::default(); blocks as usize],
            free: (0..blocks as usize).collect(),
            found: HashMap::new(),
            evicted: 0,
        }
    }

    fn free(&self) -> u32 {
        self.free.len() as u32
    }

    fn idle(&self) -> u32 {
        self.free
            .iter()
            .filter(|&&block| self.blocks[block].hash.is_some())
            .count() as u32
    }

    fn evicted(&self) -> u64 {
        self.evicted
    }

    fn held(holding: &Blocks) -> u32 {
        holding.held.len() as u32
    }

    fn hit(&self, path: &Path, tokens: u32) -> Hit {
        let copies = self.first_copies(path, tokens / self.block_tokens);
        let idle = copies
            .iter()
            .filter(|&&block| self.blocks[block].refs == 0)
            .count();
        Hit {
            blocks: copies.len() as u32,
            idle: idle as u32,
        }
    }

    fn take(&mut self, holding: &mut Blocks, path: &Path, blocks: u32) {
        holding.held = self.first_copies(path, blocks);
        holding.hashed = holding.held.len();
        for &block in &holding.held {
            self.blocks[block].refs += 1;
            self.free.retain(|&other| other != block);
        }
    }

    fn grow(&mut self, holding: &mut Blocks, blocks: u32) {
        for _ in 0..blocks {
            let block = self
                .free
                .pop_front()
                .expect("there must be as many free blocks");
            if let Some(hash) = self.blocks[block].hash.take() {
                self.evicted += 1;
                let copies = self.found.get_mut(&hash).expect("a hashed block is found");
                copies.retain(|&other| other != block);
                if copies.is_empty() {
                    self.found.remove(&hash);
                }
            }
            self.blocks[block].refs = 1;
            holding.held.push(block);
        }
    }

    fn publish(&mut self, holding: &mut Blocks, path: &Path, blocks: u32) {
        if !self.caching {
            return;
        }
        let hashes = self.hashes(path, blocks);
        while holding.hashed < hashes.len() {
            let (block, hash) = (holding.held[holding.hashed], hashes[holding.hashed]);
            self.blocks[block].hash = Some(hash);
            self.found.entry(hash).or_default().push(block);
            holding.hashed += 1;
        }
    }

    fn release(&mut self, holding: &mut Blocks) {
        for block in std::mem::take(holding).held.into_iter().rev() {
            let state = &mut self.blocks[block];
            state.refs -= 1;
            match (state.refs, state.hash) {
                (0, None) => self.free.push_front(block),
                (0, Some(_)) => self.free.push_back(block),
                _ => (),
            }
        }
    }
}
