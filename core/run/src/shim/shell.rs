//! `bash -c LINE` and `sh -c LINE`: whole to the daemon.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde_json::json;

use super::ask::{ask, Answer};
use super::caller::caller;
use super::real;
use crate::{inherited, outputs};

/// Names under which the binary is a shell.
pub const NAMES: [&str; 2] = ["bash", "sh"];

/// Longer lines are the daemon's to refuse, and are not carried there.
const LONGEST: usize = 64 << 10;

/// The daemon's answer to the shell called as `called`; None: the real one is to run.
pub fn answer(name: &str, called: &OsStr, arguments: &[OsString]) -> Option<Answer> {
    let [option, line] = arguments else {
        return None; // a login shell, a script, a session, positional parameters
    };
    let line = line.to_str().filter(|line| line.len() <= LONGEST)?;
    if option != "-c" || inherited::lacks_a_descriptor() || !outputs::take_an_answer() {
        return None;
    }
    if name == "sh" && !is_dash() || !stands_where_it_says() {
        return None;
    }
    let shown = real::shown(name, called);
    ask(
        json!({ "command": line }),
        caller(name, Some(shown.to_str()?))?,
    )
}

/// Whether the real `sh` is dash.
fn is_dash() -> bool {
    let real = real::find("sh").and_then(|path| path.canonicalize().ok());
    real.is_some_and(|path| path.file_name() == Some(OsStr::new("dash")))
}

/// Whether `pwd` would print the folder's real path: a shell takes `$PWD` where that leads to the same folder.
fn stands_where_it_says() -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Some(said), Ok(cwd)) = (std::env::var_os("PWD"), std::env::current_dir()) else {
        return true;
    };
    let identity = |path: &Path| {
        std::fs::metadata(path)
            .map(|meta| (meta.dev(), meta.ino()))
            .ok()
    };
    let said = Path::new(&said);
    said == cwd || identity(said) != identity(&cwd)
}
