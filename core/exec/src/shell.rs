//! Runs programs for calls: `bash -c` afresh, or a program directly.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use curserve_proto::Answer;

use crate::capture::{capture, End, Stream};
use crate::guard::Guard;
use crate::persistent::Persistent;
use crate::spawn::{self, Child, Program, Start};
use crate::world::World;

/// Starts programs in one world.
pub struct Runner {
    world: World,
    guard: Arc<Guard>,
    null: OwnedFd,
    bash: String,
    persistent: Option<Persistent>,
}

impl Runner {
    /// Prepare; an error where the machine has no `bash` or no `/dev/null`.
    ///
    /// # Errors
    /// Where the machine has no `bash` or no `/dev/null`.
    pub fn new(world: World, guard: Arc<Guard>) -> io::Result<Self> {
        let bash = find("bash", &world).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "bash not found on the pinned PATH; install bash",
            )
        })?;
        let persistent = world
            .persistent
            .then(|| Persistent::new(world.clone(), Arc::clone(&guard), bash.clone()));
        Ok(Runner {
            persistent,
            null: spawn::open(c"/dev/null")?,
            world,
            guard,
            bash,
        })
    }

    /// Run `command` in a fresh `bash -c`, or in the session's own shell.
    pub fn bash(&self, command: &str, cwd: &str, timeout: Duration) -> Answer {
        if let Some(shell) = &self.persistent {
            return shell.run(command, cwd, timeout);
        }
        self.run(
            &self.bash,
            &[b"bash", b"-c", command.as_bytes()],
            cwd,
            timeout,
        )
    }

    /// Run `argv` directly; the first is looked up on the pinned PATH.
    pub fn direct(&self, argv: &[&[u8]], cwd: &str, timeout: Duration) -> Answer {
        let Some(name) = argv.first().and_then(|name| std::str::from_utf8(name).ok()) else {
            return Answer::failed("argv: expected at least the program's name, in UTF-8");
        };
        match find(name, &self.world) {
            Some(path) => self.run(&path, argv, cwd, timeout),
            None => Answer::done(127, "", format!("{name}: command not found\n")),
        }
    }

    fn run(&self, path: &str, argv: &[&[u8]], cwd: &str, timeout: Duration) -> Answer {
        let deadline = Instant::now() + timeout;
        let watching = match self.guard.enter() {
            Ok(watching) => watching,
            Err(reason) => return Answer::failed(reason),
        };
        let started =
            Program::new(path, argv, &self.world.environment, cwd.as_bytes()).and_then(|program| {
                let (out, out_end) = spawn::pipe()?;
                let (err, err_end) = spawn::pipe()?;
                let start = Start {
                    stdio: [self.null.as_fd(), out_end.as_fd(), err_end.as_fd()],
                    extra: &[],
                    memory: self.world.limits.memory,
                    tasks: self.guard.tasks(),
                    tag: watching.watch.tag,
                };
                Ok((
                    spawn::spawn(&program, &start)?,
                    Stream::new(out),
                    Stream::new(err),
                ))
            });
        let (child, mut out, mut err) = match started {
            Ok(started) => started,
            Err(error) => return self.not_started(path, cwd, &error),
        };
        let end = capture(
            &child,
            &mut out,
            &mut err,
            deadline,
            self.world.limits.output,
        );
        let mut answer = Answer {
            stdout: out.bytes,
            stderr: err.bytes,
            ..Answer::default()
        };
        match end {
            Ok(End::Exited) => {}
            Ok(End::TimedOut) => {
                answer.failed = Some(format!("timed out after {} s", timeout.as_secs_f64()))
            }
            Ok(End::TooLong) => {
                answer.failed = Some(format!(
                    "more than {} bytes of output",
                    self.world.limits.output
                ));
            }
            Err(error) => answer.failed = Some(format!("output could not be read: {error}")),
        }
        if answer.failed.is_some() {
            self.guard.kill(watching.watch.tag);
        }
        finish(&mut answer, &child);
        watching.settle(&mut answer);
        answer
    }

    /// What to answer where `path` did not start; where nothing would, the session is broken.
    fn not_started(&self, path: &str, cwd: &str, error: &io::Error) -> Answer {
        let what = format!("{path} could not be started in {cwd}: {error}");
        let exhausted = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE];
        let is_exhausted = error.raw_os_error().is_some_and(|n| exhausted.contains(&n));
        Answer::failed(match is_exhausted {
            true => self.guard.give_up(what),
            false => what,
        })
    }
}

fn finish(answer: &mut Answer, child: &Child) {
    match child.wait() {
        Ok(code) if answer.failed.is_none() => answer.exit_code = Some(code),
        Ok(_) => {}
        Err(error) => answer.failed = Some(format!("the process could not be waited for: {error}")),
    }
}

/// Where `name` is on the pinned PATH.
pub fn find(name: &str, world: &World) -> Option<String> {
    if name.contains('/') {
        return Some(name.to_owned());
    }
    let path = world
        .environment
        .iter()
        .find(|(key, _)| key == "PATH")?
        .1
        .as_str();
    path.split(':')
        .map(|folder| format!("{folder}/{name}"))
        .find(|file| std::ffi::CString::new(file.as_str()).is_ok_and(|file| is_executable(&file)))
}

fn is_executable(path: &CStr) -> bool {
    // SAFETY: asks about a valid path.
    unsafe { libc::access(path.as_ptr(), libc::X_OK) == 0 }
}
