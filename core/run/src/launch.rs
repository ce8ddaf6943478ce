//! The agent among its shims, and a daemon beside it that is started again when it dies.

use std::ffi::{OsStr, OsString};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags};

use crate::agents;
use crate::folder::RunFolder;
use crate::inherited;
use crate::resident::{self, Lease};
use crate::shim::SHELL_BEFORE;
use crate::signals::Signals;

/// A daemon that dies again within this time is not started again at once.
const RESPITE: Duration = Duration::from_secs(1);

/// What to run, and where.
pub struct Launch {
    /// The agent's program and arguments; at least the program.
    pub words: Vec<OsString>,
    /// The folder to serve, by its real path; None: none, and no shims.
    pub root: Option<PathBuf>,
    /// How long the daemon stays when nobody needs it any more.
    pub leave: Duration,
}

/// How the agent ended.
pub enum Ended {
    /// It ran.
    Status(ExitStatus),
    /// It could not be started: the exit code that a shell would give, and why.
    NotStarted(u8, String),
}

/// Runs the agent to its end. `say` takes what should be known; whatever goes wrong around the agent, it runs.
pub fn run(launch: &Launch, say: &mut dyn FnMut(&str)) -> Ended {
    let name = &launch.words[0];
    let Some(program) = find(name) else {
        return Ended::NotStarted(127, format!("{} is not on PATH", name.to_string_lossy()));
    };
    let mut lease = launch
        .root
        .as_deref()
        .and_then(|root| held(root, launch.leave, say));
    let folder = lease
        .is_some()
        .then(RunFolder::make)
        .and_then(|made| match made {
            Ok(folder) => Some(folder),
            Err(why) => {
                say(&format!("no shims: {why}; the agent runs without them"));
                None
            }
        });
    let mut command = Command::new(&program);
    command.arg0(name).args(&launch.words[1..]);
    if let Some(folder) = &folder {
        command.envs(variables(folder, &program, say));
    }
    let mut signals = match Signals::take() {
        Ok(signals) => signals,
        Err(error) => return Ended::NotStarted(126, format!("no descriptor for signals: {error}")),
    };
    let before = signals.before();
    // SAFETY: between fork and exec only what POSIX allows there: masks, dispositions and descriptors as they were.
    unsafe {
        command.pre_exec(move || {
            before.restore();
            inherited::restore();
            Ok(())
        });
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ended::NotStarted(126, format!("{}: {error}", program.display())),
    };
    let ended = attend(&mut child, &mut lease, launch, &mut signals);
    drop(folder);
    ended
}

/// A lease of the daemon of `root`.
fn held(root: &Path, leave: Duration, say: &mut dyn FnMut(&str)) -> Option<Lease> {
    match resident::find_or_start(root, leave) {
        Ok(lease) => {
            if !lease.is_ours() {
                say(&format!(
                    "a daemon of version {} serves {} and is in use: it stays, and may answer less",
                    lease.version,
                    root.display()
                ));
            }
            Some(lease)
        }
        Err(why) => {
            say(&format!("{why}; the real programs run"));
            None
        }
    }
}

/// What the agent's environment has besides.
fn variables(
    folder: &RunFolder,
    program: &Path,
    say: &mut dyn FnMut(&str),
) -> Vec<(OsString, OsString)> {
    let shims = folder.shims();
    let mut path = shims.clone().into_os_string();
    if let Some(before) = std::env::var_os("PATH") {
        path.push(":");
        path.push(before);
    }
    let mut set = vec![("PATH".into(), path)];
    let Some(agent) = agents::of(program) else {
        return set;
    };
    match agent.variables(folder.path()) {
        Ok(more) => set.extend(more),
        Err(why) => say(&why),
    }
    let shell = std::env::var_os("SHELL").unwrap_or_default();
    let name = Path::new(&shell).file_name().unwrap_or_default();
    if agent.starts_its_shell() && (name == "bash" || name == "sh") {
        set.push(("SHELL".into(), shims.join(name).into_os_string()));
        set.push((SHELL_BEFORE.into(), shell));
    }
    set
}

/// Waits for the agent, passes signals on, and starts the daemon again when it has gone.
fn attend(
    child: &mut Child,
    lease: &mut Option<Lease>,
    launch: &Launch,
    signals: &mut Signals,
) -> Ended {
    let failed = |error: std::io::Error| {
        Ended::NotStarted(126, format!("the agent could not be waited for: {error}"))
    };
    // SAFETY: opens a descriptor for our own child, not yet reaped.
    let process = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) };
    let Ok(process) =
        i32::try_from(process)
            .map_err(drop)
            .and_then(|fd| if fd < 0 { Err(()) } else { Ok(fd) })
    else {
        return child.wait().map_or_else(failed, Ended::Status);
    };
    // SAFETY: just opened, and nobody else's.
    let process = unsafe { OwnedFd::from_raw_fd(process) };
    let mut again: Option<Instant> = None;
    loop {
        let mut waited = vec![
            PollFd::new(&process, PollFlags::IN),
            PollFd::new(signals, PollFlags::IN),
        ];
        if let Some(lease) = &lease {
            waited.push(PollFd::from_borrowed_fd(lease.end(), PollFlags::IN));
        }
        let until = again.map(|at| at.saturating_duration_since(Instant::now()));
        let until = until.and_then(|left| rustix::event::Timespec::try_from(left).ok());
        let _ = poll(&mut waited, until.as_ref());
        let ready: Vec<bool> = waited.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(waited);
        if ready[1] {
            signals.pass_on_to(child.id());
        }
        if ready[0] {
            return child.wait().map_or_else(failed, Ended::Status);
        }
        if ready.get(2) == Some(&true) {
            *lease = None;
            again = Some(again.map_or_else(Instant::now, |_| Instant::now() + RESPITE));
        }
        if lease.is_none() && again.is_some_and(|at| at <= Instant::now()) {
            if let Some(root) = &launch.root {
                *lease = resident::find_or_start(root, launch.leave).ok();
            }
            again = Some(Instant::now() + RESPITE).filter(|_| lease.is_none());
        }
    }
}

/// The program that a shell would start for `name`.
fn find(name: &OsStr) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::PermissionsExt;
    if name.as_bytes().contains(&b'/') {
        return Some(name.into()).filter(|path: &PathBuf| path.exists());
    }
    let runs = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(runs)
}

/// Ends this process as the agent ended; returns its exit code where that was no signal.
pub fn end_like(status: ExitStatus) -> u8 {
    if let Some(signal) = status.signal() {
        // SAFETY: the default action ends this process, which has no core of its own to leave.
        unsafe {
            let none = libc::rlimit {
                rlim_cur: 0,
                rlim_max: 0,
            };
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
            libc::signal(signal, libc::SIG_DFL);
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, signal);
            libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
            libc::raise(signal);
        }
        return u8::try_from(128 + signal).unwrap_or(255);
    }
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(255)
}
