//! Accepts connections until told to stop.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use curserve_proto::Handler;

use crate::connection;
use crate::lookout::Lookout;
use crate::seats::{is_out_of_descriptors, Seats};

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

    fn wait(&self) {
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
    pub seats: Seats,
    pub lookout: Lookout,
    /// Threads that wait for a next call.
    pub resting: AtomicUsize,
    pub stop: Stop,
    pub started: Instant,
}

/// Serve `handler` on `listener` until `stop`; returns when the calls in flight are answered or the grace is over.
pub fn serve<H: Handler>(
    listener: UnixListener,
    handler: Arc<H>,
    limits: Limits,
    stop: Stop,
) -> io::Result<()> {
    let shared = Arc::new(Shared {
        handler,
        limits,
        counters: Counters::default(),
        seats: Seats::new(limits.connections, limits.idle),
        lookout: Lookout::start()?,
        resting: AtomicUsize::new(0),
        stop: stop.clone(),
        started: Instant::now(),
    });
    let accepting = Arc::clone(&shared);
    let socket = listener.as_raw_fd();
    let acceptor = std::thread::Builder::new()
        .name("accept".into())
        .spawn(move || accept(&listener, &accepting))?;
    stop.wait();
    // SAFETY: shuts the socket down; the acceptor, which owns it, is alive until joined below.
    unsafe { libc::shutdown(socket, libc::SHUT_RDWR) };
    let _ = acceptor.join();
    let end = Instant::now() + shared.limits.grace;
    while shared.counters.in_flight.load(Ordering::SeqCst) > 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(2));
    }
    shared.lookout.end();
    Ok(())
}

fn accept<H: Handler>(listener: &UnixListener, shared: &Arc<Shared<H>>) {
    loop {
        let stream = listener.accept();
        if shared.stop.is_stopped() {
            return;
        }
        match stream {
            Ok((stream, _)) => {
                if !is_friend(&stream) {
                    continue; // dropped, hence closed
                }
                let Some(seat) = shared.seats.take(stream) else {
                    continue;
                };
                shared
                    .counters
                    .connections_total
                    .fetch_add(1, Ordering::Relaxed);
                connection::start(seat, Arc::clone(shared));
            }
            // Out of descriptors, or the peer was gone before we looked: neither ends the server.
            Err(error) => {
                if is_out_of_descriptors(&error) {
                    shared.seats.make_room();
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Whether the peer is the same user or root, by its credentials at the time it connected.
fn is_friend(stream: &UnixStream) -> bool {
    let mut peer = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: 0,
    };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes into `peer`.
    let rc = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    // SAFETY: always succeeds.
    let me = unsafe { libc::geteuid() };
    // Root, when it is outside this user namespace, appears as the overflow uid: such a peer can only have
    // reached the socket if its mode (0600) let it, so that it is who made the namespace, or root.
    rc == 0 && (peer.uid == me || peer.uid == 0 || peer.uid == overflow_uid())
}

fn overflow_uid() -> u32 {
    static UID: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
    *UID.get_or_init(|| {
        let inside = std::fs::read_to_string("/proc/self/uid_map")
            .is_ok_and(|map| !map.contains("4294967295"));
        if inside {
            65534
        } else {
            u32::MAX
        }
    })
}
