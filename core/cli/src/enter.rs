//! `curserve enter`: what has to happen between the start of a process and bubblewrap, in this order: join the
//! session's control groups, give the workspace's copy to the user that commands run as and put it where that one can
//! bind it, stop being root, become bubblewrap by its descriptor.
//!
//! A program of its own, since a process with threads cannot safely do this after a fork.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;

use curserve_exec::privileges::{drop_to, gain_none, Identity};
use curserve_exec::{gift, stage};
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

/// Run the verb; returns only where it failed.
///
/// # Errors
/// A wrong word of the command line, or the step that failed.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let (mut join, mut staged, mut give) = (Vec::new(), Vec::new(), None);
    let (mut identity, mut program) = (None, None::<RawFd>);
    let mut words: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("join-fd") => join.push(parser.value()?.parse::<RawFd>()?),
            Arg::Long("stage-fd") => staged.push(parser.value()?.parse::<RawFd>()?),
            Arg::Long("give-fd") => give = Some(parser.value()?.parse::<RawFd>()?),
            Arg::Long("identity") => identity = Some(read_identity(&parser.value()?.string()?)?),
            Arg::Long("exec-fd") => program = Some(parser.value()?.parse()?),
            Arg::Value(first) => {
                words.push(first);
                words.extend(parser.raw_args()?);
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let program = program.ok_or_else(|| Failure::Usage("enter: --exec-fd N is missing".into()))?;
    for fd in join {
        // SAFETY: the caller made it for us; nothing else uses it.
        let group = unsafe { OwnedFd::from_raw_fd(fd) };
        step(
            "join a control group",
            io::Write::write_all(&mut std::fs::File::from(group), b"0"),
        )?;
    }
    if let Some(identity) = identity {
        if let Some(fd) = give {
            // SAFETY: the caller keeps it open for us.
            let root = unsafe { BorrowedFd::borrow_raw(fd) };
            step(
                "give the workspace to the sandbox's user",
                gift::give(root, identity),
            )?;
        }
        // SAFETY: the caller made them for us; nothing else uses them.
        let sources = staged
            .into_iter()
            .map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        step(
            "open the workspace to the sandbox's user",
            stage::raise(sources.collect()),
        )?;
        step("stop being root", drop_to(identity))?;
    }
    step("gain no privileges", gain_none())?;
    step("start bubblewrap", Err(become_program(program, words)))
}

fn step(what: &str, done: io::Result<()>) -> Result<(), Failure> {
    done.map_err(|error| Failure::Setup(format!("enter: cannot {what}: {error}")))
}

fn read_identity(text: &str) -> Result<Identity, Failure> {
    text.split_once(':')
        .and_then(|(uid, gid)| {
            Some(Identity {
                uid: uid.parse().ok()?,
                gid: gid.parse().ok()?,
            })
        })
        .ok_or_else(|| Failure::Usage(format!("enter: --identity {text}: expected UID:GID")))
}

/// Become the open program; it does not keep its own descriptor.
fn become_program(fd: RawFd, words: Vec<OsString>) -> io::Error {
    let words: Result<Vec<CString>, _> = words
        .into_iter()
        .map(|word| CString::new(word.into_vec()))
        .collect();
    let Ok(words) = words else {
        return io::Error::other("a word holds a NUL byte");
    };
    let pointers: Vec<*const libc::c_char> = words
        .iter()
        .map(|word| word.as_ptr())
        .chain([std::ptr::null()])
        .collect();
    curserve_run::inherited::restore();
    // SAFETY: valid pointers, ended by a null; the environment is this process's own.
    unsafe {
        if libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) != 0 {
            return io::Error::last_os_error();
        }
        libc::execveat(
            fd,
            c"".as_ptr(),
            pointers.as_ptr().cast(),
            std::ptr::addr_of!(environ).read().cast(),
            libc::AT_EMPTY_PATH,
        );
    }
    io::Error::last_os_error()
}

extern "C" {
    static environ: *const *const libc::c_char;
}
