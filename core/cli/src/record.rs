//! `curserve-record`: a shell or search program under its own name that runs the real one and logs the call.
//!
//! `curserve-bench trace record` puts copies of this binary where an agent looks for `bash`, `sh`, `rg` and `grep`.
//! Each copy ends in its configuration, so that it works with an empty environment too. What is logged goes to the
//! recorder's socket in frames (a byte that tells the kind, a 32-bit length, the bytes): `S` start, `O` and `E` output
//! as it comes, `X` end. After `S` and `X` the recorder answers with a byte: it may look at the files first. Where no
//! recorder listens, and inside a call that is logged already, this becomes the real program.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};

use serde_json::{json, Value};

/// In the environment of a call that is logged: what it starts in turn is part of it.
const INSIDE: &str = "CURSERVE_RECORDING";
const MAGIC: &[u8; 8] = b"CURSRECD";
const SHELLS: [&str; 3] = ["bash", "sh", "dash"];

struct Configuration {
    name: String,
    real: String,
    socket: String,
    folder: String,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    let Some(mut configuration) = configuration() else {
        eprintln!("curserve-record: run by `curserve-bench trace record`, not by hand");
        return ExitCode::from(2);
    };
    if let Some(name) = std::path::Path::new(&called)
        .file_name()
        .and_then(OsStr::to_str)
    {
        if SHELLS.contains(&name) {
            name.clone_into(&mut configuration.name); // `sh` is a link to `dash`
        }
    }
    let command = match kind(&configuration.name, &arguments) {
        Kind::Command(text) => Some(text),
        Kind::Program => None,
        Kind::Session => {
            if std::env::var_os(INSIDE).is_none() {
                tell_session(&configuration);
            }
            return become_real(&configuration, &called, &arguments);
        }
        Kind::Script => return become_real(&configuration, &called, &arguments),
    };
    if std::env::var_os(INSIDE).is_some() {
        return become_real(&configuration, &called, &arguments);
    }
    let Ok(log) = UnixStream::connect(&configuration.socket) else {
        return become_real(&configuration, &called, &arguments);
    };
    match Call::run(&configuration, log, &called, &arguments, command.as_deref()) {
        Ok(status) => end_like(status),
        Err(error) => {
            eprintln!("curserve-record: {}: {error}", configuration.real);
            ExitCode::from(126)
        }
    }
}

/// The configuration at the end of this very file: JSON, its length, MAGIC.
fn configuration() -> Option<Configuration> {
    let mut file = File::open("/proc/self/exe").ok()?;
    let mut tail = [0; 12];
    file.seek(SeekFrom::End(-12)).ok()?;
    file.read_exact(&mut tail).ok()?;
    if &tail[4..] != MAGIC {
        return None;
    }
    let length = u32::from_le_bytes(tail[..4].try_into().ok()?);
    file.seek(SeekFrom::End(-12 - i64::from(length))).ok()?;
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text).ok()?;
    let value: Value = serde_json::from_slice(&text).ok()?;
    let field = |key: &str| value.get(key)?.as_str().map(str::to_owned);
    Some(Configuration {
        name: field("name")?,
        real: field("real")?,
        socket: field("socket")?,
        folder: field("folder")?,
    })
}

/// What a command line asks of the program.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A shell's `-c` and its text: a call.
    Command(OsString),
    /// A search program: a call.
    Program,
    /// A shell that reads commands as they come: its commands cannot be told apart.
    Session,
    /// A shell that runs a script file: how agents themselves are started.
    Script,
}

fn kind(name: &str, arguments: &[OsString]) -> Kind {
    if !SHELLS.contains(&name) {
        return Kind::Program;
    }
    let (mut has_command, mut at) = (false, 0);
    while let Some(word) = arguments.get(at).map(|word| word.as_bytes()) {
        if word == b"--" || word == b"-" {
            at += 1;
            break;
        }
        if word.starts_with(b"--") {
            at += usize::from([&b"--rcfile"[..], b"--init-file"].contains(&word));
        } else if word.len() > 1 && (word[0] == b'-' || word[0] == b'+') {
            has_command |= word[0] == b'-' && word.contains(&b'c');
            at += word.iter().filter(|c| [b'o', b'O'].contains(c)).count();
        } else {
            break;
        }
        at += 1;
    }
    match (has_command, arguments.get(at)) {
        (true, Some(text)) => Kind::Command(text.clone()),
        (false, Some(_)) => Kind::Script,
        _ => Kind::Session,
    }
}

