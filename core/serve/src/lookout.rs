//! Sees that a peer goes on asking while all who could read are answering.
//!
//! The thread that has read a call answers it, and then reads on. To wake another one in its place, for a next call that
//! mostly comes only when this one is answered, takes as long as an answer does. So one thread of the server looks at
//! all connections from which nobody reads at the moment, and rouses somebody where there is something to read.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;

/// Wants to be told that there is something to read.
pub(crate) trait Rouse: Send + Sync {
    /// There is something to read, or the end.
    fn rouse(self: Arc<Self>);
}

/// Looks at connections; ends when it is dropped.
pub(crate) struct Lookout {
    epoll: Arc<OwnedFd>,
    sleepers: Arc<Sleepers>,
    /// Its other end is looked at too: that this one is closed is the end.
    _open: UnixStream,
}

/// By the number of their socket. One that has been closed and given to another connection can rouse that one for nothing.
#[derive(Default)]
struct Sleepers(Mutex<HashMap<RawFd, Sleeper>>);

struct Sleeper {
    who: Weak<dyn Rouse>,
    /// Where it has no thread, nobody else keeps it.
    parked: Option<Arc<dyn Rouse>>,
}

impl Sleepers {
    fn lock(&self) -> MutexGuard<'_, HashMap<RawFd, Sleeper>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lookout {
    /// Starts looking.
    ///
    /// # Errors
    /// Where the system gives no descriptor or no thread for it.
    pub(crate) fn start() -> io::Result<Self> {
        let epoll = Arc::new(epoll::create(CreateFlags::CLOEXEC)?);
        let sleepers = Arc::<Sleepers>::default();
        let (open, end) = UnixStream::pair()?;
        epoll::add(&*epoll, &end, data(end.as_fd()), EventFlags::RDHUP)?;
        let (looking, told) = (Arc::clone(&epoll), Arc::clone(&sleepers));
        std::thread::Builder::new()
            .name("lookout".into())
            .spawn(move || look(&looking, &told, &end))?;
        Ok(Lookout {
            epoll,
            sleepers,
            _open: open,
        })
    }

    /// Takes note of a connection; nobody looks at it yet.
    pub(crate) fn meet(&self, socket: BorrowedFd<'_>, who: Weak<dyn Rouse>) {
        let sleeper = Sleeper { who, parked: None };
        self.sleepers.lock().insert(socket.as_raw_fd(), sleeper);
        // Where this fails, so does `watch`, and says so.
        let _ = epoll::add(&*self.epoll, socket, data(socket), EventFlags::ONESHOT);
    }

    /// Rouses somebody, once, when there is something to read; false where that cannot be.
    pub(crate) fn watch(&self, socket: BorrowedFd<'_>) -> bool {
        let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ONESHOT;
        epoll::modify(&*self.epoll, socket, data(socket), flags).is_ok()
    }

    /// Rouses `who`, once, when there is something to read, and keeps it until then; false where that cannot be.
    pub(crate) fn park(&self, socket: BorrowedFd<'_>, who: Arc<dyn Rouse>) -> bool {
        if let Some(sleeper) = self.sleepers.lock().get_mut(&socket.as_raw_fd()) {
            sleeper.parked = Some(who);
        }
        self.watch(socket)
    }

    /// Lets go of all that is kept.
    pub(crate) fn end(&self) {
        let all = std::mem::take(&mut *self.sleepers.lock());
        drop(all); // which forgets each of them, and so wants the lock
    }

    /// Somebody, who is kept by its thread, reads: there is nobody to be roused.
    pub(crate) fn leave(&self, socket: BorrowedFd<'_>) {
        if let Some(sleeper) = self.sleepers.lock().get_mut(&socket.as_raw_fd()) {
            sleeper.parked = None;
        }
        let _ = epoll::modify(&*self.epoll, socket, data(socket), EventFlags::ONESHOT);
    }

    /// The connection is about to be closed.
    pub(crate) fn forget(&self, socket: BorrowedFd<'_>) {
        self.sleepers.lock().remove(&socket.as_raw_fd());
    }
}

fn data(socket: BorrowedFd<'_>) -> EventData {
    EventData::new_u64(socket.as_raw_fd() as u64)
}

fn look(epoll: &OwnedFd, sleepers: &Sleepers, end: &UnixStream) {
    let mut events: Vec<Event> = Vec::with_capacity(64);
    loop {
        events.clear();
        match epoll::wait(epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
        for event in &events {
            let socket = event.data.u64() as RawFd;
            if socket == end.as_raw_fd() {
                return;
            }
            let found = sleepers.lock().get_mut(&socket).map(|sleeper| {
                let parked = sleeper.parked.take();
                parked.or_else(|| sleeper.who.upgrade())
            });
            if let Some(who) = found.flatten() {
                who.rouse();
            }
        }
    }
}
