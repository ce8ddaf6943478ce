//! `curserve probe`: tries, from inside the sandbox, what no command may do, and says for each whether it was held.
//!
//! Run once for a machine and a version before anything else is. Nothing here would do harm where it got through: files
//! are opened and not written to, calls get arguments that no kernel takes.

mod attempts;
mod tables;

use std::io;

use curserve_exec::{confine, inside, Limits};
use lexopt::{Arg, Parser, ValueExt};
use serde_json::json;

use self::attempts::{
    connect, connect_abstract, in_a_child, make_device, open, refused, result, FOREIGN,
};
use self::tables::{REFUSED, UNMAKABLE, UNREADABLE, UNWRITABLE};
use crate::Failure;

/// Run the verb: a JSON line for each probe; exit code 3 where one got through.
///
/// # Errors
/// A wrong word of the command line, or a probe that got through.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let (mut outer, mut at, mut port, mut hidden) = (None, None, None, Vec::new());
    let (mut name, mut caller) = (None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("outer") => outer = Some(parser.value()?.string()?),
            Arg::Long("at") => at = Some(parser.value()?.string()?),
            Arg::Long("port") => port = Some(parser.value()?.parse::<u16>()?),
            Arg::Long("socket") => name = Some(parser.value()?.string()?),
            Arg::Long("pid") => caller = Some(parser.value()?.parse::<libc::pid_t>()?),
            Arg::Long("hidden") => hidden.push(parser.value()?.string()?),
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (Some(outer), Some(at)) = (outer, at) else {
        return Err(Failure::Usage(
            "probe: expected --outer NAMESPACES --at PATH".into(),
        ));
    };
    inside::close_others(&[])?;
    confine::confine(&Limits::default(), confine::Sockets::Namespaced)?;
    inside::check(&outer, &at)?;
    let targets = Targets {
        at,
        port,
        socket: name,
        caller,
        hidden,
    };
    // By a child, as commands are: the first process may look at itself.
    // SAFETY: this process has one thread.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error().into()),
        0 => std::process::exit(if try_all(&targets) { 0 } else { 1 }),
        child => {
            let mut status = 0;
            // SAFETY: waits for our own child.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            match libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
                true => Ok(()),
                false => Err(Failure::Setup(
                    "probe: the sandbox let something through".into(),
                )),
            }
        }
    }
}

/// What of the machine's is to be looked for.
struct Targets {
    at: String,
    port: Option<u16>,
    socket: Option<String>,
    caller: Option<libc::pid_t>,
    hidden: Vec<String>,
}

/// Try everything, with a line for each; whether all was held.
fn try_all(targets: &Targets) -> bool {
    let mut all_held = true;
    let mut told = |probe: String, done: io::Result<()>| {
        let held = done.is_err();
        all_held &= held;
        let said = done.err().map(|error| error.to_string());
        println!("{}", json!({"probe": probe, "held": held, "said": said}));
    };
    for path in UNWRITABLE {
        told(format!("write {path}"), open(path, libc::O_WRONLY));
    }
    for path in UNREADABLE
        .iter()
        .copied()
        .chain(targets.hidden.iter().map(String::as_str))
    {
        told(format!("read {path}"), open(path, libc::O_RDONLY));
    }
    for path in UNMAKABLE {
        told(
            format!("make {path}"),
            open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL),
        );
    }
    for (name, number, arguments) in REFUSED {
        told(format!("call {name}"), refused(*number, arguments));
    }
    for (name, attack) in FOREIGN {
        told(format!("call by {name}"), in_a_child(*attack));
    }
    told("make a device".into(), make_device());
    if let Some(port) = targets.port {
        told("connect to the machine's 127.0.0.1".into(), connect(port));
    }
    if let Some(name) = &targets.socket {
        told(
            "connect to the machine's abstract sockets".into(),
            connect_abstract(name),
        );
    }
    if let Some(pid) = targets.caller.filter(|pid| *pid > 64) {
        // SAFETY: signal 0 asks only.
        told(
            "see the caller's process".into(),
            result(unsafe { libc::kill(pid, 0) }.into()),
        );
    }
    // What must be possible, else the rest would say nothing.
    for path in [
        format!("{}/probe", targets.at),
        "/tmp/probe".into(),
        "/dev/shm/probe".into(),
    ] {
        let made = open(&path, libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL);
        let held = match &made {
            Ok(()) => Err(io::Error::other("as it should be")),
            Err(_) => Ok(()),
        };
        told(format!("work in {path}"), held);
    }
    all_held
}
