//! The real program: as a command that we run, or in our place.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitCode, ExitStatus};

use crate::configuration::Configuration;

/// In the environment of a call that is logged: what it starts in turn is part of it.
const INSIDE: &str = "CURSERVE_RECORDING";

/// Whether this runs inside a call that is logged.
pub fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The real program, called as we were.
fn command(configuration: &Configuration, called: &OsStr, arguments: &[OsString]) -> Command {
    let mut command = Command::new(&configuration.real);
    command.arg0(called).args(arguments);
    // What runs inside finds the real programs: our folder leaves PATH.
    if let Some(path) = std::env::var_os("PATH") {
        let kept = std::env::split_paths(&path).filter(|p| p != OsStr::new(&configuration.folder));
        if let Ok(path) = std::env::join_paths(kept) {
            command.env("PATH", path);
        }
    }
    // SAFETY: between fork and exec only this system call; Rust ignores SIGPIPE, and programs must not.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            Ok(())
        });
    }
    command
}

/// The same for a call that is logged.
pub fn logged(configuration: &Configuration, called: &OsStr, arguments: &[OsString]) -> Command {
    let mut command = command(configuration, called, arguments);
    command.env(INSIDE, std::process::id().to_string());
    // SAFETY: between fork and exec only this system call: should we be killed, the program is too.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command
}

/// Returns only where the real program could not be started. PATH stays: what a script starts is to be logged.
pub fn become_real(
    configuration: &Configuration,
    called: &OsStr,
    arguments: &[OsString],
) -> ExitCode {
    let mut command = command(configuration, called, arguments);
    if !is_inside() {
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
    }
    let error = command.exec();
    eprintln!("curserve-record: {}: {error}", configuration.real);
    ExitCode::from(127)
}

/// End as the program did, by a signal too.
pub fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        // SAFETY: the default action ends this process.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    ExitCode::from(u8::try_from(status.code().unwrap_or(255)).unwrap_or(255))
}
