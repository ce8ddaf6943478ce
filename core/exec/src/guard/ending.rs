//! Ends processes: those of a call, those of all calls, all of the PID namespace; and buries what is left of them.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::{Guard, Watch, THIS};
use crate::procs::{is_dead, processes, Stat};
use crate::spawn::Tag;

/// How long what was ended may take to give back what it had.
const PATIENCE: Duration = Duration::from_secs(1);

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

impl Guard {
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

    /// End every call that runs, and make sure that what was wrong is over.
    pub(super) fn stop(&self, reason: &str) {
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

    /// Bury orphans that the kernel gave us; calls bury their own children.
    pub(super) fn reap(&self) {
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
