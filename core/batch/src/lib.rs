//! A model server under load, in real time: continuous batching as vLLM does it, without a model.
//!
//! [`curserve_sched`] says who computes how many tokens in a step, a [`StepTime`] how long that takes; a thread lets the
//! time pass, and writes each token to its client's socket when the step that samples it is over ([`Server`]). So a server
//! gets slow as a real one does: with the requests that decode, with the prompts that are computed beside them, with the KV
//! memory that is full. `simulate` runs the same scheduler on an event heap instead.
//!
//! ```
//! use std::io::Read;
//! use std::os::fd::OwnedFd;
//! use std::os::unix::net::UnixStream;
//!
//! use curserve_batch::{Asked, Server};
//! use curserve_sched::{Config, StepTime};
//!
//! let step = StepTime { base_ps: 1_000_000_000, ..StepTime::default() };
//! let server = Server::new(Config::new(1000), step).unwrap();
//! let (ours, mut theirs) = UnixStream::pair().unwrap();
//! let asked = Asked {
//!     fd: OwnedFd::from(ours),
//!     lead: Vec::new(),
//!     data: b"onetwothree".to_vec(),
//!     cuts: vec![3, 6, 11],
//!     tokens: 3,
//!     prompt_tokens: 100,
//!     stream: 1,
//!     session: false,
//! };
//! let served = server.write(asked).unwrap();
//! assert!(served.error.is_none());
//! assert!(served.last_due_ns >= served.first_due_ns + 2_000_000);
//! let mut text = [0; 11];
//! theirs.read_exact(&mut text).unwrap();
//! assert_eq!(&text, b"onetwothree");
//! ```

mod asked;
mod driver;
mod output;
mod server;

pub use asked::{Asked, Served, Tick};
pub use server::Server;

#[doc(no_inline)]
pub use curserve_sched::StepTime;
