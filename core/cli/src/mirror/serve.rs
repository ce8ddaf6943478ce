//! `curserve mirror serve`: the server's side. It executes nothing.

use std::io;
use std::net::TcpListener;
use std::os::fd::{FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use curserve_exec::Limits;
use curserve_run::known;
use curserve_serve::Stop;
use curserve_twin::{seal, Session, Streams};
use lexopt::{Arg, Parser, ValueExt};

use super::place::{self, Lock};
use super::target::streams;
use crate::options::on_signals;
use crate::Failure;

/// How long another server of this copy may take to end.
const HANDOVER: Duration = Duration::from_secs(5);

/// The most memory that a server may have for itself.
const MEMORY: u64 = 16 << 30;

/// From where clients come.
enum From {
    /// One, on the standard streams.
    Stdio,
    /// One after another, on this socket.
    Tcp(TcpListener),
}

/// Run the verb.
///
/// # Errors
/// A wrong word of the command line, a copy or socket that cannot be had.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let (mut from, mut root, mut name) = (None, None, None);
    let (mut socket, mut listen_fd, mut lifeline) = (None, None, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("stdio") => from = Some(From::Stdio),
            Arg::Long("tcp-fd") => from = Some(From::Tcp(inherited(parser.value()?.parse()?)?)),
            Arg::Long("tcp") => {
                let address = parser.value()?.string()?;
                let listener = TcpListener::bind(&address).map_err(|error| {
                    Failure::Setup(format!("mirror serve: --tcp {address}: {error}"))
                })?;
                from = Some(From::Tcp(listener));
            }
            Arg::Long("root") => root = Some(PathBuf::from(parser.value()?)),
            Arg::Long("name") => name = Some(parser.value()?.string()?),
            Arg::Long("socket") => socket = Some(PathBuf::from(parser.value()?)),
            Arg::Long("listen-fd") => listen_fd = Some(parser.value()?.parse()?),
            Arg::Long("lifeline") => lifeline = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let Some(from) = from else {
        return Err(Failure::Usage(
            "mirror serve: give --stdio; it is started by `curserve mirror ssh://HOST/`".to_owned(),
        ));
    };
    if let Some(name) = name.as_ref().filter(|name| !place::is_name(name)) {
        return Err(Failure::Usage(format!(
            "mirror serve: --name {name}: expected letters and digits"
        )));
    }
    let (copy, state) = match (root, &name) {
        (Some(root), _) => {
            let beside = PathBuf::from(format!(
                "{}.mirror",
                root.display().to_string().trim_end_matches('/')
            ));
            (root, beside)
        }
        (None, Some(name)) => {
            let folder = place::of_copy(&place::base()?, name);
            (folder.join("tree"), folder)
        }
        (None, None) => {
            return Err(Failure::Usage(
                "mirror serve: give --root DIR or --name NAME".to_owned(),
            ))
        }
    };
    place::prepare(&state)?;
    let _lock = taken(&state)?;
    let session = Session::open(&copy, &state.join("log"), Limits::default()).map_err(|error| {
        Failure::Setup(format!(
            "mirror serve: the copy {}: {error}",
            copy.display()
        ))
    })?;
    let stop = Stop::default();
    // The name of the socket goes when this ends.
    let mut socket_folder = state.clone();
    let (listener, file) = match listen_fd {
        Some(fd) => (curserve_serve::inherit(fd)?, None),
        None => {
            let path = match socket {
                Some(path) => path,
                None => {
                    let folder = known::folder();
                    known::prepare(&folder)?;
                    known::socket(&folder, &copy.canonicalize()?)
                }
            };
            let (listener, file) = curserve_serve::bind(&path)?;
            let path = std::path::absolute(path)?;
            socket_folder = path.parent().map_or(socket_folder, Path::to_path_buf);
            std::fs::write(state.join("socket"), path.as_os_str().as_encoded_bytes())?;
            (listener, Some(Arc::new(file)))
        }
    };
    // Before any thread: what is held of files, is held thread by thread.
    seal_in(&[session.root(), &state, &socket_folder])?;
    let ending = stop.clone();
    on_signals(move || ending.stop())?;
    if lifeline {
        let (ending, file) = (stop.clone(), file.clone());
        std::thread::spawn(move || {
            let mut byte = [0u8; 1];
            while matches!(io::Read::read(&mut io::stdin(), &mut byte), Ok(1..)) {}
            if let Some(file) = file {
                file.remove();
            }
            ending.stop();
            std::process::exit(0);
        });
    }
    let (client, ending) = (session.clone(), stop.clone());
    std::thread::Builder::new()
        .name("mirror".into())
        .spawn(move || {
            let over = match from {
                From::Stdio => client
                    .connect(stdio())
                    .map(|why| eprintln!("curserve mirror serve: {why}")),
                From::Tcp(listener) => accept(&listener, &client),
            };
            if let Err(error) = over {
                eprintln!("curserve mirror serve: {error}");
            }
            ending.stop();
        })?;
    let served = curserve_serve::serve(
        listener,
        Arc::new(session),
        curserve_serve::Limits::default(),
        stop,
    );
    if let Some(file) = file {
        file.remove();
    }
    served?;
    // A thread may wait for the standard input, which nobody ends.
    std::process::exit(0);
}

/// Leaves this process its copy, its state and the folder of its socket, and nothing else.
fn seal_in(own: &[&Path]) -> Result<(), Failure> {
    let is_held = seal(own, MEMORY).map_err(|error| {
        Failure::Setup(format!(
            "mirror serve: this kernel cannot confine it ({error}); it needs seccomp"
        ))
    })?;
    if !is_held {
        eprintln!("curserve mirror serve: this kernel has no Landlock: files beside the copy are held by our own code alone");
    }
    Ok(())
}

/// Serves one client after another; a new one takes the place of the one that there is.
fn accept(listener: &TcpListener, session: &Session) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        let (streams, session) = (streams(stream)?, session.clone());
        std::thread::Builder::new()
            .name("mirror".into())
            .spawn(move || {
                if let Err(error) = session.connect(streams) {
                    eprintln!("curserve mirror serve: {error}");
                    std::process::exit(3);
                }
            })?;
    }
}

fn stdio() -> Streams {
    Streams {
        from: Box::new(io::stdin()),
        to: Box::new(io::stdout()),
        end: Box::new(|| {}),
    }
}

fn inherited(fd: i32) -> Result<TcpListener, Failure> {
    if fd < 3 {
        return Err(Failure::Usage(format!(
            "mirror serve: --tcp-fd {fd} is a standard stream"
        )));
    }
    // SAFETY: whoever started this process says that the descriptor is a listening socket, and ours alone.
    Ok(TcpListener::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// The lock of this copy. A server that has it serves a connection that its client has given up: it is told to end.
fn taken(state: &std::path::Path) -> Result<Lock, Failure> {
    let (file, holder) = (state.join("lock"), state.join("pid"));
    let until = Instant::now() + HANDOVER;
    let mut is_told = false;
    loop {
        if let Some(lock) = Lock::take(&file)? {
            std::fs::write(&holder, std::process::id().to_string())?;
            return Ok(lock);
        }
        let pid = std::fs::read_to_string(&holder)
            .ok()
            .and_then(|pid| pid.trim().parse().ok());
        if let (false, Some(pid)) = (is_told, pid.and_then(rustix::process::Pid::from_raw)) {
            is_told = rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok();
        }
        if Instant::now() > until {
            let what = "is kept by another server that does not end; end that process";
            return Err(Failure::Setup(format!(
                "mirror serve: the copy {} {what}",
                state.display()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
