//! `read`, `list` and `glob`, without a process: what agents do in their own.
//!
//! Each is a request ([`Read`], [`List`], [`Glob`]) that is understood once and can be answered from the file system
//! (`on_disk`), or by the daemon from what it has in memory: one way of making the answer, two sources.

mod glob;
mod list;
mod read;

use std::io;

use curserve_proto::Answer;

pub use glob::{Found, Glob};
pub use list::List;
pub use read::Read;

/// What an error of the file system is called on the command line, without Rust's number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

pub(crate) fn complaint(tool: &str, path: &str, what: &str) -> Answer {
    Answer::done(1, "", format!("{tool}: {path}: {what}\n"))
}
