//! What `worker` and `serve` have in common on the command line, and how both start.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Read;
use std::os::fd::RawFd;
use std::os::unix::net::UnixListener;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use curserve_exec::gauges::{adopt, Gauge, Gauges};
use curserve_exec::{confine, inside, Limits};
use lexopt::{Arg, Parser, ValueExt};

use curserve_serve::{SocketFile, Stop};

use curserve_run::known;

use crate::{versions, Failure};

/// The options of a program that serves a workspace.
pub struct Options {
    verb: &'static str,
    socket: Option<PathBuf>,
    listen_fd: Option<RawFd>,
    /// The workspace, by its path without links.
    pub root: PathBuf,
    /// The path at which the daemon looks for it: the one that was given where callers know it by another name, else the same.
    pub followed: PathBuf,
    /// Where commands see it.
    pub at: String,
    /// One shell for all calls.
    pub persistent: bool,
    /// End with standard input.
    pub lifeline: bool,
    /// End when nobody has been connected for so long.
    pub leave: Option<Duration>,
    /// The namespaces of whoever put a sandbox around us; looked at from inside before the first call.
    outer: Option<String>,
    /// Confined by Landlock, for want of namespaces: the private temporary folder, and the folder with `rg`.
    pub landlock: Option<(PathBuf, PathBuf)>,
    /// What calls may use.
    pub limits: Limits,
    /// What memory is left.
    pub gauges: Gauges,
    /// The programs whose version is not known, and why, where somebody has asked them before.
    pub unknown: Option<BTreeMap<String, String>>,
    /// The state folder that was named.
    state: Option<PathBuf>,
}

impl Options {
    /// Read the command line of `verb`.
    ///
    /// # Errors
    /// A wrong word, or a root that is no folder.
    pub fn read(verb: &'static str, mut parser: Parser) -> Result<Self, Failure> {
        let (mut socket, mut listen_fd, mut root, mut at) = (None, None, None::<PathBuf>, None);
        let (mut limits, mut persistent, mut lifeline) = (Limits::default(), false, false);
        let (mut tmp, mut bin, mut outer) = (None, None, None);
        let (mut gauges, mut unknown, mut leave) = (Gauges::default(), None, None);
        let mut state = None;
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Long("socket") => socket = Some(parser.value()?.into()),
                Arg::Long("listen-fd") => listen_fd = Some(parser.value()?.parse()?),
                Arg::Long("root") => root = Some(parser.value()?.into()),
                Arg::Long("at") => at = Some(parser.value()?.string()?),
                Arg::Long("persistent") => persistent = true,
                Arg::Long("lifeline") => lifeline = true,
                Arg::Long("leave-s") => leave = Some(seconds(verb, "--leave-s", &parser.value()?)?),
                Arg::Long("state") => state = Some(PathBuf::from(parser.value()?)),
                Arg::Long("outer") => outer = Some(parser.value()?.string()?),
                Arg::Long("landlock-tmp") => tmp = Some(PathBuf::from(parser.value()?)),
                Arg::Long("landlock-bin") => bin = Some(PathBuf::from(parser.value()?)),
                Arg::Long("timeout-s") => {
                    limits.timeout = seconds(verb, "--timeout-s", &parser.value()?)?
                }
                Arg::Long("output-bytes") => limits.output = parser.value()?.parse()?,
                Arg::Long("memory-bytes") => limits.memory = parser.value()?.parse()?,
                Arg::Long("processes") => limits.processes = parser.value()?.parse()?,
                Arg::Long("file-bytes") => limits.file = parser.value()?.parse()?,
                Arg::Long("session-bytes") => limits.session = parser.value()?.parse()?,
                Arg::Long("disk-bytes") => limits.disk = parser.value()?.parse()?,
                Arg::Long("inodes") => limits.inodes = parser.value()?.parse()?,
                Arg::Long("gauge") => {
                    let word = parser.value()?.string()?;
                    let gauge = Gauge::parse(&word).ok_or_else(|| {
                        let what = "expected LIMIT,USAGE_FD,STAT_FD of open files";
                        Failure::Usage(format!("{verb}: --gauge {word}: {what}"))
                    })?;
                    gauges.groups.push(gauge);
                }
                Arg::Long("unknown") => {
                    let text = parser.value()?.string()?;
                    unknown = Some(serde_json::from_str(&text).map_err(|error| {
                        let what = "expected an object of programs and reasons";
                        Failure::Usage(format!("{verb}: --unknown: {what}: {error}"))
                    })?);
                }
                Arg::Long("kills-fd") => gauges.kills = adopt(parser.value()?.parse()?),
                Arg::Long("call-bytes") => limits.values = parser.value()?.parse()?,
                _ => return Err(argument.unexpected().into()),
            }
        }
        let root = root.ok_or_else(|| Failure::Usage(format!("{verb}: --root DIR is missing")))?;
        let unusable = |error| Failure::Usage(format!("{verb}: root {}: {error}", root.display()));
        let given = std::path::absolute(&root).map_err(unusable)?;
        let root = root.canonicalize().map_err(unusable)?;
        if !root.is_dir() {
            return Err(Failure::Usage(format!(
                "{verb}: root {} is not a folder",
                root.display()
            )));
        }
        let followed = match at {
            Some(_) => given,
            None => root.clone(),
        };
        let at = at.unwrap_or_else(|| root.to_string_lossy().into_owned());
        if !is_place(&at, &root) {
            return Err(Failure::Usage(format!(
                "{verb}: --at {at}: expected an absolute path without `..`, such as /testbed"
            )));
        }
        Ok(Options {
            verb,
            socket,
            listen_fd,
            root,
            followed,
            at,
            persistent,
            lifeline,
            leave,
            outer,
            landlock: tmp.zip(bin),
            limits,
            gauges,
            unknown,
            state,
        })
    }

    /// Where the index is kept from one start to the next: in the folder that `--state` names; for a daemon at the well-known
    /// socket else that of `CURSERVE_STATE` (empty: nowhere), or one in the user's cache.
    pub fn state(&self) -> Option<PathBuf> {
        let is_well_known = self.socket.is_none() && self.listen_fd.is_none();
        let named = self.state.clone().map(PathBuf::into_os_string);
        let named = named.or_else(|| std::env::var_os("CURSERVE_STATE").filter(|_| is_well_known));
        match named {
            Some(named) => (!named.is_empty()).then(|| PathBuf::from(named)),
            None => Some(versions::cache()?.with_file_name("trees")).filter(|_| is_well_known),
        }
    }

    /// Where no socket was named, take the well-known one of the root, at which the shim looks.
    ///
    /// # Errors
    /// Where its folder cannot be made, or is somebody else's.
    pub fn default_socket(&mut self) -> Result<(), Failure> {
        if self.socket.is_none() && self.listen_fd.is_none() {
            let folder = known::folder();
            known::prepare(&folder)?;
            self.socket = Some(known::socket(&folder, &self.root));
        }
        Ok(())
    }

    /// End `stop`'s server on SIGTERM and SIGINT. Before any thread: they must inherit the mask.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn stop_on_signals(&self, stop: Stop) -> std::io::Result<()> {
        on_signals(move || stop.stop())
    }
}

