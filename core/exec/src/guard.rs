//! Keeps a session from taking the machine: finds every process of a call, ends it, and watches for what resource
//! limits cannot see (a fork bomb as root, memory shared by many, a disk that fills).
//!
//! A session is whole, or [broken](Guard::broken): where what was stopped goes on, or took more with it than the calls
//! that were running, every later call is answered with the reason and nothing else.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use curserve_proto::Answer;

use crate::disk::Disk;
use crate::gauges::Gauges;
pub use crate::procs::processes;
use crate::procs::{is_dead, own_memory, threads_elsewhere, Stat};
use crate::spawn::Tag;
use crate::world::Limits;

/// How long a call runs before it is looked at, and how often from then on.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// How fast memory may go: it is looked at before the rest of it is gone.
const BYTES_PER_MS: u64 = 8 << 20;
/// More processes than this are added up at every tenth look only.
const MANY: usize = 64;
/// How long what was ended may take to give back what it had.
const PATIENCE: Duration = Duration::from_secs(1);
/// Threads of the worker itself, and processes of the sandbox.
const THREADS: u64 = 256;
/// What others of this user may start meanwhile, where the kernel counts all of its threads as one.
const OTHERS: u64 = 4096;

/// How the answer of a broken session begins.
pub const BROKEN: &str = "session broken: ";

/// The guard of this process.
static THIS: OnceLock<Weak<Guard>> = OnceLock::new();

