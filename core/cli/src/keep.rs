//! `curserve keep -- PROGRAM`: where there is no PID namespace, stands above the worker and ends whatever it leaves.
//!
//! It is outside of what confines the worker, so nothing that runs there can signal it; orphans come to it, and it goes
//! when the last of them is gone.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::time::{Duration, Instant};

use curserve_exec::guard::processes;
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

/// How long leftovers are killed: a fork bomb is gone long before.
const PATIENCE: Duration = Duration::from_secs(5);

/// Run the verb until the program has ended, and all that came of it.
///
/// # Errors
/// A wrong word of the command line, or a program that cannot be started.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let (mut join, mut words) = (Vec::new(), Vec::<OsString>::new());
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("join-fd") => join.push(parser.value()?.parse::<RawFd>()?),
            Arg::Value(first) => {
                words.push(first);
                words.extend(parser.raw_args()?);
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::Usage("keep: expected -- PROGRAM".into()));
    };
    for fd in join {
        // SAFETY: the caller made it for us; nothing else uses it.
        let group = unsafe { OwnedFd::from_raw_fd(fd) };
        std::fs::File::from(group).write_all(b"0")?;
    }
    // Who interrupts the caller ends us by closing our standard input, after which there is still something to do.
    // SAFETY: makes a session and sets dispositions of this process; programs are started with the default ones.
    unsafe {
        libc::setsid();
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
    // SAFETY: sets a flag of this process.
    if unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    let mut command = Command::new(program);
    command.args(arguments);
    // SAFETY: one system call between fork and exec: the worker ends with us, however we end.
    unsafe {
        command.pre_exec(
            || match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            },
        );
    }
    let mut worker = command.spawn()?;
    curserve_exec::inside::close_others(&[])?; // else callers would wait at a socket that nobody accepts on
    let status = worker.wait()?;
    end_what_is_left();
    std::process::exit(status.code().unwrap_or(128 + status.signal().unwrap_or(0)));
}

/// Kill our children until there are none: those of a killed one become ours.
fn end_what_is_left() {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        for pid in processes() {
            if parent(pid) == Some(std::process::id()) {
                // SAFETY: a child of ours: its number is nobody else's until we have waited for it.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
        }
        loop {
            // SAFETY: waits for any child without blocking.
            match unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } {
                -1 => return, // no child is left
                0 => break,
                _ => {}
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn parent(pid: libc::pid_t) -> Option<u32> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = text.iter().rposition(|byte| *byte == b')')?; // the name may hold anything
    let rest = std::str::from_utf8(text.get(after + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}
