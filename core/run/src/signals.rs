//! Signals to `curserve run` are for the agent: those of a terminal reach it anyway, the others are passed on.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What ends a program, or means something to it.
const PASSED: [libc::c_int; 6] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

/// The signals of this process, taken as they come.
pub struct Signals {
    fd: OwnedFd,
    before: Mask,
}

/// The signals that were blocked before.
#[derive(Clone, Copy)]
pub struct Mask(libc::sigset_t);

impl Mask {
    /// Blocks these, and no others.
    pub fn restore(&self) {
        // SAFETY: sets this thread's mask from a set that the system gave.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}

impl Signals {
    /// From now on signals wait here.
    ///
    /// # Errors
    /// Where there are no descriptors left.
    pub fn take() -> std::io::Result<Signals> {
        // SAFETY: valid sets; the descriptor is then ours.
        unsafe {
            let (mut set, mut before) = (std::mem::zeroed(), std::mem::zeroed());
            libc::sigemptyset(&raw mut set);
            for signal in PASSED {
                libc::sigaddset(&raw mut set, signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, &raw mut before);
            let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
            if fd < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(Signals {
                fd: OwnedFd::from_raw_fd(fd),
                before: Mask(before),
            })
        }
    }

    /// What was blocked before.
    pub fn before(&self) -> Mask {
        self.before
    }

    /// Passes on what has come, unless a terminal sent it to the whole group, `pid` among it.
    pub fn pass_on_to(&mut self, pid: u32) {
        loop {
            // SAFETY: the kernel fills one structure, whose size is given.
            let (got, come) = unsafe {
                let mut come: libc::signalfd_siginfo = std::mem::zeroed();
                let size = size_of::<libc::signalfd_siginfo>();
                (
                    libc::read(self.fd.as_raw_fd(), (&raw mut come).cast(), size),
                    come,
                )
            };
            if got <= 0 {
                return;
            }
            if come.ssi_code != libc::SI_KERNEL {
                // SAFETY: our child, which is not reaped before we have looked here.
                unsafe { libc::kill(pid as i32, come.ssi_signo as i32) };
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
