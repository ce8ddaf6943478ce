//! Looks at what calls take: processes, memory, disk; and ends them where that is too much.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Guard, Watch};
use crate::disk::Disk;
use crate::procs::{own_memory, processes};

/// How long a call runs before it is looked at, and how often from then on.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// How fast memory may go: it is looked at before the rest of it is gone.
const BYTES_PER_MS: u64 = 8 << 20;
/// More processes than this are added up at every tenth look only.
const MANY: usize = 64;

impl Guard {
    pub(super) fn watch(&self) {
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
    pub(super) fn look_at_end(&self) {
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
    pub(super) fn count(&self, running: &[Arc<Watch>]) -> Vec<libc::pid_t> {
        let mut all = processes();
        let me = std::process::id();
        match self.alone {
            true => all.retain(|pid| *pid as u32 != me),
            false => all.retain(|pid| running.iter().any(|watch| watch.tag.is_on(*pid))),
        }
        all
    }

    /// What the session takes too much of; else how much memory is left.
    pub(super) fn trouble(&self, pids: &[libc::pid_t]) -> Result<u64, String> {
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
    pub(super) fn disk_trouble(&self) -> Option<String> {
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
