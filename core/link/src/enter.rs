//! Start a program inside a host: `curserve-link enter --user FD --mnt FD --net FD --cwd DIR -- PROGRAM ARGUMENTS`.
//!
//! A program of its own, because only a process with one thread may enter a user namespace, and because a fork of a
//! large Python process is slow and, with threads, unsafe. `nsenter` would do, but cannot (before util-linux 2.38)
//! set the working directory as seen inside.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Exit status of a program that could not be started, as a shell gives it.
const NOT_FOUND: i32 = 127;
/// Exit status when the host itself could not be entered.
const NOT_ENTERED: i32 = 125;

/// Run with the arguments after `enter`; returns only when it failed.
pub fn main(arguments: &[OsString]) -> i32 {
    let mut rest = arguments.iter();
    let mut directory = None;
    let mut namespaces = Vec::new();
    while let Some(argument) = rest.next() {
        match argument.to_str() {
            Some("--") => break,
            Some("--cwd") => directory = rest.next(),
            Some(flag @ ("--user" | "--mnt" | "--net")) => {
                match rest.next().and_then(|fd| fd.to_str()?.parse().ok()) {
                    Some(fd) => namespaces.push((flag, fd)),
                    None => return fail(&format!("{flag} needs a descriptor"), NOT_ENTERED),
                }
            }
            _ => {
                return fail(
                    &format!("unexpected argument {}", argument.to_string_lossy()),
                    NOT_ENTERED,
                )
            }
        }
    }
    for (flag, fd) in namespaces {
        // SAFETY: system calls on a descriptor that our parent passed for this purpose; 0 lets the kernel tell the kind.
        let entered = unsafe {
            let entered = libc::setns(fd, 0);
            libc::close(fd);
            entered
        };
        if entered != 0 {
            let cause = std::io::Error::last_os_error();
            return fail(
                &format!("cannot enter the host's {} namespace: {cause}", &flag[2..]),
                NOT_ENTERED,
            );
        }
    }
    if let Some(directory) = directory {
        let Ok(path) = CString::new(directory.as_bytes()) else {
            return NOT_ENTERED;
        };
        // SAFETY: a system call with a valid C string.
        if unsafe { libc::chdir(path.as_ptr()) } != 0 {
            let cause = std::io::Error::last_os_error();
            return fail(
                &format!("cannot change to {}: {cause}", directory.to_string_lossy()),
                NOT_ENTERED,
            );
        }
    }
    let Some(program) = rest.next() else {
        return fail("no program given", NOT_ENTERED);
    };
    let cause = Command::new(program).args(rest).exec();
    fail(
        &format!("cannot start {}: {cause}", program.to_string_lossy()),
        NOT_FOUND,
    )
}

fn fail(message: &str, status: i32) -> i32 {
    eprintln!("curserve-link: {message}");
    status
}