fn tell_session(configuration: &Configuration) {
    if let Ok(mut log) = UnixStream::connect(&configuration.socket) {
        let start = json!({"name": configuration.name, "session": true, "pid": std::process::id()});
        let _ = frame(&mut log, b'S', start.to_string().as_bytes());
    }
}

fn real(configuration: &Configuration, called: &OsStr, arguments: &[OsString]) -> Command {
    let mut command = Command::new(&configuration.real);
    command.arg0(called).args(arguments);
    // What runs inside finds the real programs: our folder leaves PATH.
    if let Some(path) = std::env::var_os("PATH") {
        let kept = std::env::split_paths(&path).filter(|p| p != OsStr::new(&configuration.folder));
        if let Ok(path) = std::env::join_paths(kept) {
            command.env("PATH", path);
        }
    }
    // SAFETY: between fork and exec only this system call; Rust ignores SIGPIPE, and programs must not.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGPIPE, libc::SIG_DFL);
            Ok(())
        });
    }
    command
}

/// Returns only where the real program could not be started. PATH stays: what a script starts is to be logged.
fn become_real(configuration: &Configuration, called: &OsStr, arguments: &[OsString]) -> ExitCode {
    let mut command = real(configuration, called, arguments);
    if std::env::var_os(INSIDE).is_none() {
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
    }
    let error = command.exec();
    eprintln!("curserve-record: {}: {error}", configuration.real);
    ExitCode::from(127)
}

fn frame(log: &mut UnixStream, kind: u8, bytes: &[u8]) -> std::io::Result<()> {
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    log.write_all(&head)?;
    log.write_all(bytes)
}

fn monotonic_ns() -> i64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel fills a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec * 1_000_000_000 + now.tv_nsec
}

/// The process that signals are passed on to; 0 while there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);

extern "C" fn pass_on(signal: i32) {
    let pid = CHILD.load(Ordering::Relaxed);
    if pid > 0 {
        // SAFETY: kill is async-signal-safe; the child is not reaped before CHILD is 0 again.
        unsafe { libc::kill(pid, signal) };
    }
}

/// One stream of the real program on its way to ours and into the log.
struct Stream {
    from: OwnedFd,
    to: i32,
    kind: u8,
}

struct Call {
    log: Option<UnixStream>,
    streams: Vec<Stream>,
}

