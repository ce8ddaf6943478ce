//! Accepts connections until told to stop.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use curserve_proto::Handler;

use crate::account::Account;
use crate::connection;
use crate::leaving::leave;
use crate::lookout::Lookout;
use crate::seats::{is_out_of_descriptors, Seats};
use crate::shared::{Counters, Limits, Shared, Stop};

/// Serve `handler` on `listener` until `stop`; returns when the calls in flight are answered or the grace is over.
///
/// # Errors
/// Where the system gives no descriptor or no thread to begin with.
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
        account: Account::default(),
        seats: Seats::new(limits.connections, limits.idle),
        lookout: Lookout::start()?,
        resting: AtomicUsize::new(0),
        stop: stop.clone(),
        started: Instant::now(),
    });
    if let Some(after) = limits.leave {
        leave(Arc::clone(&shared), after)?;
    }
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
