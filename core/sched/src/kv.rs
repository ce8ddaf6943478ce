//! What the scheduler asks of a KV cache.

use crate::content::Path;

/// The longest beginning of a sequence that the cache holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Hit {
    /// Whole blocks.
    pub blocks: u32,
    /// Those of them that nobody holds: taking them takes free blocks.
    pub idle: u32,
}

/// Blocks of KV memory, some held by requests, the others free and, if hashed, still of use.
pub trait Kv {
    /// What one request holds. A new one holds nothing.
    type Holding: Default;

    /// A pool of `blocks` free blocks of `block_tokens` each; without `caching` nothing is ever found again.
    fn new(blocks: u32, block_tokens: u32, caching: bool) -> Self;

    /// Blocks that could be allocated.
    fn free(&self) -> u32;

    /// Those of them that can still be found.
    fn idle(&self) -> u32;

    /// Hashed blocks that were given to somebody else, so far.
    fn evicted(&self) -> u64;

    /// Blocks in `holding`.
    fn held(holding: &Self::Holding) -> u32;

    /// Find the longest beginning of `path` within its first `tokens`, in whole blocks.
    fn hit(&self, path: &Path, tokens: u32) -> Hit;

    /// Let an empty `holding` begin with the first `blocks` of `path`, which [`Kv::hit`] found.
    fn take(&mut self, holding: &mut Self::Holding, path: &Path, blocks: u32);

    /// Add `blocks` free blocks to `holding`; there must be as many.
    fn grow(&mut self, holding: &mut Self::Holding, blocks: u32);

    /// Let others find the first `blocks` of `holding`, whose tokens are those of `path`.
    fn publish(&mut self, holding: &mut Self::Holding, path: &Path, blocks: u32);

    /// Let go of everything in `holding`.
    fn release(&mut self, holding: &mut Self::Holding);
}
