//! What a replica may do in a step.

/// Who waits before whom, and who is preempted first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Policy {
    /// First come, first served; the last to run is preempted.
    #[default]
    Fcfs,
    /// The smallest priority first, then the earliest arrival; the largest is preempted.
    Priority,
}

/// A replica's limits. The names are those of vLLM's options, as far as there is one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// Blocks of KV memory that requests can hold: `num_gpu_blocks` less the one that vLLM keeps for itself.
    pub blocks: u32,
    /// Tokens a block.
    pub block_size: u32,
    /// Whether blocks are found again by their text.
    pub enable_prefix_caching: bool,
    /// Tokens a step.
    pub max_num_scheduled_tokens: u32,
    /// Requests that run; sessions that wait for input count (`max_num_active_seqs`, by default `max_num_seqs`).
    pub max_num_seqs: u32,
    /// Tokens a sequence; a reply ends there.
    pub max_model_len: u32,
    /// Whether a prompt may be computed in several steps.
    pub enable_chunked_prefill: bool,
    /// Whether a request is admitted only if blocks for all that it has to compute are free.
    pub scheduler_reserve_full_isl: bool,
    /// Blocks that admission leaves free while others run: the option `watermark` times `num_gpu_blocks`.
    pub watermark_blocks: u32,
    /// Tokens a step of one request, if there are others; 0: any number.
    pub long_prefill_token_threshold: u32,
    /// Raise that threshold to a fair share of `max_num_batched_tokens`, which this is; 0: leave it.
    pub fair_share_of: u32,
    /// Who is first.
    pub policy: Policy,
    /// Plan a step before the one before it has said what it sampled.
    pub async_scheduling: bool,
}

impl Config {
    /// vLLM's defaults for an API server on an H100 or H200, with `blocks` of KV memory, for a model of 131,072 tokens.
    pub fn new(blocks: u32) -> Self {
        Self {
            blocks,
            block_size: 16,
            enable_prefix_caching: true,
            max_num_scheduled_tokens: 8192,
            max_num_seqs: 1024,
            max_model_len: 131_072,
            enable_chunked_prefill: true,
            scheduler_reserve_full_isl: true,
            watermark_blocks: 0,
            long_prefill_token_threshold: 0,
            fair_share_of: 0,
            policy: Policy::Fcfs,
            async_scheduling: true,
        }
    }

    /// Blocks that hold `tokens`.
    pub fn blocks_of(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.block_size)
    }

    /// The most tokens of one request in a step, given how many requests there are.
    pub(crate) fn chunk(&self, requests: usize) -> u32 {
        if self.long_prefill_token_threshold == 0 || requests <= 1 {
            return u32::MAX;
        }
        self.long_prefill_token_threshold
            .max(self.fair_share_of / requests as u32)
    }
}
