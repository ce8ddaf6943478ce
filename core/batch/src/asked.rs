//! What is asked of the server, what came of it, and what it did in a step.

use std::io;
use std::os::fd::OwnedFd;

/// One turn: its prompt by length and place, its reply as the bytes that are to be written.
#[derive(Debug)]
pub struct Asked {
    /// The client's socket; a duplicate that the server owns.
    pub fd: OwnedFd,
    /// Bytes written at once.
    pub lead: Vec<u8>,
    /// The bytes of the reply.
    pub data: Vec<u8>,
    /// Where each token ends in `data`; if there are not as many as tokens, all is written with the last one.
    pub cuts: Vec<usize>,
    /// Tokens of the reply.
    pub tokens: u32,
    /// Tokens of the whole prompt, what a cache may hold included.
    pub prompt_tokens: u32,
    /// Which conversation it is: a prompt goes on from the one before it, unless it is shorter than that and its reply.
    pub stream: u64,
    /// Whether the conversation keeps its KV blocks until its next turn, and goes before those that do not.
    pub session: bool,
}

/// What became of a turn; times are CLOCK_MONOTONIC nanoseconds.
#[derive(Debug, Default)]
pub struct Served {
    /// When the write of each token began.
    pub starts: Vec<u64>,
    /// When the last write had returned.
    pub done_ns: u64,
    /// When the first token was due: the end of its step, as the step time has it.
    pub first_due_ns: u64,
    /// When the last token was due.
    pub last_due_ns: u64,
    /// From when it was asked for to the first step that computes a part of it.
    pub queued_ns: u64,
    /// Tokens of the prompt that were there already.
    pub cached_tokens: u64,
    /// Tokens of the prompt that were computed; after a preemption again.
    pub computed_tokens: u64,
    /// How often it lost its blocks.
    pub preemptions: u32,
    /// Bytes that the kernel took, the lead included.
    pub bytes: usize,
    /// Why not all was written.
    pub error: Option<io::Error>,
}

/// One step of the server.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tick {
    /// When it began.
    pub begin_ns: u64,
    /// How long it takes.
    pub step_ns: u64,
    /// Requests that run.
    pub running: u32,
    /// Requests that wait, sessions between turns not included.
    pub waiting: u32,
    /// Sessions between turns that keep their blocks.
    pub paused: u32,
    /// Tokens of prompts in it.
    pub prefill_tokens: u64,
    /// Requests that decode in it.
    pub decodes: u64,
    /// Tokens whose KV those read.
    pub kv_tokens: u64,
    /// Blocks that somebody holds, sessions between turns included.
    pub held_blocks: u32,
    /// Blocks that sessions between turns hold.
    pub paused_blocks: u32,
    /// Blocks that nobody holds and the cache still finds.
    pub idle_blocks: u32,
    /// Hashed blocks that were given to somebody else.
    pub evicted: u64,
    /// Requests that lost their blocks.
    pub preempted: u32,
    /// Tokens that admitted requests found in the cache.
    pub hit_tokens: u64,
}
