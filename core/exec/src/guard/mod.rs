//! Keeps a session from taking the machine: finds every process of a call and ends it (`ending`), and watches for what
//! resource limits cannot see (`looking`: a fork bomb as root, memory shared by many, a disk that fills).
//!
//! A session is whole, or [broken](Guard::broken): where what was stopped goes on, or took more with it than the calls
//! that were running, every later call is answered with the reason and nothing else.

mod ending;
mod looking;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use curserve_proto::Answer;

pub use self::ending::end_all;
use crate::disk::Disk;
use crate::gauges::Gauges;
pub use crate::procs::processes;
use crate::procs::threads_elsewhere;
use crate::spawn::Tag;
use crate::world::Limits;

/// Threads of the worker itself, and processes of the sandbox.
const THREADS: u64 = 256;
/// What others of this user may start meanwhile, where the kernel counts all of its threads as one.
const OTHERS: u64 = 4096;

/// How the answer of a broken session begins.
pub const BROKEN: &str = "session broken: ";

/// The guard of this process.
static THIS: OnceLock<Weak<Guard>> = OnceLock::new();

/// Watches the calls of one worker.
pub struct Guard {
    state: Mutex<State>,
    kept: Mutex<Vec<Tag>>,
    changed: Condvar,
    first: u64,
    sequence: AtomicU64,
    orphans: AtomicUsize,
    looks: AtomicUsize,
    kills_seen: AtomicU64,
    limits: Limits,
    disk: Option<Disk>,
    gauges: Gauges,
    alone: bool,
    tasks: u64,
}

#[derive(Default)]
struct State {
    active: HashMap<u64, Arc<Watch>>,
    /// Everything is being ended: no call begins meanwhile.
    stopping: bool,
    broken: Option<String>,
}

/// One running call.
pub struct Watch {
    number: u64,
    /// The tag of its processes.
    pub tag: Tag,
    started: Instant,
    stopped: OnceLock<String>,
    /// Its first process was waited for: the rest are orphans.
    over: AtomicBool,
}

/// Ends the watch when the call is over.
pub struct Watching {
    guard: Arc<Guard>,
    /// What is watched.
    pub watch: Arc<Watch>,
}

impl Watching {
    /// The call is over: a last look, and where the guard ended it, or what it did broke the session, that is the answer.
    pub fn settle(self, answer: &mut Answer) {
        self.watch.over.store(true, Ordering::SeqCst);
        self.guard.look_at_end();
        if self.watch.stopped.get().is_some() {
            drop(self.guard.wait_until_stopped()); // only then it is known whether the session is whole
        }
        let stopped = || Some(format!("stopped: {}", self.watch.stopped.get()?));
        if let Some(reason) = self.guard.broken().or_else(stopped) {
            answer.exit_code = None;
            answer.cwd = None;
            answer.failed = Some(reason);
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.guard.lock().active.remove(&self.watch.number);
    }
}

impl Guard {
    /// Start watching; `alone` says that this process is the first of its own PID namespace, so that everything
    /// else it sees belongs to its calls.
    pub fn start(limits: Limits, root: PathBuf, gauges: Gauges, alone: bool) -> Arc<Self> {
        // Below other workers of the same user, which may see our processes, tags must not be the same.
        let first = if alone {
            0
        } else {
            u64::from(std::process::id()) * 7919
        };
        let tasks = match alone && counts_by_namespace() {
            true => limits.processes + THREADS,
            false if alone => libc::RLIM_INFINITY,
            false => threads_elsewhere() + limits.processes + OTHERS,
        };
        let guard = Arc::new(Guard {
            state: Mutex::default(),
            kept: Mutex::new(Vec::new()),
            changed: Condvar::new(),
            first,
            sequence: AtomicU64::new(first),
            orphans: AtomicUsize::new(0),
            looks: AtomicUsize::new(0),
            kills_seen: AtomicU64::new(gauges.kills()),
            disk: Disk::new(&root, limits.disk, limits.inodes).ok(),
            limits,
            gauges,
            alone,
            tasks,
        });
        let _ = THIS.set(Arc::downgrade(&guard));
        let watching = Arc::clone(&guard);
        let _ = std::thread::Builder::new()
            .name("guard".into())
            .spawn(move || watching.watch());
        guard
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many tasks the user of a call's processes may have (RLIMIT_NPROC).
    pub fn tasks(&self) -> u64 {
        self.tasks
    }

    /// Why no call is executed any more, as its answer says it; None while the session is whole.
    pub fn broken(&self) -> Option<String> {
        self.lock()
            .broken
            .as_ref()
            .map(|reason| format!("{BROKEN}{reason}"))
    }

    /// Execute nothing any more, for `reason`; returns what to answer. The first reason stays.
    pub fn give_up(&self, reason: impl Into<String>) -> String {
        let mut state = self.lock();
        let reason = state.broken.get_or_insert_with(|| reason.into());
        format!("{BROKEN}{reason}")
    }

    /// Take a call under watch.
    ///
    /// # Errors
    /// What to answer where the session is broken.
    pub fn enter(self: &Arc<Self>) -> Result<Watching, String> {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        self.watch_call(number, Tag::new(number))
    }

    /// Take a call under watch whose processes carry the kept `tag`.
    ///
    /// # Errors
    /// As [`Guard::enter`].
    pub fn enter_as(self: &Arc<Self>, tag: Tag) -> Result<Watching, String> {
        self.watch_call(self.sequence.fetch_add(1, Ordering::Relaxed), tag)
    }

    /// Waits while everything is being ended.
    fn wait_until_stopped(&self) -> MutexGuard<'_, State> {
        let woken = self.changed.wait_while(self.lock(), |state| state.stopping);
        woken.unwrap_or_else(PoisonError::into_inner)
    }

    fn watch_call(self: &Arc<Self>, number: u64, tag: Tag) -> Result<Watching, String> {
        let mut state = self.wait_until_stopped();
        if let Some(reason) = &state.broken {
            return Err(format!("{BROKEN}{reason}"));
        }
        let watch = Arc::new(Watch {
            number,
            tag,
            started: Instant::now(),
            stopped: OnceLock::new(),
            over: AtomicBool::new(false),
        });
        let idle = state.active.is_empty();
        state.active.insert(number, Arc::clone(&watch));
        drop(state);
        if idle {
            self.changed.notify_all();
        }
        Ok(Watching {
            guard: Arc::clone(self),
            watch,
        })
    }

    /// Processes whose parents have ended, reaped so far.
    pub fn reaped(&self) -> usize {
        self.orphans.load(Ordering::Relaxed)
    }

    /// A tag for a process that outlives its call (the persistent shell) and is waited for by its owner.
    pub fn keep(&self) -> Tag {
        let tag = Tag::new(self.sequence.fetch_add(1, Ordering::Relaxed));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(tag);
        tag
    }

    /// Forget a kept tag, after its process was waited for.
    pub fn forget(&self, tag: Tag) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|kept| *kept != tag);
    }
}

/// Whether the kernel counts the tasks of a user in each user namespace by itself: since 5.14.
fn counts_by_namespace() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-', '+', '\n'])
        .map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}