/// End all that calls have started and left running, before this process ends: where it is not the first one of a PID
/// namespace, nobody else does.
pub fn end_all() {
    let guard = THIS.get().and_then(Weak::upgrade);
    if let Some(guard) = guard.filter(|guard| !guard.alone) {
        let end = guard.sequence.load(Ordering::SeqCst);
        let ours = |tag: Tag| tag.is_within(guard.first, end);
        guard.kill_all(|pid| Tag::of(pid).is_some_and(ours));
    }
}

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

    /// Kill every process of `tag`, daemonised ones too, until none is left. Where they are faster, and cannot be told
    /// from others fast enough, everything in our PID namespace goes, and the session with it.
    pub fn kill(&self, tag: Tag) {
        if self.kill_all(|pid| tag.is_on(pid)) {
            return;
        }
        self.give_up("what a call had started could not be ended by itself");
        if self.alone {
            self.kill_namespace();
        }
    }

    /// Kill what `is_one` says, until nothing of it is left; false where that cannot be done.
    fn kill_all(&self, is_one: impl Fn(libc::pid_t) -> bool) -> bool {
        let me = std::process::id();
        for _ in 0..200 {
            let mut found = false;
            for pid in processes() {
                if pid as u32 != me && is_one(pid) && !is_dead(pid) {
                    // SAFETY: sends a signal; the tag says that the process belongs to the call. Another session's, which
                    // carries the same one, is out of reach.
                    let killed = unsafe { libc::kill(pid, libc::SIGKILL) } == 0;
                    found |= killed;
                }
            }
            if !found {
                return true;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        false
    }

    /// End everything in our PID namespace at once: nothing can fork while the kernel does it.
    fn kill_namespace(&self) {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            // SAFETY: as the first process of our PID namespace, -1 is everything in it but ourselves.
            unsafe { libc::kill(-1, libc::SIGKILL) };
            self.reap();
            if processes().iter().filter(|pid| !is_dead(**pid)).count() <= 1 {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        self.give_up("a process cannot be ended");
    }

    fn watch(&self) {
        let mut pause = FIRST_LOOK;
        loop {
            let mut state = self.lock();
            while state.active.is_empty() {
                drop(state);
                self.reap();
                state = self.lock();
                if !state.active.is_empty() {
                    break;
                }
                let woken = self.changed.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            std::thread::sleep(pause);
            pause = FIRST_LOOK;
            let running = self.active(pause);
            if !running.is_empty() {
                match self
                    .trouble(&self.count(&running))
                    .and_then(|left| self.disk_trouble().map_or(Ok(left), Err))
                {
                    Err(reason) => self.stop(&reason),
                    Ok(left) => {
                        let soon = Duration::from_millis(left / BYTES_PER_MS);
                        pause = soon.clamp(Duration::from_millis(2), FIRST_LOOK);
                    }
                }
            }
            self.reap();
        }
    }

    /// The calls that have been running for `long`.
    fn active(&self, long: Duration) -> Vec<Arc<Watch>> {
        let state = self.lock();
        let all = state.active.values();
        all.filter(|watch| watch.started.elapsed() >= long)
            .cloned()
            .collect()
    }

    /// At the end of each call: one system call for the disk, and one for memory where the kernel counts it.
    fn look_at_end(&self) {
        let kills = self.gauges.kills();
        let before = self.kills_seen.fetch_max(kills, Ordering::SeqCst);
        if kills > before {
            let reason = format!(
                "the session's memory reached its limit, and the kernel ended {} of its processes",
                kills - before
            );
            self.give_up(&*reason); // which ones, nobody knows
            self.stop(&reason);
        } else if let Some(reason) = self.disk_trouble() {
            self.stop(&reason);
        }
    }

    /// After something else than a process has written: what to answer if the session is over its quota.
    ///
    /// # Errors
    /// What to answer.
    pub fn check_disk(&self) -> Result<(), String> {
        self.look_at_end();
        self.broken().map_or(Ok(()), Err)
    }

    /// Which of the session's processes belong to `running` calls, or to any where they cannot be told from others.
    fn count(&self, running: &[Arc<Watch>]) -> Vec<libc::pid_t> {
        let mut all = processes();
        let me = std::process::id();
        match self.alone {
            true => all.retain(|pid| *pid as u32 != me),
            false => all.retain(|pid| running.iter().any(|watch| watch.tag.is_on(*pid))),
        }
        all
    }

    /// What the session takes too much of; else how much memory is left.
    fn trouble(&self, pids: &[libc::pid_t]) -> Result<u64, String> {
        let (count, most) = (pids.len() as u64, self.limits.processes);
        if count > most {
            return Err(format!("{count} processes, limit {most}"));
        }
        let left = self.gauges.left()?;
        let look = self.looks.fetch_add(1, Ordering::Relaxed);
        if self.gauges.kills.is_none() && (pids.len() <= MANY || look.is_multiple_of(10)) {
            self.memory(pids)?;
        }
        Ok(left)
    }

    /// What is wrong with the disk, if anything is.
    fn disk_trouble(&self) -> Option<String> {
        let disk = self.disk.as_ref().filter(|disk| disk.is_suspicious());
        disk.and_then(Disk::trouble)
    }

    /// Adds up the session's memory, where no control group does.
    fn memory(&self, pids: &[libc::pid_t]) -> Result<(), String> {
        let mut used: u64 = pids.iter().map(|pid| own_memory(*pid)).sum();
        if self.alone {
            used += ["/tmp", "/dev/shm"]
                .into_iter()
                .map(used_below)
                .sum::<u64>();
        }
        let most = self.limits.session;
        match used > most {
            true => Err(format!(
                "{} MiB of memory, limit {}",
                used >> 20,
                most >> 20
            )),
            false => Ok(()),
        }
    }

    /// End every call that runs, and make sure that what was wrong is over.
    fn stop(&self, reason: &str) {
        let mut state = self.lock();
        if state.stopping {
            return;
        }
        state.stopping = true;
        let running: Vec<Arc<Watch>> = state.active.values().cloned().collect();
        drop(state);
        for watch in &running {
            let _ = watch.stopped.set(reason.to_owned());
        }
        let theirs = |pid: libc::pid_t| running.iter().any(|watch| watch.tag.is_on(pid));
        if self.alone {
            // Fork bombs are faster than we can tell processes apart, so all go. That may be more than the running calls.
            let me = std::process::id();
            let others = |pid: &libc::pid_t| *pid as u32 != me && !is_dead(*pid) && !theirs(*pid);
            if processes().iter().any(others) {
                self.give_up(format!(
                    "{reason}; what earlier calls had left running was ended with it"
                ));
            }
            self.kill_namespace();
        } else if !self.kill_all(theirs) {
            self.give_up(format!(
                "{reason}, and what a call had started could not be ended"
            ));
        }
        self.make_sure(reason);
        self.lock().stopping = false;
        self.changed.notify_all();
    }

    /// What was ended gives back what it had; where something stays wrong, later calls would be the ones to suffer.
    fn make_sure(&self, reason: &str) {
        let end = Instant::now() + PATIENCE;
        if self.alone {
            // The dead are buried, too: the next call may list processes.
            for _ in 0..50 {
                self.reap();
                if processes().len() <= 1 {
                    break;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let alive = || {
            let all = self.count(&[]).into_iter();
            all.filter(|pid| !is_dead(*pid)).collect::<Vec<_>>()
        };
        while let Err(still) = self.trouble(&alive()) {
            if Instant::now() >= end {
                let and = if still == reason {
                    String::new()
                } else {
                    format!("; then: {still}")
                };
                self.give_up(format!("{reason}{and}"));
                return;
            }
            self.reap();
            std::thread::sleep(Duration::from_millis(5));
        }
        if let Some(still) = self.disk_trouble() {
            self.give_up(still); // what was written stays
        }
    }

    /// Whether `pid` may be the first process of a running call, which waits for it itself.
    fn is_waited_for(&self, pid: libc::pid_t) -> bool {
        let state = self.lock();
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |watch: &Arc<Watch>| !watch.over.load(Ordering::SeqCst) && watch.tag.is_on(pid);
        state.active.values().any(waits) || kept.iter().any(|tag| tag.is_on(pid))
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

    /// Bury orphans that the kernel gave us; calls bury their own children.
    fn reap(&self) {
        // SAFETY: all-zero is a valid siginfo_t; WNOWAIT leaves whatever is found in place.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let peek = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: as above; si_pid is valid after a successful waitid.
        if unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, peek) != 0 || info.si_pid() == 0 } {
            return;
        }
        let me = std::process::id();
        for pid in processes() {
            if let Some(stat) = Stat::of(pid) {
                if stat.state == b'Z' && stat.parent == me && !self.is_waited_for(pid) {
                    // SAFETY: waits for a zombie child of ours without blocking.
                    unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) };
                    self.orphans.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Bytes that are used of the file system at `path`, which is the session's own and lies in memory.
fn used_below(path: &str) -> u64 {
    rustix::fs::statvfs(path).map_or(0, |found| {
        found
            .f_blocks
            .saturating_sub(found.f_bfree)
            .saturating_mul(found.f_frsize)
    })
}

/// Whether the kernel counts the tasks of a user in each user namespace by itself: since 5.14.
fn counts_by_namespace() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release
        .split(['.', '-', '+', '\n'])
        .map_while(|word| word.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(5), Some(14))
}
