//! One shell for all calls of a session: directory, variables and functions stay, as where an agent keeps a shell.
//!
//! A call's command is put into a memory file that the shell sources, so that its parsing is that of a script and its
//! standard input is `/dev/null`; the exit code comes back on a channel of its own, and what is in the output pipes
//! by then is the call's output. Calls wait for one another.
//!
//! What runs in the shell shall not answer for it. Both channels are sockets, which nobody can open a second time; the
//! programs that a command starts do not have them; and an answer counts only if the kernel says that the shell's own
//! process sent it, and it bears the number that this call was given at random. The memory file is sealed, so that nobody
//! else can write it, and looked at again afterwards, since it could be cut off. What is not promised: a command is run by the
//! shell itself, and can change it (a trap, a function of a builtin's name), as it can where an agent keeps one.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use curserve_proto::Answer;

use crate::capture::{poll, Stream, AFTERMATH};
use crate::channel::{self, Told};
use crate::guard::Guard;
use crate::script::Script;
use crate::spawn::{self, Child, Program, Start, Tag};
use crate::world::World;

const SCRIPT: i32 = 7;
const STATUS: i32 = 8;
/// Tells the number of the call, its status, and where the shell is, which a caller beside it wants to know. No variable
/// is named, since a command may have made it readonly.
const SETUP: &str = "__curserve_end() { builtin printf '%s %d %s\\n' \"$1\" \"$2\" \"$PWD\" >&8; return \"$2\"; }; \
    readonly -f __curserve_end\n";

/// Begins and ends a call. The shell keeps its channels by numbers above 10 meanwhile, which no program inherits.
fn next(number: u64) -> String {
    let script = format!("/proc/self/fd/{SCRIPT}");
    // Opened once more, so that a command that closes the number closes this one only.
    format!(". {script} </dev/null {SCRIPT}<{script} {STATUS}>&-; __curserve_end {number:016x} \"$?\"\n")
}

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
    control: channel::Control,
    status: channel::Status,
    script: Script,
    out: Stream,
    err: Stream,
}

enum End {
    Status(i32, Option<Box<str>>),
    Gone,
    Failed(String),
    Broken(String),
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
        let mut slot = self.live.lock().unwrap_or_else(PoisonError::into_inner);
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
        let watching = match self.guard.enter_as(live.tag) {
            Ok(watching) => watching,
            Err(reason) => return Answer::failed(reason),
        };
        let end = live.answer(command, deadline, timeout, self.world.limits.output);
        let mut answer = Answer {
            stdout: std::mem::take(&mut live.out.bytes),
            stderr: std::mem::take(&mut live.err.bytes),
            ..Answer::default()
        };
        let lives = matches!(end, End::Status(..));
        match end {
            End::Status(code, cwd) => {
                answer.exit_code = Some(code);
                answer.cwd = cwd;
            }
            End::Gone => match live.child.wait() {
                Ok(code) => answer.exit_code = Some(code),
                Err(error) => {
                    answer.failed = Some(format!("the shell could not be waited for: {error}"))
                }
            },
            End::Failed(reason) => {
                answer.failed = Some(reason);
                self.guard.kill(live.tag);
                let _ = live.child.wait();
            }
            End::Broken(reason) => {
                answer.failed = Some(self.guard.give_up(reason));
                self.guard.kill(live.tag);
                let _ = live.child.wait();
            }
        }
        if !lives {
            self.guard.forget(live.tag);
            *slot = None;
        }
        watching.settle(&mut answer);
        answer
    }

    fn start(&self, cwd: &str) -> io::Result<Live> {
        let program = Program::new(
            &self.bash,
            &[b"bash", b"--noprofile", b"--norc"],
            &self.world.environment,
            cwd.as_bytes(),
        )?;
        let (control, control_end) = channel::pair()?;
        let (status, status_end) = channel::pair()?;
        let (out, out_end) = spawn::pipe()?;
        let (err, err_end) = spawn::pipe()?;
        let script = Script::new()?;
        // Out of the way of the numbers that the child gives them.
        let (script_end, status_end) = (script.readable(64)?, channel::above(&status_end, 64)?);
        let tag = self.guard.keep();
        let start = Start {
            stdio: [control_end.as_fd(), out_end.as_fd(), err_end.as_fd()],
            extra: &[(script_end.as_fd(), SCRIPT), (status_end.as_fd(), STATUS)],
            memory: self.world.limits.memory,
            tasks: self.guard.tasks(),
            tag,
        };
        let child = spawn::spawn(&program, &start).inspect_err(|_| self.guard.forget(tag))?;
        let control = channel::Control::new(control);
        control.send(SETUP.as_bytes())?;
        Ok(Live {
            status: channel::Status::new(status, child.pid)?,
            child,
            tag,
            control,
            script,
            out: Stream::new(out),
            err: Stream::new(err),
        })
    }
}

impl Live {
    fn answer(&mut self, command: &str, deadline: Instant, timeout: Duration, limit: usize) -> End {
        let sent = channel::random().and_then(|number| {
            self.script.set(command)?;
            self.control.send(next(number).as_bytes())?;
            Ok(number)
        });
        let end = match sent {
            Ok(number) => self.wait(number, deadline, timeout, limit),
            Err(error) => return End::Failed(format!("the shell does not listen: {error}")),
        };
        match (&end, self.script.is_as_set()) {
            (End::Status(..), false) => {
                End::Broken("somebody cut off the command that the shell was to read".into())
            }
            _ => end,
        }
    }

    fn wait(&mut self, number: u64, deadline: Instant, timeout: Duration, limit: usize) -> End {
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
                match self.status.read(number) {
                    Ok(Some(Told { status, folder })) => told = Some((status, folder)),
                    Ok(None) => {}
                    Err(forged) => return End::Broken(forged),
                }
            }
            if told.is_some() {
                until = Instant::now(); // all that the call wrote is in the pipes: take it, wait for nothing
            } else if gone_now {
                gone = true;
                until = deadline.min(Instant::now() + AFTERMATH);
            }
        }
    }
}
