//! One call: the real program, run as it would have run without us, and what the recorder is told of it.

use std::ffi::{OsStr, OsString};
use std::io::Result;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::json;

use crate::configuration::Configuration;
use crate::descriptors::{is_terminal, same_file};
use crate::kind::Kind;
use crate::log::Log;
use crate::streams::Streams;
use crate::{program, signals};

/// Runs the real program and tells `log`; how the program ended.
///
/// # Errors
/// Where the program cannot be started, or its streams cannot be had.
pub fn run(
    configuration: &Configuration,
    mut log: Log,
    called: &OsStr,
    arguments: &[OsString],
    kind: &Kind,
) -> Result<ExitStatus> {
    let is_merged = same_file(1, 2);
    let cwd = std::env::current_dir().unwrap_or_default();
    let words: Vec<_> = arguments.iter().map(|w| w.to_string_lossy()).collect();
    let text = match kind {
        Kind::Command(text) => Some(text.to_string_lossy()),
        _ => None,
    };
    let start = json!({
        "name": configuration.name, "arguments": words, "cwd": cwd.to_string_lossy(), "merged": is_merged,
        "command": text, "terminal": is_terminal(1), "pid": std::process::id(),
    });
    log.tell_and_wait(b'S', &start);
    let mut streams = Streams::default();
    let mut command = program::logged(configuration, called, arguments);
    let (out, err) = streams.outputs(is_merged)?;
    command.stdout(out).stderr(err);
    let started = monotonic_ns();
    let mut child = command.spawn()?;
    drop(command); // our copies of the writing ends
    signals::pass_on_to(child.id());
    // SAFETY: opens a descriptor for our own child, not yet reaped.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) } as i32;
    streams.copy_until_exit(pidfd, &mut log);
    signals::pass_on_no_more();
    let status = child.wait()?;
    let ended = monotonic_ns();
    let end = json!({
        "started_ns": started, "ended_ns": ended, "code": status.code(), "signal": status.signal(),
        "open": !streams.is_empty(),
    });
    log.tell_and_wait(b'X', &end);
    leave_copier(streams, log);
    Ok(status)
}

/// What the program left running may still write: a child of ours copies that until it ends, unlogged.
fn leave_copier(mut streams: Streams, mut log: Log) {
    if streams.is_empty() {
        return;
    }
    log.close();
    // SAFETY: this process has one thread, so the child may go on as it likes.
    if unsafe { libc::fork() } != 0 {
        return;
    }
    streams.copy_to_the_end(&mut log);
    std::process::exit(0);
}

fn monotonic_ns() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel fills a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}
