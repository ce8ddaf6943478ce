//! The daemon of a folder: one for all of a user's agents there, found or started, and held by a lease.
//!
//! A lease is a connection that is open: as long as somebody has one, the daemon stays. Whoever holds it sees by its end
//! that the daemon has gone.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use curserve_proto::{read_frame, write_frame, VERSION};
use serde_json::{json, Value};

use crate::known;

/// How long a daemon may take to answer at its socket, once started.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one that is there may take to say who it is.
const SILENCE: Duration = Duration::from_millis(500);
/// The version of the daemon that is started here.
const OURS: &str = env!("CARGO_PKG_VERSION");

/// A daemon that stays as long as this is held.
pub struct Lease {
    stream: UnixStream,
    /// What it said of itself.
    pub version: String,
    /// The process, where we have started it: it is ours to wait for.
    _child: Option<Reaped>,
}

/// A child that is waited for when nobody needs it any more, unless it goes on.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.try_wait();
    }
}

impl Lease {
    /// Becomes readable when the daemon has gone.
    pub fn end(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }

    /// Whether the daemon is of our own version.
    pub fn is_ours(&self) -> bool {
        self.version == OURS
    }

    /// What the daemon says of its work.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn stats(&mut self) -> Result<Value, String> {
        self.asked("stats")
    }

    fn asked(&mut self, op: &str) -> Result<Value, String> {
        let request = json!({"id": 1, "op": op, "version": VERSION}).to_string();
        let asked = write_frame(&mut self.stream, request.as_bytes(), &[]);
        let frame = asked
            .map_err(|error| error.to_string())
            .and_then(|()| read_frame(&mut self.stream).map_err(|error| error.to_string()))?;
        let frame = frame.ok_or_else(|| "the daemon has gone".to_owned())?;
        serde_json::from_slice(&frame.header).map_err(|error| error.to_string())
    }
}

/// The daemon of the real path `root`, if it runs.
pub fn find(root: &Path) -> Option<Lease> {
    let folder = known::folder();
    if !known::is_private(&folder) {
        return None;
    }
    let stream = UnixStream::connect(known::socket(&folder, root)).ok()?;
    stream.set_read_timeout(Some(SILENCE)).ok()?;
    stream.set_write_timeout(Some(SILENCE)).ok()?;
    let mut lease = Lease {
        stream,
        version: String::new(),
        _child: None,
    };
    let hello = lease.asked("hello").ok()?;
    if hello.get("root")?.as_str()? != root.to_str()? {
        return None; // another root has the same hash
    }
    hello
        .get("program_version")?
        .as_str()?
        .clone_into(&mut lease.version);
    Some(lease)
}

/// The daemon of the real path `root`, started where none runs. It ends by itself when nobody has held a lease for `leave`.
///
/// One of another version makes room where nobody uses it; else it stays, as the lease then says.
///
/// # Errors
/// Why none could be started.
pub fn find_or_start(root: &Path, leave: Duration) -> Result<Lease, String> {
    match find(root) {
        Some(lease) if lease.is_ours() => return Ok(lease),
        Some(mut lease) => match is_needed(&mut lease) {
            true => return Ok(lease),
            false => drop(lease.asked("shutdown")),
        },
        None => {}
    }
    start(root, leave)
}

/// Whether anybody but us is connected.
fn is_needed(lease: &mut Lease) -> bool {
    let stats = lease.stats().unwrap_or_default();
    stats.get("connections").and_then(Value::as_u64) != Some(1)
}

fn start(root: &Path, leave: Duration) -> Result<Lease, String> {
    known::prepare(&known::folder()).map_err(|error| error.to_string())?;
    let program = program()?;
    let mut command = Command::new(&program);
    command
        .args([
            "serve",
            "--leave-s",
            &leave.as_secs_f64().to_string(),
            "--root",
        ])
        .arg(root)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: between fork and exec only this system call: a terminal's signals are for the agent.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
    let mut child = command
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let until = Instant::now() + PATIENCE;
    let mut ended = None;
    loop {
        if let Some(lease) = find(root) {
            return Ok(Lease {
                _child: Some(Reaped(child)),
                ..lease
            });
        }
        // Of two that start at once one gets the socket: the other ends, and the first is found.
        ended = ended.or(child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| (status, Instant::now())));
        let why = match ended {
            Some((status, at)) if at.elapsed() > SILENCE => format!("it ended ({status})"),
            _ if Instant::now() > until => {
                format!("it did not answer for {} s", PATIENCE.as_secs())
            }
            _ => {
                std::thread::sleep(Duration::from_micros(500));
                continue;
            }
        };
        return Err(format!(
            "the daemon for {} could not be started: {why}; `curserve serve --root {0}` says more",
            root.display()
        ));
    }
}

/// The `curserve` program: this one, or the one beside it.
///
/// # Errors
/// Where neither is there.
pub fn program() -> Result<PathBuf, String> {
    let me =
        std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let beside = me.with_file_name("curserve");
    match beside.is_file() {
        true => Ok(beside),
        false => Err(format!(
            "{} is not there; reinstall curserve",
            beside.display()
        )),
    }
}

/// Ends the daemon of `root`, if one runs; whether one did.
pub fn end(root: &Path) -> bool {
    let Some(mut lease) = find(root) else {
        return false;
    };
    let _ = lease.asked("shutdown");
    let _ = lease.stream.flush();
    let _ = lease.stream.read(&mut [0]); // until it has closed
    true
}