impl Call {
    fn run(
        configuration: &Configuration,
        mut log: UnixStream,
        called: &OsStr,
        arguments: &[OsString],
        command: Option<&OsStr>,
    ) -> std::io::Result<ExitStatus> {
        let is_merged = same_file(1, 2);
        let cwd = std::env::current_dir().unwrap_or_default();
        let words: Vec<_> = arguments.iter().map(|w| w.to_string_lossy()).collect();
        let start = json!({
            "name": configuration.name, "arguments": words, "cwd": cwd.to_string_lossy(), "merged": is_merged,
            "command": command.map(OsStr::to_string_lossy), "terminal": is_terminal(1), "pid": std::process::id(),
        });
        let mut answer = [0];
        let listens = frame(&mut log, b'S', start.to_string().as_bytes()).is_ok()
            && log.read_exact(&mut answer).is_ok();
        let mut call = Call {
            log: listens.then_some(log),
            streams: Vec::new(),
        };
        let mut command = real(configuration, called, arguments);
        command.env(INSIDE, std::process::id().to_string());
        let (out, err) = call.outputs(is_merged)?;
        command.stdout(out).stderr(err);
        // SAFETY: between fork and exec only this system call: should we be killed, the program is too.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let started = monotonic_ns();
        let child = command.spawn()?;
        drop(command); // our copies of the writing ends
        CHILD.store(child.id() as i32, Ordering::Relaxed);
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
            // SAFETY: installs a handler that only makes async-signal-safe calls.
            unsafe { libc::signal(signal, pass_on as *const () as libc::sighandler_t) };
        }
        let status = call.copy_until_exit(child)?;
        let ended = monotonic_ns();
        let end = json!({
            "started_ns": started, "ended_ns": ended, "code": status.code(), "signal": status.signal(),
            "open": !call.streams.is_empty(),
        });
        call.tell(b'X', end.to_string().as_bytes());
        if let Some(log) = &mut call.log {
            let _ = log.read_exact(&mut answer);
        }
        call.leave_copier();
        Ok(status)
    }

    /// Where the program writes: a pipe, or a terminal where ours is one; one for both streams where ours are one file.
    fn outputs(&mut self, merged: bool) -> std::io::Result<(Stdio, Stdio)> {
        let mut open = |to: i32, kind: u8| -> std::io::Result<OwnedFd> {
            let (from, into) = if is_terminal(to) {
                terminal(to)?
            } else {
                pipe()?
            };
            self.streams.push(Stream { from, to, kind });
            Ok(into)
        };
        let out = open(1, b'O')?;
        let err = if merged {
            out.try_clone()?
        } else {
            open(2, b'E')?
        };
        Ok((out.into(), err.into()))
    }

    /// Copy until the program has ended and what it wrote has been read; streams that others hold open stay.
    fn copy_until_exit(&mut self, mut child: Child) -> std::io::Result<ExitStatus> {
        // SAFETY: opens a descriptor for our own child, not yet reaped.
        let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, child.id(), 0) } as i32;
        loop {
            let mut fds: Vec<libc::pollfd> = self
                .streams
                .iter()
                .map(|s| s.from.as_raw_fd())
                .chain([pidfd])
                .map(waited_for)
                .collect();
            // SAFETY: `fds` is a valid array; an interruption (a signal passed on) only polls again.
            unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
            let has_exited = fds.last().is_some_and(|fd| fd.revents != 0);
            let ready: Vec<bool> = fds.iter().map(|fd| fd.revents != 0).collect();
            self.copy(&ready);
            if has_exited {
                while self.anything_ready() {
                    let all = vec![true; self.streams.len()];
                    self.copy(&all);
                }
                CHILD.store(0, Ordering::Relaxed);
                return child.wait();
            }
        }
    }

    /// Whether anything is left to read now; a stream that has ended is dropped.
    fn anything_ready(&mut self) -> bool {
        self.streams
            .retain(|s| matches!(events(&s.from), e if e == 0 || e & libc::POLLIN != 0));
        self.streams.iter().any(|s| events(&s.from) != 0)
    }

    /// Copy what the streams marked in `ready` hold; one that has ended is dropped.
    fn copy(&mut self, ready: &[bool]) {
        let mut buffer = vec![0; 64 << 10];
        let mut kept = Vec::new();
        let streams = std::mem::take(&mut self.streams);
        for (stream, ready) in streams.into_iter().zip(ready) {
            if *ready && events(&stream.from) != 0 {
                // SAFETY: the kernel writes at most the buffer's length.
                let n = unsafe {
                    libc::read(
                        stream.from.as_raw_fd(),
                        buffer.as_mut_ptr().cast(),
                        buffer.len(),
                    )
                };
                let Ok(n) = usize::try_from(n) else {
                    if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted {
                        kept.push(stream);
                    }
                    continue; // a terminal nobody holds any more ends with an error
                };
                if n == 0 || !write_all(stream.to, &buffer[..n]) {
                    continue; // the program wrote all, or nobody reads us: it gets SIGPIPE as without us
                }
                self.tell(stream.kind, &buffer[..n]);
            }
            kept.push(stream);
        }
        self.streams = kept;
    }

    fn tell(&mut self, kind: u8, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            if frame(log, kind, bytes).is_err() {
                self.log = None;
            }
        }
    }

    /// What the program left running may still write: a child of ours copies that until it ends, unlogged.
    fn leave_copier(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        self.log = None;
        // SAFETY: this process has one thread, so the child may go on as it likes.
        if unsafe { libc::fork() } != 0 {
            return;
        }
        while !self.streams.is_empty() {
            let mut fds: Vec<libc::pollfd> = self
                .streams
                .iter()
                .map(|s| waited_for(s.from.as_raw_fd()))
                .collect();
            // SAFETY: a valid array.
            unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, -1) };
            let ready: Vec<bool> = fds.iter().map(|fd| fd.revents != 0).collect();
            self.copy(&ready);
        }
        std::process::exit(0);
    }
}

