//! What happens to a client, from any thread, in order; a descriptor becomes readable when something has.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use curserve_mirror::Message;
use rustix::event::{eventfd, EventfdFlags};

use crate::line::Streams;

/// Something that has happened.
pub(super) enum Event {
    /// A connection stands.
    Connected(Streams),
    /// There is none to be had, and why.
    Failed(String),
    /// The server has said this, on connection so-and-so.
    Said(u64, Message),
    /// That connection has ended, and why.
    Ended(u64, String),
    /// A call has been run: its number on that connection, and its result.
    Done(u64, u64, Vec<u8>),
    /// The client is to end.
    Stop,
}

/// The queue of them.
#[derive(Clone)]
pub(super) struct Events {
    queue: Arc<Mutex<VecDeque<Event>>>,
    fd: Arc<OwnedFd>,
}

impl Events {
    pub(super) fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Events {
            queue: Arc::default(),
            fd: Arc::new(fd),
        })
    }

    pub(super) fn push(&self, event: Event) {
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(event);
        // It can only fail where it is readable already.
        let _ = rustix::io::write(&*self.fd, &1u64.to_ne_bytes());
    }

    /// All that has happened since this was last asked.
    pub(super) fn take(&self) -> VecDeque<Event> {
        let _ = rustix::io::read(&*self.fd, &mut [0; 8]);
        std::mem::take(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
