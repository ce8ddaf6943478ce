//! What the threads of a server share: its limits, its counters, and whether it is to end.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::lookout::Lookout;
use crate::seats::Seats;

/// What one client, and all together, may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at a time; for one more, the one that has been silent longest is closed.
    pub connections: usize,
    /// Silence of a connection that may be closed for that.
    pub idle: Duration,
    /// Threads that may wait for the next call of a silent connection, all together. Those of other connections end after
    /// `rest`, and are begun again when a call comes.
    pub resting: usize,
    /// How long a thread waits for the next call of its connection before it may end.
    pub rest: Duration,
    /// Calls in flight on one connection; the next frame is read when one is answered.
    pub in_flight: usize,
    /// How long a peer may take from the first byte of a frame to its last.
    pub frame_timeout: Duration,
    /// How long a peer may take to read an answer before its connection is closed.
    pub write_timeout: Duration,
    /// How long calls in flight may take to end after a stop.
    pub grace: Duration,
    /// Without anybody connected for so long, the server ends; `None`: it stays.
    pub leave: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 1024,
            idle: Duration::from_secs(1),
            resting: 64,
            rest: Duration::from_secs(2),
            in_flight: 64,
            frame_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            grace: Duration::from_secs(2),
            leave: None,
        }
    }
}

/// Ends a server; cloned to whoever may want to.
#[derive(Clone, Default)]
pub struct Stop(Arc<StopState>);

#[derive(Default)]
struct StopState {
    stopped: AtomicBool,
    wake: Mutex<()>,
    woken: Condvar,
}

impl Stop {
    /// Ask the server to end: no new connections, calls in flight are answered.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        let _guard = self.0.wake.lock();
        self.0.woken.notify_all();
    }

    /// Whether it was asked to.
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Wait until it is.
    pub(crate) fn wait(&self) {
        let mut guard = self
            .0
            .wake
            .lock()
            .expect("nobody panics with this lock held");
        while !self.is_stopped() {
            guard = self
                .0
                .woken
                .wait(guard)
                .expect("nobody panics with this lock held");
        }
    }
}

/// What the server counts; part of every answer to `stats`.
#[derive(Default)]
pub(crate) struct Counters {
    pub connections_total: AtomicU64,
    pub calls: AtomicU64,
    pub in_flight: AtomicUsize,
    pub refused: AtomicU64,
    pub failed: AtomicU64,
    pub protocol_errors: AtomicU64,
}

pub(crate) struct Shared<H> {
    pub handler: Arc<H>,
    pub limits: Limits,
    pub counters: Counters,
    pub account: Account,
    pub seats: Seats,
    pub lookout: Lookout,
    /// Threads that wait for a next call.
    pub resting: AtomicUsize,
    pub stop: Stop,
    pub started: Instant,
}
