//! What Rust's runtime changes before `main`, and a program that becomes another one has to hand on as it was: standard
//! descriptors that were closed (opened on `/dev/null` by the runtime) and the disposition of SIGPIPE (ignored by it).

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// One bit for each of the descriptors 0, 1 and 2 that was closed.
static CLOSED: AtomicU8 = AtomicU8::new(0);
static IGNORED: AtomicBool = AtomicBool::new(false);

/// Called by the loader, before the runtime begins: there is no stable hook of the runtime's own.
#[used]
#[link_section = ".init_array"]
static LOOK: extern "C" fn() = look;

extern "C" fn look() {
    for fd in 0..3 {
        // SAFETY: asks about a descriptor, open or not.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            CLOSED.fetch_or(1 << fd, Ordering::Relaxed);
        }
    }
    // SAFETY: a zeroed `sigaction` is a value of it, and asking for the present one changes nothing.
    let ignored = unsafe {
        let mut present: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), &mut present) == 0
            && present.sa_sigaction == libc::SIG_IGN
    };
    IGNORED.store(ignored, Ordering::Relaxed);
}

/// Whether any of the standard descriptors was closed.
pub fn lacks_a_descriptor() -> bool {
    CLOSED.load(Ordering::Relaxed) != 0
}

/// Whether this program was started with SIGPIPE ignored.
pub fn ignores_sigpipe() -> bool {
    IGNORED.load(Ordering::Relaxed)
}

/// Puts everything back as it was. Only what becomes another program or ends may come after it.
pub fn restore() {
    let disposition = match ignores_sigpipe() {
        true => libc::SIG_IGN,
        false => libc::SIG_DFL,
    };
    for fd in (0..3).filter(|fd| CLOSED.load(Ordering::Relaxed) & (1 << fd) != 0) {
        // SAFETY: what the runtime opened there nobody else holds.
        unsafe { libc::close(fd) };
    }
    // SAFETY: sets a disposition, no handler.
    unsafe { libc::signal(libc::SIGPIPE, disposition) };
}
