//! A program by the name of another one: asks the daemon that owns the folder, else becomes the real program, and never
//! this one again.
//!
//! Nothing is written before the whole answer is here, and no answer changes a file, so that becoming the real program is
//! always still possible.

mod ask;
mod caller;
mod program;
mod real;
mod shell;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

pub use real::SHELL_BEFORE;

use self::ask::Answer;
use crate::{inherited, outputs};

/// Names under which the binary is a shim. `cat`, `sed`, `ls`, `head` and `wc` start as fast as a shim does, so that a shim
/// of theirs could only lose.
pub const NAMES: [&str; 7] = ["rg", "grep", "egrep", "fgrep", "find", "bash", "sh"];

/// The name of the shim that `called` is, if it is one.
pub fn name(called: &OsStr) -> Option<&'static str> {
    let name = Path::new(called).file_name()?;
    NAMES.into_iter().find(|known| name == OsStr::new(known))
}

/// Answers in place of `name`, called as `called`, or becomes it.
pub fn run(name: &str, called: &OsStr, arguments: &[OsString]) -> ExitCode {
    let is_shell = shell::NAMES.contains(&name);
    let answer = match real::came_from_a_shim() {
        true => None,
        false if is_shell => shell::answer(name, called, arguments),
        false => program::answer(name, arguments),
    };
    if let Some(answer) = answer {
        let order_shows = !answer.out.is_empty() && !answer.err.is_empty() && outputs::are_one();
        if !order_shows && deliver(name, &answer) {
            return ExitCode::from(answer.code);
        }
    }
    match is_shell {
        true => real::become_shell(name, called, arguments),
        false => real::become_program(name, arguments),
    }
}

/// Writes the answer; false where the reader has gone and the real program should find that out for itself.
///
/// `rg` then says nothing, and its status depends on what it was doing; the real one finds the same closed pipe. Of
/// `grep` all is known, and it may search for long before it writes again.
fn deliver(name: &str, answer: &Answer) -> bool {
    if outputs::write(1, &answer.out).is_ok() {
        // As the real programs, which tell nobody that their messages could not be told.
        let _ = outputs::write(2, &answer.err);
        return true;
    }
    if name.ends_with("grep") && answer.err.is_empty() && !inherited::ignores_sigpipe() {
        inherited::restore();
        // SAFETY: ends this process as a write to a closed pipe ends `grep`.
        unsafe { libc::raise(libc::SIGPIPE) };
    }
    false
}