/// Has `end` done on SIGTERM and SIGINT. Before any thread: they must inherit the mask.
///
/// # Errors
/// Where there is no thread to be had.
pub fn on_signals(end: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    // SAFETY: blocks two signals in this thread and those it will start; programs are started with none blocked.
    let set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::sigaddset(&raw mut set, libc::SIGINT);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        set
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            let mut signal = 0;
            // SAFETY: waits for one of the blocked signals.
            unsafe { libc::sigwait(&raw const set, &raw mut signal) };
            end();
        })?;
    Ok(())
}

impl Options {
    /// Confine this process, and all it will start, as far as nobody has done so around it. Before any thread.
    ///
    /// # Errors
    /// That of the step that failed; this process is to end then.
    pub fn confine(&self) -> Result<(), Failure> {
        let sockets = match &self.landlock {
            None => confine::Sockets::Namespaced,
            Some((tmp, bin)) => {
                curserve_exec::landlocked::restrict(&[&self.root, tmp], &[bin])?;
                confine::Sockets::None
            }
        };
        confine::confine(&self.limits, sockets)?;
        if let Some(outer) = &self.outer {
            let gauges = self.gauges.descriptors();
            inside::close_others(&[self.listen_fd.as_slice(), &gauges].concat())?;
            inside::check(outer, &self.at)?;
        }
        // Executed by descriptor, we would be called by its number.
        // SAFETY: sets this thread's name from a valid string.
        unsafe { libc::prctl(libc::PR_SET_NAME, c"curserve".as_ptr()) };
        Ok(())
    }

    /// Bind or inherit the socket; a bound one has a file, to be removed in the end.
    ///
    /// # Errors
    /// Where both or neither were named, or the path cannot be bound.
    pub fn listen(&self) -> Result<(UnixListener, Option<Arc<SocketFile>>), Failure> {
        match (&self.socket, self.listen_fd) {
            (Some(path), None) => {
                let (listener, file) = curserve_serve::bind(path)?;
                Ok((listener, Some(Arc::new(file))))
            }
            (None, Some(fd)) => Ok((curserve_serve::inherit(fd)?, None)),
            _ => Err(Failure::Usage(format!(
                "{}: give either --socket PATH or --listen-fd N",
                self.verb
            ))),
        }
    }

    /// Tie this process to whoever started it, if asked to, and take its socket's `file` along. Before any thread and any
    /// confinement.
    ///
    /// # Errors
    /// Where there is no thread to be had.
    pub fn hold_lifeline(&self, file: Option<Arc<SocketFile>>) -> std::io::Result<()> {
        if !self.lifeline {
            return Ok(());
        }
        // The other end of standard input is held by the starter, who cannot close it without us noticing, not even
        // by being killed.
        let watch = move || {
            let mut byte = [0u8; 1];
            while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
            curserve_exec::guard::end_all();
            if let Some(file) = file {
                file.remove();
            }
            std::process::exit(0);
        };
        std::thread::Builder::new()
            .name("lifeline".into())
            .spawn(watch)?;
        Ok(())
    }
}

/// A time limit: anything above 0 that a clock can tell.
fn seconds(verb: &str, option: &str, word: &OsStr) -> Result<Duration, Failure> {
    let seconds = word.to_str().and_then(|word| word.parse::<f64>().ok());
    let limit = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    limit.filter(|limit| !limit.is_zero()).ok_or_else(|| {
        let word = word.to_string_lossy();
        Failure::Usage(format!(
            "{verb}: {option} {word}: expected a number of seconds above 0"
        ))
    })
}

/// Whether a workspace can be seen at `at`: paths are compared name by name, so each must have only one form. Nothing but
/// `/` itself can be at `/`, where the system is.
fn is_place(at: &str, root: &Path) -> bool {
    let parts = Path::new(at).components();
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let has_one_form = parts.clone().all(is_plain) && parts.collect::<PathBuf>().as_os_str() == at;
    Path::new(at).is_absolute() && has_one_form && (at != "/" || root == Path::new("/"))
}
