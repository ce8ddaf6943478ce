//! Writes a token stream to a socket by absolute deadlines.
//!
//! An event loop cannot pace tokens at 0.35 ms: its timers round to a millisecond, and a thread that hands each
//! token back to the loop is late by the loop's wake-up. So the bytes of a whole turn are handed over at once
//! ([`Stream`]), and a thread that owns a duplicate of the socket writes each token itself, when it is due
//! ([`write`]). [`Pacer`] keeps such threads at hand, and tells an event loop through an eventfd when one is done.
//!
//! ```
//! use std::io::Read;
//! use std::os::fd::OwnedFd;
//! use std::os::unix::net::UnixStream;
//! use std::sync::atomic::AtomicBool;
//!
//! let (ours, mut theirs) = UnixStream::pair().unwrap();
//! let start = curserve_pacer::now_ns();
//! let written = curserve_pacer::write(
//!     &curserve_pacer::Stream {
//!         fd: OwnedFd::from(ours),
//!         lead: Vec::new(),
//!         data: b"onetwothree".to_vec(),
//!         cuts: vec![3, 6, 11],
//!         first_ns: start + 1_000_000,
//!         step_ns: 350_000,
//!     },
//!     &AtomicBool::new(false),
//! );
//! assert!(written.error.is_none());
//! assert!(written.starts[2] >= start + 1_700_000);
//! let mut text = [0; 11];
//! theirs.read_exact(&mut text).unwrap();
//! assert_eq!(&text, b"onetwothree");
//! ```

mod ahead;
mod clock;
mod outbox;
mod pool;
mod stream;

pub use ahead::Ahead;
pub use clock::{now_ns, sharpen, wait};
pub use outbox::Outbox;
pub use pool::Pacer;
pub use stream::{write, Stream, Written};
