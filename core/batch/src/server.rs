//! The server's thread, and how turns come to it and go.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use curserve_pacer::{now_ns, sharpen, wait, Ahead, Outbox};
use curserve_sched::{Config, StepTime};

use crate::asked::{Asked, Served, Tick};
use crate::driver::Driver;

/// How often a client that was slow is tried again while nothing else happens.
const RETRY: Duration = Duration::from_millis(2);

/// A batch that runs on a thread of its own. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    config: Config,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    over: Condvar,
    stop: AtomicBool,
    done: Outbox<Served>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    inbox: Vec<(u64, Order)>,
    /// Turns that a thread waits for.
    awaited: HashMap<u64, Option<Served>>,
    ticks: Vec<Tick>,
}

#[derive(Debug)]
enum Order {
    Turn(Box<Asked>, u64),
    Forget(u64),
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock is held leaves plain queues behind, which stay usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut driver: Driver) {
        sharpen();
        let _ahead = Ahead::of_others();
        loop {
            let Some(end_ns) = self.take_in(&mut driver) else {
                driver.stop();
                self.hand_out(&mut driver);
                return;
            };
            if wait(end_ns, &self.stop) {
                driver.finish();
                driver.drain();
            }
            self.hand_out(&mut driver);
        }
    }

    /// Take what has come, and wait for something to do; return when the next step ends, None to stop.
    fn take_in(&self, driver: &mut Driver) -> Option<u64> {
        let mut state = self.state();
        loop {
            for (number, order) in state.inbox.drain(..) {
                match order {
                    Order::Turn(asked, at_ns) => driver.add(number, *asked, at_ns),
                    Order::Forget(stream) => driver.forget(stream),
                }
            }
            if self.stop.load(Ordering::Relaxed) {
                return None; // what came until then is in the driver, which ends it
            }
            if let Some(end_ns) = driver.plan(now_ns()) {
                return Some(end_ns);
            }
            if driver.drain() || !driver.done.is_empty() {
                drop(state);
                self.hand_out(driver);
                state = self.state();
                if state.inbox.is_empty() {
                    state = self
                        .work
                        .wait_timeout(state, RETRY)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                }
            } else {
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn hand_out(&self, driver: &mut Driver) {
        if driver.done.is_empty() && driver.ticks.is_empty() {
            return;
        }
        let mut state = self.state();
        state.ticks.append(&mut driver.ticks);
        let mut told = Vec::new();
        for (number, served) in driver.done.drain(..) {
            match state.awaited.get_mut(&number) {
                Some(place) => *place = Some(served),
                None => told.push((number, served)),
            }
        }
        self.over.notify_all();
        self.done.put(told);
    }
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// Where there is no descriptor or no thread to be had.
    pub fn new(config: Config, step_time: StepTime) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            over: Condvar::new(),
            stop: AtomicBool::new(false),
            done: Outbox::new()?,
        });
        let driver = Driver::new(config.clone(), step_time);
        let own = Arc::clone(&shared);
        thread::Builder::new()
            .name("batch".into())
            .spawn(move || own.serve(driver))?;
        Ok(Self { config, shared })
    }

    /// Asks for a turn; returns the number under which [`Server::take`] will report it.
    ///
    /// # Errors
    /// Where it could never run (more tokens or blocks than there are), or its cuts are wrong.
    pub fn submit(&self, asked: Asked) -> io::Result<u64> {
        self.send(asked, false)
    }

    /// Asks for a turn, and waits for its end.
    ///
    /// # Errors
    /// As [`Server::submit`].
    pub fn write(&self, asked: Asked) -> io::Result<Served> {
        let number = self.send(asked, true)?;
        let mut state = self.shared.state();
        loop {
            if let Some(Some(_)) = state.awaited.get(&number) {
                return Ok(state.awaited.remove(&number).flatten().unwrap_or_default());
            }
            state = self
                .shared
                .over
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn send(&self, asked: Asked, awaited: bool) -> io::Result<u64> {
        Driver::check(&self.config, &asked)
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))?;
        let mut state = self.shared.state();
        if self.shared.stop.load(Ordering::Relaxed) {
            return Err(io::Error::new(
                io::ErrorKind::Interrupted,
                "the server was stopped",
            ));
        }
        let number = state.next;
        state.next += 1;
        if awaited {
            state.awaited.insert(number, None);
        }
        state
            .inbox
            .push((number, Order::Turn(Box::new(asked), now_ns())));
        drop(state);
        self.shared.work.notify_one();
        Ok(number)
    }

    /// Ends a conversation: a session lets go of its blocks, and a later prompt of the same stream begins anew.
    pub fn forget(&self, stream: u64) {
        self.shared.state().inbox.push((0, Order::Forget(stream)));
        self.shared.work.notify_one();
    }

    /// Returns the turns that ended since the last call, and makes the descriptor unreadable again.
    pub fn take(&self) -> Vec<(u64, Served)> {
        self.shared.done.take()
    }

    /// Returns what it did in each step since the last call.
    pub fn ticks(&self) -> Vec<Tick> {
        std::mem::take(&mut self.shared.state().ticks)
    }

    /// Ends every turn soon, with an error, and takes none any longer.
    pub fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // The lock orders this with the thread that is about to wait, so that it does not miss it.
        let _state = self.shared.state();
        self.shared.work.notify_all();
    }
}

impl AsRawFd for Server {
    /// The eventfd that is readable when [`Server::take`] has something.
    fn as_raw_fd(&self) -> RawFd {
        self.shared.done.as_raw_fd()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
