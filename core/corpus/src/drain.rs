//! The thread that empties the kernel's event queue between queries, so that it does not overflow, and applies what
//! it found once things are quiet, so that the next query need not.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::Error;
use crate::inner::Shared;
use crate::watch::Watches;

/// Events that come this close together are collected before they are applied.
const QUIET_MS: i32 = 10;
/// The pause between two drains under a stream of events.
const PAUSE: Duration = Duration::from_millis(1);

/// Runs until dropped.
pub(crate) struct Drain {
    stop: Arc<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Drain {
    pub(crate) fn start(shared: Weak<Shared>, watches: Arc<Watches>) -> Result<Drain, Error> {
        // SAFETY: no pointers; a non-negative result is a descriptor that nobody else owns.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(Error::Events(io::Error::last_os_error()));
        }
        // SAFETY: as above, `fd` is open and ours.
        let stop = Arc::new(unsafe { OwnedFd::from_raw_fd(fd) });
        let told = stop.clone();
        let thread = std::thread::Builder::new()
            .name("corpus-drain".into())
            .spawn(move || run(&shared, &watches, told.as_raw_fd()))
            .map_err(Error::Events)?;
        Ok(Drain {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: writes eight bytes from a live array to an open eventfd.
        unsafe { libc::write(self.stop.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Weak<Shared>, watches: &Watches, stop: i32) {
    let mut waiting = false;
    loop {
        let poll = |fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        let mut fds = [poll(stop), poll(watches.raw_fd())];
        // SAFETY: `fds` is an array of two pollfd that outlives the call.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), 2, if waiting { QUIET_MS } else { -1 }) };
        if fds[0].revents != 0 {
            return;
        }
        let Some(shared) = shared.upgrade() else {
            return;
        };
        if ready > 0 {
            waiting |= shared.lock().collect().is_ok();
            std::thread::sleep(PAUSE);
        } else if waiting {
            waiting = false;
            // An error here comes back at the next query, which reports it.
            let _ = shared.lock().apply();
        }
    }
}
