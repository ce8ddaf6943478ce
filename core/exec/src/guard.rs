//! Keeps a session from taking the machine: finds every process of a call, ends it, and watches for what resource
//! limits cannot see (a fork bomb as root, memory shared by many, a disk that fills).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::spawn::Tag;
use crate::world::Limits;

/// How long a call runs before it is looked at, and how often from then on.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// Share of the machine's memory that must stay available.
const MEMORY_FLOOR: f64 = 0.04;
/// Bytes that must stay free on the workspace's file system.
const DISK_FLOOR: u64 = 512 << 20;

/// Watches the calls of one worker.
pub struct Guard {
    active: Mutex<HashMap<u64, Arc<Watch>>>,
    kept: Mutex<Vec<Tag>>,
    changed: Condvar,
    sequence: AtomicU64,
    orphans: AtomicUsize,
    limits: Limits,
    root: PathBuf,
    alone: bool,
}

/// One running call.
pub struct Watch {
    number: u64,
    /// The tag of its processes.
    pub tag: Tag,
    started: Instant,
    stopped: Mutex<Option<String>>,
}

impl Watch {
    /// Why the guard ended this call, if it did.
    pub fn stopped(&self) -> Option<String> {
        self.stopped
            .lock()
            .expect("nobody panics with this lock held")
            .clone()
    }
}

/// Ends the watch when the call is over.
pub struct Watching {
    guard: Arc<Guard>,
    /// What is watched.
    pub watch: Arc<Watch>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.guard
            .active
            .lock()
            .expect("nobody panics with this lock held")
            .remove(&self.watch.number);
    }
}

impl Guard {
    /// Start watching; `alone` says that this process is the first of its own PID namespace, so that everything
    /// else it sees belongs to its calls.
    pub fn start(limits: Limits, root: PathBuf, alone: bool) -> Arc<Self> {
        let guard = Arc::new(Guard {
            active: Mutex::new(HashMap::new()),
            kept: Mutex::new(Vec::new()),
            changed: Condvar::new(),
            sequence: AtomicU64::new(0),
            orphans: AtomicUsize::new(0),
            limits,
            root,
            alone,
        });
        let watching = Arc::clone(&guard);
        let _ = std::thread::Builder::new()
            .name("guard".into())
            .spawn(move || watching.watch());
        guard
    }

    /// Take a call under watch.
    pub fn enter(self: &Arc<Self>) -> Watching {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        self.watch_call(number, Tag::new(number))
    }

    /// Take a call under watch whose processes carry the kept `tag`.
    pub fn enter_as(self: &Arc<Self>, tag: Tag) -> Watching {
        self.watch_call(self.sequence.fetch_add(1, Ordering::Relaxed), tag)
    }

    fn watch_call(self: &Arc<Self>, number: u64, tag: Tag) -> Watching {
        let watch = Arc::new(Watch {
            number,
            tag,
            started: Instant::now(),
            stopped: Mutex::new(None),
        });
        let mut active = self
            .active
            .lock()
            .expect("nobody panics with this lock held");
        let idle = active.is_empty();
        active.insert(number, Arc::clone(&watch));
        drop(active);
        if idle {
            self.changed.notify_one();
        }
        Watching {
            guard: Arc::clone(self),
            watch,
        }
    }

    /// Processes whose parents have ended, reaped so far.
    pub fn reaped(&self) -> usize {
        self.orphans.load(Ordering::Relaxed)
    }

