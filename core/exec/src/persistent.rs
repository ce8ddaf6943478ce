//! One shell for all calls of a session: directory, variables and functions stay, as where an agent keeps a shell.
//!
//! A call's command is put into a memory file that the shell sources, so that its parsing is that of a script and its
//! standard input is `/dev/null`; the exit code comes back on a channel of its own, and what is in the output pipes
//! by then is the call's output. Calls wait for one another.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use curserve_proto::Answer;

use crate::capture::{poll, Stream, AFTERMATH};
use crate::guard::Guard;
use crate::spawn::{self, Child, Program, Start, Tag};
use crate::world::World;

const SCRIPT: i32 = 7;
const STATUS: i32 = 8;
/// The status of a call, and where the shell is then, which a caller beside it wants to know.
const SETUP: &str =
    "__curserve_end() { local status=$?; printf '%d %s' $status \"$PWD\" >&8; return $status; }\n";
const NEXT: &str = ". /proc/self/fd/7 </dev/null; __curserve_end\n";

/// The session's shell; started by the first call, and again after one that ended it.
pub struct Persistent {
    world: World,
    guard: Arc<Guard>,
    bash: String,
    live: Mutex<Option<Live>>,
}

struct Live {
    child: Child,
    tag: Tag,
    control: File,
    script: File,
    status: File,
    out: Stream,
    err: Stream,
}

enum End {
    Status(i32, Option<Box<str>>),
    Gone,
    Failed(String),
}

impl Persistent {
    /// A shell `bash` in `world`, not started yet.
    pub fn new(world: World, guard: Arc<Guard>, bash: String) -> Self {
        Persistent {
            world,
            guard,
            bash,
            live: Mutex::new(None),
        }
    }

    /// Run `command` in the shell; a new shell begins in `cwd`.
    pub fn run(&self, command: &str, cwd: &str, timeout: Duration) -> Answer {
        let mut slot = self.live.lock().expect("nobody panics with this lock held");
        let deadline = Instant::now() + timeout;
        if slot.is_none() {
            match self.start(cwd) {
                Ok(live) => *slot = Some(live),
                Err(error) => {
                    return Answer::failed(format!(
                        "the shell could not be started in {cwd}: {error}"
                    ))
                }
            }
        }
        let live = slot.as_mut().expect("started above");
        let watching = self.guard.enter_as(live.tag);
        let end = match live.send(command) {
            Ok(()) => live.wait(deadline, timeout, self.world.limits.output),
            Err(error) => End::Failed(format!("the shell does not listen: {error}")),
        };
        let mut answer = Answer {
            stdout: std::mem::take(&mut live.out.bytes),
            stderr: std::mem::take(&mut live.err.bytes),
            ..Answer::default()
        };
        match end {
            End::Status(code, cwd) => {
                answer.exit_code = Some(code);
                answer.cwd = cwd;
            }
            End::Gone => {
                match live.child.wait() {
                    Ok(code) => answer.exit_code = Some(code),
                    Err(error) => {
                        answer.failed = Some(format!("the shell could not be waited for: {error}"))
                    }
                }
                self.bury(slot.take());
            }
            End::Failed(reason) => {
                answer.failed = Some(reason);
                self.guard.kill(live.tag);
                let _ = live.child.wait();
                self.bury(slot.take());
            }
        }
        if let Some(reason) = watching.watch.stopped() {
            answer.exit_code = None;
            answer.failed = Some(format!("stopped: {reason}"));
        }
        answer
    }

    fn bury(&self, live: Option<Live>) {
        if let Some(live) = live {
            self.guard.forget(live.tag);
        }
    }

