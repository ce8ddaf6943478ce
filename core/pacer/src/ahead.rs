//! Running when a token is due, on a machine whose processors are all taken by tools.
//!
//! A thread that wakes up among equals gets a processor at the next tick of the scheduler: 4 ms at 250 Hz, which is
//! what a token was then late by. The GPU that is played here does not wait for the tools of its clients, so the
//! thread that writes its tokens goes before everything else for as long as it does only that.

/// The calling thread goes before others until this is dropped; what it starts meanwhile does not.
#[derive(Debug)]
pub struct Ahead {
    before: Option<(libc::c_int, libc::sched_param)>,
}

impl Ahead {
    /// Asks for the least of the real-time priorities, which wants CAP_SYS_NICE or a limit that allows it; without,
    /// for the shortest slice, which a kernel from 6.12 on gives anybody, and prefers at a wake-up.
    #[must_use]
    pub fn of_others() -> Self {
        // SAFETY: the calls take zero for the calling thread; the structures outlive the calls that read them.
        unsafe {
            let policy = libc::sched_getscheduler(0);
            let mut param = std::mem::zeroed::<libc::sched_param>();
            let known = policy >= 0 && libc::sched_getparam(0, &mut param) == 0;
            // Whoever runs in real time already knows better, and goes ahead until it says otherwise; so does who waits for idle
            // processors.
            if !known || ![libc::SCHED_OTHER, libc::SCHED_BATCH].contains(&policy) {
                return Self { before: None };
            }
            let first = libc::sched_param { sched_priority: 1 };
            let asked = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
            if libc::sched_setscheduler(0, asked, &first) == 0 {
                return Self {
                    before: Some((policy, param)),
                };
            }
            ask_for_short_slices(policy);
        }
        Self { before: None }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some((policy, param)) = self.before {
            // SAFETY: as above. To give up a priority needs no privilege; the nice value was kept.
            unsafe { libc::sched_setscheduler(0, policy, &param) };
        }
    }
}

/// The slice to ask for: the shortest that the kernel takes.
const SLICE_NS: u64 = 100_000;

fn ask_for_short_slices(policy: libc::c_int) {
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }
    // SAFETY: the structure is the first version of the kernel's (48 bytes) and outlives the call; an older kernel
    // ignores the runtime of such a thread.
    unsafe {
        let nice = libc::getpriority(libc::PRIO_PROCESS, libc::gettid() as libc::id_t);
        let asked = Attributes {
            size: std::mem::size_of::<Attributes>() as u32,
            policy: policy as u32,
            flags: 0,
            nice,
            priority: 0,
            runtime_ns: SLICE_NS,
            deadline_ns: 0,
            period_ns: 0,
        };
        libc::syscall(libc::SYS_sched_setattr, 0, &asked, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn policy() -> i32 {
        // SAFETY: zero names the calling thread.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn a_thread_is_afterwards_what_it_was() {
        thread::spawn(|| {
            let (before, ahead) = (policy(), Ahead::of_others());
            let meanwhile = policy();
            let of_children = thread::spawn(policy).join().unwrap();
            assert_eq!(ahead.before.is_some(), meanwhile != before);
            assert_eq!(of_children, before, "what it starts does not go ahead");
            drop(Ahead::of_others());
            assert_eq!(policy(), meanwhile, "one within another changes nothing");
            drop(ahead);
            assert_eq!(policy(), before);
        })
        .join()
        .unwrap();
    }
}
