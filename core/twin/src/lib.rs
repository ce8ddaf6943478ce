//! The two programs of a mirror (docs/MIRROR.md), around the machines of `curserve-mirror`.
//!
//! [`Client`] follows a workspace, says what changes, and runs what must run there. [`Session`] keeps the copy beside the
//! model and answers what a daemon on it answers exactly; all else it sends home. Both speak over any two streams.

mod body;
mod client;
mod facts;
mod line;
mod sealed;
mod server;
mod waits;

pub use client::{Client, Connect, Over, Remote, Report, Reporter, Secrets, Stop};
pub use facts::Facts;
pub use line::Streams;
pub use sealed::seal;
pub use server::Session;
