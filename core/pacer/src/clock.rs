//! CLOCK_MONOTONIC: the one clock of both hosts, and waiting on it without being late.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// The last stretch before a deadline is spun, since a sleeping thread wakes tens of microseconds late.
const SPIN_NS: u64 = 60_000;
/// Above this distance the wait watches the socket, so that a client that is gone ends it.
const WATCH_NS: u64 = 4_000_000;
/// The longest wait between two looks at the stop flag.
pub(crate) const SLICE_NS: u64 = 50_000_000;

/// The time of CLOCK_MONOTONIC in nanoseconds, as Python's `time.monotonic_ns()`.
pub fn now_ns() -> u64 {
    let mut at = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `at` is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut at) };
    at.tv_sec as u64 * 1_000_000_000 + at.tv_nsec as u64
}

/// Makes the calling thread's sleeps end when asked, not up to 50 µs later (the default slack).
pub fn sharpen() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches only the calling thread.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}

/// Waits until `deadline`; an error when the peer of `fd` is gone or `stop` is set.
pub(crate) fn wait_until(fd: BorrowedFd<'_>, deadline: u64, stop: &AtomicBool) -> io::Result<()> {
    loop {
        let now = now_ns();
        let Some(left) = deadline.checked_sub(now).filter(|left| *left > 0) else {
            return Ok(());
        };
        if left > WATCH_NS {
            let slice = (left - WATCH_NS / 2).min(SLICE_NS);
            if poll(fd, libc::POLLRDHUP, slice)? != 0 {
                return Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "the client is gone",
                ));
            }
            stopped(stop)?;
        } else if left > SPIN_NS {
            sleep_until(deadline - SPIN_NS);
        } else {
            std::hint::spin_loop();
        }
    }
}

/// Waits until `deadline`, which it hits to some microseconds; false if `stop` is set before.
pub fn wait(deadline: u64, stop: &AtomicBool) -> bool {
    loop {
        let left = deadline.saturating_sub(now_ns());
        match left {
            0 => return true,
            _ if stop.load(Ordering::Relaxed) => return false,
            _ if left > SPIN_NS => sleep_until((now_ns() + SLICE_NS).min(deadline - SPIN_NS)),
            _ => std::hint::spin_loop(),
        }
    }
}

/// Waits until `fd` takes bytes again, at most one slice; an error when it is broken or `stop` is set.
pub(crate) fn wait_writable(fd: BorrowedFd<'_>, stop: &AtomicBool) -> io::Result<()> {
    poll(fd, libc::POLLOUT, SLICE_NS)?;
    stopped(stop)
}

fn stopped(stop: &AtomicBool) -> io::Result<()> {
    if stop.load(Ordering::Relaxed) {
        return Err(io::Error::new(
            io::ErrorKind::Interrupted,
            "the pacer was stopped",
        ));
    }
    Ok(())
}

fn poll(fd: BorrowedFd<'_>, events: i16, timeout_ns: u64) -> io::Result<i16> {
    let mut entry = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    let timeout = timespec(timeout_ns);
    // SAFETY: one valid entry, a valid timeout, no signal mask.
    let ready = unsafe { libc::ppoll(&mut entry, 1, &timeout, std::ptr::null()) };
    match ready {
        -1 => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            error => Err(error),
        },
        _ => Ok(entry.revents),
    }
}

fn sleep_until(at_ns: u64) {
    let at = timespec(at_ns);
    // SAFETY: `at` is valid; no remainder is asked for. Woken early by a signal, the caller looks at the clock again.
    unsafe {
        libc::clock_nanosleep(
            libc::CLOCK_MONOTONIC,
            libc::TIMER_ABSTIME,
            &at,
            std::ptr::null_mut(),
        )
    };
}

fn timespec(ns: u64) -> libc::timespec {
    libc::timespec {
        tv_sec: (ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (ns % 1_000_000_000) as libc::c_long,
    }
}
