//! Signals that end us reach the real program instead: it decides what becomes of them.

use std::sync::atomic::{AtomicI32, Ordering};

/// The process that signals are passed on to; 0 while there is none.
static CHILD: AtomicI32 = AtomicI32::new(0);

extern "C" fn pass_on(signal: i32) {
    let pid = CHILD.load(Ordering::Relaxed);
    if pid > 0 {
        // SAFETY: kill is async-signal-safe; the child is not reaped before CHILD is 0 again.
        unsafe { libc::kill(pid, signal) };
    }
}

/// From now on signals go to the process `pid`, our child.
pub fn pass_on_to(pid: u32) {
    CHILD.store(pid as i32, Ordering::Relaxed);
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: installs a handler that only makes async-signal-safe calls.
        unsafe { libc::signal(signal, pass_on as *const () as libc::sighandler_t) };
    }
}

/// From now on signals go nowhere: the child is about to be reaped.
pub fn pass_on_no_more() {
    CHILD.store(0, Ordering::Relaxed);
}