    fn start(&self, cwd: &str) -> io::Result<Live> {
        let program = Program::new(
            &self.bash,
            &[b"bash", b"--noprofile", b"--norc"],
            &self.world.environment,
            cwd.as_bytes(),
        )?;
        let (control_end, control) = spawn::pipe()?;
        let (status, status_end) = spawn::pipe()?;
        let (out, out_end) = spawn::pipe()?;
        let (err, err_end) = spawn::pipe()?;
        // SAFETY: makes a descriptor, which is then ours.
        let script = unsafe {
            let fd = libc::memfd_create(c"command".as_ptr(), libc::MFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        // Out of the way of the numbers that the child gives them.
        let (script_end, status_end) = (above(&script)?, above(&status_end)?);
        let tag = self.guard.keep();
        let start = Start {
            stdio: [control_end.as_fd(), out_end.as_fd(), err_end.as_fd()],
            extra: &[(script_end.as_fd(), SCRIPT), (status_end.as_fd(), STATUS)],
            memory: self.world.limits.memory,
            tag,
        };
        let child = spawn::spawn(&program, &start)?;
        let mut control = File::from(control);
        control.write_all(SETUP.as_bytes())?;
        Ok(Live {
            child,
            tag,
            control,
            script: script.into(),
            status: status.into(),
            out: Stream::new(out),
            err: Stream::new(err),
        })
    }
}

fn above(fd: &OwnedFd) -> io::Result<OwnedFd> {
    // SAFETY: duplicates an open descriptor; the new one is ours.
    unsafe {
        let fd = libc::fcntl(
            std::os::fd::AsRawFd::as_raw_fd(fd),
            libc::F_DUPFD_CLOEXEC,
            64,
        );
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

impl Live {
    fn send(&mut self, command: &str) -> io::Result<()> {
        self.script.set_len(0)?;
        self.script.rewind()?;
        self.script.write_all(command.as_bytes())?;
        self.script.write_all(b"\n")?;
        self.control.write_all(NEXT.as_bytes())
    }

    fn wait(&mut self, deadline: Instant, timeout: Duration, limit: usize) -> End {
        let mut until = deadline;
        let mut gone = false;
        let mut told: Option<(i32, Option<Box<str>>)> = None;
        loop {
            let mut waits = [
                (self.out.source(), false),
                (self.err.source(), false),
                (
                    (told.is_none() && !gone).then(|| self.status.as_fd()),
                    false,
                ),
                ((!gone).then(|| self.child.pidfd.as_fd()), false),
            ];
            let ready = match poll(&mut waits, until) {
                Ok(ready) => ready,
                Err(error) => return End::Failed(format!("output could not be read: {error}")),
            };
            let [(out, out_ready), (err, err_ready), (_, status_ready), (_, gone_now)] = waits;
            let closed = out.is_none() && err.is_none();
            if let (Some((code, cwd)), false) = (&mut told, out_ready || err_ready) {
                return End::Status(*code, cwd.take());
            }
            if !ready || (gone && closed) {
                return if gone {
                    End::Gone
                } else {
                    End::Failed(format!("timed out after {} s", timeout.as_secs_f64()))
                };
            }
            if out_ready {
                self.out.read();
            }
            if err_ready {
                self.err.read();
            }
            if self.out.bytes.len() + self.err.bytes.len() > limit {
                return End::Failed(format!("more than {limit} bytes of output"));
            }
            if status_ready {
                told = self.read_status();
            }
            if told.is_some() {
                until = Instant::now(); // all that the call wrote is in the pipes: take it, wait for nothing
            } else if gone_now {
                gone = true;
                until = deadline.min(Instant::now() + AFTERMATH);
            }
        }
    }

    /// One write of less than PIPE_BUF bytes: it comes whole. A longer folder is not told.
    fn read_status(&mut self) -> Option<(i32, Option<Box<str>>)> {
        let mut text = [0u8; libc::PIPE_BUF];
        let n = self.status.read(&mut text).ok()?;
        let told = String::from_utf8_lossy(&text[..n]);
        let (status, cwd) = told.split_once(' ')?;
        let known = n < text.len() && cwd.starts_with('/') && !cwd.contains('\u{fffd}');
        Some((status.parse().ok()?, known.then(|| cwd.into())))
    }
}
