//! What threads leave for an event loop, which waits for a descriptor and takes all of it at once.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

/// Results by number, and an eventfd that is readable while there are any.
#[derive(Debug)]
pub struct Outbox<T> {
    done: Mutex<Vec<(u64, T)>>,
    event: OwnedFd,
}

impl<T> Outbox<T> {
    /// Makes an empty one.
    ///
    /// # Errors
    /// Where there is no descriptor to be had.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if event < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and belongs to nobody else.
        let event = unsafe { OwnedFd::from_raw_fd(event) };
        Ok(Self {
            done: Mutex::default(),
            event,
        })
    }

    /// Leaves these, with the numbers under which they were asked for, and makes the descriptor readable.
    pub fn put(&self, done: impl IntoIterator<Item = (u64, T)>) {
        let mut done = done.into_iter().peekable();
        if done.peek().is_none() {
            return;
        }
        // A panic while the lock is held leaves a plain list behind, which stays usable.
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(done);
        drop(all);
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight valid bytes to our own eventfd. It can fail only when the counter is full, and is then readable.
        unsafe { libc::write(self.event.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Returns what has come since the last call, and makes the descriptor unreadable again.
    pub fn take(&self) -> Vec<(u64, T)> {
        let mut count = [0_u8; 8];
        // SAFETY: eight writable bytes; the descriptor does not block.
        unsafe {
            libc::read(
                self.event.as_raw_fd(),
                count.as_mut_ptr().cast(),
                count.len(),
            )
        };
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *done)
    }
}

impl<T> AsRawFd for Outbox<T> {
    /// The eventfd that is readable while [`Outbox::take`] has something.
    fn as_raw_fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_readable_while_something_is_in_it() {
        let outbox = Outbox::new().unwrap();
        let readable = || {
            let mut one = libc::pollfd {
                fd: outbox.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            // SAFETY: one valid structure, and no time to wait.
            unsafe { libc::poll(&mut one, 1, 0) == 1 }
        };
        outbox.put([]);
        assert!(!readable());
        outbox.put([(1, 'a'), (2, 'b')]);
        outbox.put([(3, 'c')]);
        assert!(readable());
        assert_eq!(outbox.take(), [(1, 'a'), (2, 'b'), (3, 'c')]);
        assert!(!readable());
        assert!(outbox.take().is_empty());
    }
}