    /// Kill every process of `tag`, daemonised ones too, until none is left.
    pub fn kill(&self, tag: Tag) {
        for _ in 0..200 {
            let mut found = false;
            for pid in processes() {
                if tag.is_on(pid) && !is_zombie(pid) {
                    found = true;
                    // SAFETY: sends a signal; the tag says that the process belongs to the call.
                    unsafe { libc::kill(pid, libc::SIGKILL) };
                }
            }
            if !found {
                return;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    fn watch(&self) {
        loop {
            let mut active = self
                .active
                .lock()
                .expect("nobody panics with this lock held");
            while active.is_empty() {
                drop(active);
                self.reap();
                active = self
                    .active
                    .lock()
                    .expect("nobody panics with this lock held");
                if !active.is_empty() {
                    break;
                }
                active = self
                    .changed
                    .wait(active)
                    .expect("nobody panics with this lock held");
            }
            drop(active);
            std::thread::sleep(FIRST_LOOK);
            let long = |watch: &&Arc<Watch>| watch.started.elapsed() >= FIRST_LOOK;
            let running: Vec<Arc<Watch>> = {
                let active = self
                    .active
                    .lock()
                    .expect("nobody panics with this lock held");
                active.values().filter(long).cloned().collect()
            };
            if !running.is_empty() {
                if let Some(reason) = self.trouble(&running) {
                    self.stop(&running, &reason);
                }
            }
            self.reap();
        }
    }

    fn trouble(&self, running: &[Arc<Watch>]) -> Option<String> {
        let all = processes();
        let count = if self.alone {
            all.len().saturating_sub(1)
        } else {
            all.iter()
                .filter(|pid| running.iter().any(|watch| watch.tag.is_on(**pid)))
                .count()
        };
        if count as u64 > self.limits.processes {
            return Some(format!(
                "{count} processes, limit {}",
                self.limits.processes
            ));
        }
        if let Some((available, total)) = memory() {
            if (available as f64) < total as f64 * MEMORY_FLOOR {
                return Some(format!(
                    "the machine's memory ran low ({} MiB available)",
                    available >> 10
                ));
            }
        }
        let free = free_bytes(&self.root)?;
        (free < DISK_FLOOR).then(|| {
            format!(
                "the workspace's file system ran full ({} MiB left)",
                free >> 20
            )
        })
    }

    fn stop(&self, running: &[Arc<Watch>], reason: &str) {
        for watch in running {
            *watch
                .stopped
                .lock()
                .expect("nobody panics with this lock held") = Some(reason.to_owned());
        }
        if self.alone {
            for _ in 0..200 {
                // SAFETY: as the first process of our PID namespace, -1 is everything in it but ourselves.
                unsafe { libc::kill(-1, libc::SIGKILL) };
                self.reap();
                if processes().iter().filter(|pid| !is_zombie(**pid)).count() <= 1 {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        for watch in running {
            self.kill(watch.tag);
        }
    }

    /// Whether `pid` may be the first process of a running call, which waits for it itself.
    fn is_waited_for(&self, pid: libc::pid_t) -> bool {
        let active = self
            .active
            .lock()
            .expect("nobody panics with this lock held");
        let kept = self.kept.lock().expect("nobody panics with this lock held");
        active.values().any(|watch| watch.tag.is_on(pid)) || kept.iter().any(|tag| tag.is_on(pid))
    }

    /// A tag for a process that outlives its call (the persistent shell) and is waited for by its owner.
    pub fn keep(&self) -> Tag {
        let tag = Tag::new(self.sequence.fetch_add(1, Ordering::Relaxed));
        self.kept
            .lock()
            .expect("nobody panics with this lock held")
            .push(tag);
        tag
    }

    /// Forget a kept tag, after its process was waited for.
    pub fn forget(&self, tag: Tag) {
        self.kept
            .lock()
            .expect("nobody panics with this lock held")
            .retain(|kept| *kept != tag);
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

/// Every process that this one can see.
pub fn processes() -> Vec<libc::pid_t> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn is_zombie(pid: libc::pid_t) -> bool {
    Stat::of(pid).is_none_or(|stat| stat.state == b'Z' || stat.state == b'X')
}

struct Stat {
    state: u8,
    parent: u32,
}

impl Stat {
    fn of(pid: libc::pid_t) -> Option<Self> {
        let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        let after = text.iter().rposition(|byte| *byte == b')')?; // the name may hold anything, `)` too
        let rest = std::str::from_utf8(&text[after + 1..]).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        Some(Stat {
            state: *fields.next()?.as_bytes().first()?,
            parent: fields.next()?.parse().ok()?,
        })
    }
}

/// Available and total memory in KiB.
fn memory() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| -> Option<u64> {
        text.lines()
            .find(|line| line.starts_with(name))?
            .split_ascii_whitespace()
            .nth(1)?
            .parse()
            .ok()
    };
    Some((field("MemAvailable:")?, field("MemTotal:")?))
}

fn free_bytes(path: &std::path::Path) -> Option<u64> {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).ok()?;
    // SAFETY: all-zero is a valid statvfs; the kernel fills it.
    unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &raw mut stat) == 0)
            .then(|| stat.f_bavail as u64 * stat.f_frsize as u64)
    }
}
