//! A packet queue that delays, paces and drops between two hosts, and a byte relay for kernels with neither.
//!
//! A tour: [`Shape`] declares what one direction does; [`shape::Shaper`] turns a packet's arrival into a departure or
//! a loss (pure, seeded); [`held::Held`] keeps packets until they are due; [`wire`] are the two ways packets come in
//! and go out (AF_PACKET rings); [`queue::Queue`] joins two wires with a thread per direction; [`relay`] delays
//! bytes where no namespace can be made. [`enter`] is the small
//! program that starts a process inside a host's namespaces; [`probe`] measures round trips between the hosts.
#![deny(missing_docs)]

pub mod clock;
pub mod command;
pub mod enter;
pub mod held;
pub mod probe;
pub mod queue;
pub mod relay;
pub mod shape;
pub mod stream;
pub mod wire;

pub use shape::Shape;