/// What a descriptor has for us now, without waiting: 0, or POLLIN, POLLHUP, POLLERR.
fn events(fd: &OwnedFd) -> i16 {
    let mut fd = waited_for(fd.as_raw_fd());
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&raw mut fd, 1, 0) };
    fd.revents
}

fn waited_for(fd: i32) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

fn write_all(fd: i32, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        // SAFETY: reads from a valid slice.
        let n = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(n) {
            Ok(n) => bytes = &bytes[n..],
            Err(_) => match std::io::Error::last_os_error().kind() {
                std::io::ErrorKind::Interrupted => {}
                std::io::ErrorKind::WouldBlock => {
                    let mut wait = libc::pollfd {
                        fd,
                        events: libc::POLLOUT,
                        revents: 0,
                    };
                    // SAFETY: one valid pollfd.
                    unsafe { libc::poll(&raw mut wait, 1, -1) };
                }
                _ => return false,
            },
        }
    }
    true
}

fn pipe() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two descriptors, which are then ours.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) != 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// A terminal of the size of `like`, which changes nothing that is written to it: `like` itself does, as without us.
fn terminal(like: i32) -> std::io::Result<(OwnedFd, OwnedFd)> {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: valid pointers; the two descriptors are then ours.
    unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        libc::ioctl(like, libc::TIOCGWINSZ, &raw mut size);
        if libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut size,
        ) != 0
        {
            return Err(std::io::Error::last_os_error());
        }
        for fd in [master, slave] {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        let mut how: libc::termios = std::mem::zeroed();
        libc::tcgetattr(slave, &raw mut how);
        how.c_oflag &= !libc::OPOST;
        libc::tcsetattr(slave, libc::TCSANOW, &raw const how);
        Ok((OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)))
    }
}

fn is_terminal(fd: i32) -> bool {
    // SAFETY: asks about a descriptor, open or not.
    unsafe { libc::isatty(fd) == 1 }
}

/// Whether two descriptors lead to one file: an agent that reads both streams as one.
fn same_file(one: i32, other: i32) -> bool {
    let identity = |fd: i32| {
        std::fs::metadata(format!("/proc/self/fd/{fd}"))
            .map(|meta| (meta.dev(), meta.ino()))
            .ok()
    };
    identity(one).is_some() && identity(one) == identity(other)
}

/// End as the program did, by a signal too.
fn end_like(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        // SAFETY: the default action ends this process.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
    }
    ExitCode::from(u8::try_from(status.code().unwrap_or(255)).unwrap_or(255))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Kind {
        kind(
            "bash",
            &words.iter().map(OsString::from).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_call_is_what_stands_behind_c() {
        assert_eq!(of(&["-c", "ls"]), Kind::Command("ls".into()));
        assert_eq!(of(&["-lc", "ls", "x"]), Kind::Command("ls".into()));
        assert_eq!(of(&["-c", "-e", "ls"]), Kind::Command("ls".into()));
        assert_eq!(
            of(&["-o", "pipefail", "-c", "ls"]),
            Kind::Command("ls".into())
        );
        assert_eq!(of(&["--norc", "-c", "ls"]), Kind::Command("ls".into()));
        assert_eq!(
            of(&["--rcfile", "x", "-ic", "ls"]),
            Kind::Command("ls".into())
        );
        assert_eq!(of(&["script.sh", "-c", "x"]), Kind::Script);
        assert_eq!(of(&["-i"]), Kind::Session);
        assert_eq!(of(&[]), Kind::Session);
        assert_eq!(kind("rg", &["-c".into(), "x".into()]), Kind::Program);
    }
}
