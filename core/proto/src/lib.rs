//! The framed protocol that the worker, the daemon and external engines speak (docs/PROTOCOL.md).
//!
//! [`read_frame`] and [`write_frame`] move frames, [`Request`] and [`Answer`] are what they hold, and [`Handler`]
//! is the seam behind which a program that executes tool calls stands, or leaves them to the real programs with a
//! [`Refusal`]; [`Channel`] is who calls it.

mod channel;
mod frame;
mod message;
mod refusal;
mod watch;

pub use channel::Channel;
pub use frame::{read_frame, write_frame, Frame, FrameError, MAX_HEADER, MAX_PAYLOAD};
pub use message::{Answer, Call, Caller, Handler, Identity, Mirrored, Op, Request, VERSION};
pub use refusal::{refuse, Refusal};
pub use watch::watch;
