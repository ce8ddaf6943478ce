//! One workspace on two hosts (docs/MIRROR.md).
//!
//! [`Owner`] is the client's machine, whose disk is right; [`Replica`] the server's, which answers reads and proposes edits.
//! Both are driven from outside: they are given messages, told what may have changed, asked for messages; they touch the
//! world only through [`Disk`] and [`Log`]. So the simulation (`simulation/`) runs the very code that the program runs.

mod beneath;
mod cache;
pub mod content;
mod disk;
mod entry;
mod error;
mod fault;
mod limits;
mod line;
mod log;
mod merge;
mod message;
mod notes;
mod owner;
mod path;
mod replica;
mod tree;
mod wire;

pub use beneath::{Beneath, Withheld};
pub use disk::{remove_all, Disk, Log, Look, New, Seen};
pub use entry::{Entry, Hash, Kind};
pub use error::Error;
pub use fault::Fault;
pub use limits::Limits;
pub use line::{Packer, Unpacker, MAGIC};
pub use log::FileLog;
pub use message::{
    Change, Content, Message, Op, Outcome, Proposal, Stand, MAX_BODY, MAX_FACTS, MAX_INLINE,
    MAX_MESSAGE, MAX_NAMES, MAX_PENDING, MAX_PIECE, VERSION,
};
pub use owner::{Hold, Owner};
pub use path::{Name, RelPath, MAX_DEPTH, MAX_NAME, MAX_PATH};
pub use replica::{Ready, Replica};
pub use tree::{Listed, Node, Place, Stamp, Tree};
pub use wire::MAX_FILE;
