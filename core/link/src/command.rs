//! The `curserve-link` program: what has to run inside a host, without an interpreter's weight.

use std::ffi::OsString;

/// Run with the process's arguments; returns the exit status.
pub fn main() -> i32 {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.first().and_then(|verb| verb.to_str()) {
        Some("enter") => crate::enter::main(&arguments[1..]),
        Some("echo") => crate::probe::echo_main(&arguments[1..]),
        Some("probe") => crate::probe::probe_main(&arguments[1..]),
        Some("sink") => crate::stream::sink_main(&arguments[1..]),
        Some("send") => crate::stream::send_main(&arguments[1..]),
        _ => {
            eprintln!(
                "curserve-link: enter | echo | probe | sink | send (started by curserve-bench, not by hand)"
            );
            2
        }
    }
}
