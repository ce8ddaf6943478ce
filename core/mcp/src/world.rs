//! The world in which `bash_read` answers: this user's, in the locale C.UTF-8 and the zone UTC, without anybody's configuration
//! and without what only somebody's processes are to know.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use serde_json::{json, Value};

/// What of our environment a line sees. A key of some service that our client was given is not for a model to print.
const KEPT: [&str; 6] = [
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "TERM",
    "XDG_CONFIG_HOME",
];

/// The caller of a line (docs/PROTOCOL.md): one in whose place nothing is written.
pub fn caller() -> Value {
    let mut environment: BTreeMap<String, String> = KEPT
        .iter()
        .filter_map(|&name| Some((name.to_owned(), std::env::var(name).ok()?)))
        .collect();
    environment.insert("PATH".into(), path());
    environment.insert("LC_ALL".into(), "C.UTF-8".into());
    environment.insert("TZ".into(), "UTC".into());
    json!({"environment": environment, "shell": "bash", "has_input": false, "merged": false})
}

/// PATH without shims: the programs that a line names are the real ones.
fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    let is_real = |folder: &&str| {
        let program = Path::new(folder).join("rg").canonicalize();
        program.map_or(true, |program| {
            let name = program.file_name();
            name != Some(OsStr::new("curserve-shim")) && name != Some(OsStr::new("curserve"))
        })
    };
    path.split(':')
        .filter(is_real)
        .collect::<Vec<_>>()
        .join(":")
}
