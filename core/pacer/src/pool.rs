//! Threads at hand for streams, so that an event loop can submit one and be told when it is written.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::ahead::Ahead;
use crate::clock::sharpen;
use crate::outbox::Outbox;
use crate::stream::{write, Stream, Written};

/// A pool that grows to as many threads as streams run at once. Dropping it stops them.
#[derive(Debug)]
pub struct Pacer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    stop: AtomicBool,
    done: Outbox<Written>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    idle: usize,
    waiting: VecDeque<(u64, Stream)>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held leaves plain queues behind, which stay usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        sharpen();
        let _ahead = Ahead::of_others();
        let mut state = self.state();
        while !self.stop.load(Ordering::Relaxed) {
            if let Some((id, stream)) = state.waiting.pop_front() {
                drop(state);
                let written = write(&stream, &self.stop);
                drop(stream);
                self.done.put([(id, written)]);
                state = self.state();
            } else {
                state.idle += 1;
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}

impl Pacer {
    /// Makes a pool with one thread ready.
    ///
    /// # Errors
    /// Where there is no descriptor or no thread to be had.
    pub fn new() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            stop: AtomicBool::new(false),
            done: Outbox::new()?,
        });
        let pacer = Self { shared };
        pacer.spawn()?;
        Ok(pacer)
    }

    /// Hands `stream` to a thread; returns the number under which [`Pacer::take`] will report it.
    ///
    /// # Errors
    /// Where its cuts are wrong, or there is no thread to be had.
    pub fn submit(&self, stream: Stream) -> io::Result<u64> {
        stream
            .check()
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))?;
        let mut state = self.shared.state();
        if state.idle <= state.waiting.len() {
            self.spawn()?;
        }
        let id = state.next;
        state.next += 1;
        state.waiting.push_back((id, stream));
        drop(state);
        self.shared.work.notify_one();
        Ok(id)
    }

    /// Returns the streams that ended since the last call, and makes the descriptor unreadable again.
    pub fn take(&self) -> Vec<(u64, Written)> {
        self.shared.done.take()
    }

    /// Makes every running stream end soon, with an error, and all later ones at once.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The lock orders this with a thread that is about to wait, so that none misses it.
        let _state = self.shared.state();
        self.shared.work.notify_all();
    }

    /// Writes `stream` on the calling thread, ended by [`Pacer::stop`] as the others are.
    pub fn write(&self, stream: &Stream) -> Written {
        write(stream, &self.shared.stop)
    }

    fn spawn(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name("pacer".into())
            .stack_size(256 * 1024)
            .spawn(move || shared.serve())?;
        Ok(())
    }
}

impl AsRawFd for Pacer {
    /// The eventfd that is readable when [`Pacer::take`] has something.
    fn as_raw_fd(&self) -> RawFd {
        self.shared.done.as_raw_fd()
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop();
    }
}
