//! A socket server for the framed protocol, generic over its [`Handler`](curserve_proto::Handler).
//!
//! The worker and the daemon differ only in the handler. Many connections, on each many calls in flight; peers are
//! checked; a client that dies in mid-frame, never reads or sends garbage costs its own connection and nothing else.

mod account;
mod apply;
mod caller;
mod connection;
mod copied;
mod crew;
mod daemon;
mod early;
mod idle;
mod incoming;
mod keep;
mod leaving;
mod listen;
mod lookout;
mod memory;
mod native;
mod programs;
mod seats;
mod server;
mod shared;

pub use copied::Keeper;
pub use daemon::Daemon;
pub use listen::{bind, inherit, SocketFile};
pub use server::serve;
pub use shared::{Limits, Stop};
