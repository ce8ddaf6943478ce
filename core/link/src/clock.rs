//! Time on the link: nanoseconds of CLOCK_MONOTONIC, and threads that wake when they should.

use std::mem::zeroed;

fn read(clock: libc::clockid_t) -> i64 {
    // SAFETY: timespec is plain data, and the kernel fills it; both clocks exist on every Linux.
    let time = unsafe {
        let mut time: libc::timespec = zeroed();
        libc::clock_gettime(clock, &mut time);
        time
    };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Nanoseconds of CLOCK_REALTIME, the clock of the kernel's stamps.
pub fn wall() -> i64 {
    read(libc::CLOCK_REALTIME)
}

/// Nanoseconds of CLOCK_MONOTONIC.
pub fn now() -> i64 {
    read(libc::CLOCK_MONOTONIC)
}

/// What must be taken off a wall-clock stamp (the kernel stamps packets so) to get monotonic nanoseconds.
///
/// The two clocks are read one after the other, the monotonic one on both sides, so that the error is half the time
/// that the three readings take (below 100 ns).
pub fn wall_offset() -> i64 {
    let before = now();
    let wall = wall();
    let after = now();
    wall - (before + after) / 2
}

/// Burn cycles until `deadline`.
pub fn spin_until(deadline: i64) {
    while now() < deadline {
        std::hint::spin_loop();
    }
}

/// Sleep until `spin_ns` before `deadline`, then spin.
pub fn sleep_until(deadline: i64, spin_ns: i64) {
    let wake = deadline - spin_ns;
    while now() < wake {
        let time = libc::timespec {
            tv_sec: wake / 1_000_000_000,
            tv_nsec: wake % 1_000_000_000,
        };
        // SAFETY: a system call with a live timespec; an interrupted sleep is slept again.
        unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &time,
                std::ptr::null_mut(),
            )
        };
    }
    spin_until(deadline);
}

/// How this thread is scheduled, from best to what was permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// SCHED_FIFO: wakes before any ordinary process.
    RealTime,
    /// An ordinary process with a negative nice value.
    Nice,
    /// Nothing was permitted.
    Ordinary,
}

impl Priority {
    /// The word for manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::RealTime => "real-time",
            Self::Nice => "nice",
            Self::Ordinary => "ordinary",
        }
    }
}

/// Give this thread the tightest timer slack; needs no privilege.
pub fn wake_tightly() {
    // SAFETY: a plain system call on the calling thread.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong, 0, 0, 0) };
}

/// Make this thread wake on time: the tightest timer slack, and the best scheduling class that is permitted.
pub fn wake_precisely() -> Priority {
    wake_tightly();
    // SAFETY: plain system calls on the calling thread, with valid arguments.
    unsafe {
        let mut parameters: libc::sched_param = zeroed();
        parameters.sched_priority = 1;
        if libc::sched_setscheduler(0, libc::SCHED_FIFO, &parameters) == 0 {
            return Priority::RealTime;
        }
        // On Linux a nice value belongs to the thread, whatever POSIX says.
        if libc::setpriority(libc::PRIO_PROCESS, 0, -19) == 0 {
            return Priority::Nice;
        }
    }
    Priority::Ordinary
}
