//! A TCP relay that delays bytes: the `relay` backend, for machines where no namespace can be made.
//!
//! Degraded, and labelled so: each side has a loopback connection of its own, so there is no congestion window, no
//! loss and no packet. A connection's handshake costs a client nothing here, so the relay makes its first bytes wait
//! one more round trip, which is when a real network would have carried them.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use crate::clock;
use crate::shape::{Shape, Shaper};

/// Bytes moved at once; smaller with a rate, so that it is paced and not chopped.
const CHUNK: usize = 1 << 18;
const PACED_CHUNK: usize = 1 << 14;
/// What a segment of 1448 bytes carries besides: Ethernet 14, IPv4 20, TCP 32.
const SEGMENT: usize = 1448;
const HEADERS: usize = 66;
/// The time before a departure that is spun away, in nanoseconds.
const SPIN: i64 = 60_000;

struct Way {
    delay_ns: AtomicI64,
    /// One for all connections: the rate belongs to the link.
    shaper: Mutex<Shaper>,
    capacity: usize,
    chunk: usize,
}

impl Way {
    fn new(shape: Shape, mtu: usize) -> Self {
        Self {
            delay_ns: AtomicI64::new(shape.delay_ns),
            capacity: shape.limit.saturating_mul(mtu).max(2 * CHUNK),
            chunk: if shape.rate_bps > 0 {
                PACED_CHUNK
            } else {
                CHUNK
            },
            // Bytes cannot be lost or overtake each other.
            shaper: Mutex::new(Shaper::new(Shape {
                loss: 0.0,
                bursts: None,
                reorder: 0.0,
                ..shape
            })),
        }
    }

    fn departure(&self, arrival_ns: i64, bytes: usize) -> i64 {
        let mut shaper = self.shaper.lock().unwrap_or_else(PoisonError::into_inner);
        shaper.set_delay(self.delay_ns.load(Relaxed));
        let wire = bytes + bytes.div_ceil(SEGMENT) * HEADERS;
        shaper.departure(arrival_ns, wire).unwrap_or(arrival_ns)
    }
}

/// Delays the bytes of every connection made through its listeners.
pub struct Relay {
    ways: [Arc<Way>; 2],
}

impl Relay {
    /// A relay without listeners; `up` is client to server.
    pub fn new(up: Shape, down: Shape, mtu: usize) -> Self {
        Self {
            ways: [up, down].map(|shape| Arc::new(Way::new(shape, mtu))),
        }
    }

    /// Change the delays, for calibration.
    pub fn set_delays(&self, up_ns: i64, down_ns: i64) {
        self.ways[0].delay_ns.store(up_ns, Relaxed);
        self.ways[1].delay_ns.store(down_ns, Relaxed);
    }

    /// Listen on `address`, and relay to `server`; returns the port that was given.
    ///
    /// # Errors
    /// Where the address is not this host's, or there is no thread left.
    pub fn listen(&self, address: Ipv4Addr, server: SocketAddr) -> io::Result<u16> {
        let wanted = SocketAddrV4::new(address, server.port());
        let listener = TcpListener::bind(wanted).or_else(|_| TcpListener::bind((address, 0)))?;
        let port = listener.local_addr()?.port();
        let ways = self.ways.clone();
        thread::Builder::new().name("relay".into()).spawn(move || {
            for client in listener.incoming().flatten() {
                let ways = ways.clone();
                // A connection that breaks is the business of its two ends, which see it closed.
                let _ = thread::Builder::new().spawn(move || join(client, server, &ways));
            }
        })?;
        Ok(port)
    }
}

fn join(client: TcpStream, server: SocketAddr, ways: &[Arc<Way>; 2]) -> io::Result<()> {
    let opened = clock::now() + ways[0].delay_ns.load(Relaxed) + ways[1].delay_ns.load(Relaxed);
    let server = TcpStream::connect(server)?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let back = (server.try_clone()?, client.try_clone()?);
    let down = ways[1].clone();
    let returning = thread::Builder::new().spawn(move || carry(back.0, back.1, &down, opened))?;
    carry(client, server, &ways[0], opened);
    let _ = returning.join();
    Ok(())
}

/// Bytes under way on one direction of one connection.
#[derive(Default)]
struct Flight {
    chunks: VecDeque<(i64, Vec<u8>)>,
    spare: Vec<Vec<u8>>,
    bytes: usize,
    ended: Option<i64>,
    broken: bool,
}

/// Carry one direction until it ends: this thread reads and stamps, another writes when it is time.
fn carry(from: TcpStream, to: TcpStream, way: &Arc<Way>, opened: i64) {
    clock::wake_tightly();
    if way.delay_ns.load(Relaxed) == 0 && way.chunk == CHUNK {
        let _ = splice(&from, &to);
        let _ = to.shutdown(Shutdown::Write);
        return;
    }
    let flight = Arc::new((Mutex::new(Flight::default()), Condvar::new()));
    let shared = flight.clone();
    let Ok(writer) = thread::Builder::new().spawn(move || deliver(to, &shared)) else {
        return;
    };
    read_into(from, way, &flight, opened);
    let _ = writer.join();
}

/// Move bytes as they come, without a queue: by way of a pipe, so that pages change hands and are not copied.
fn splice(from: &TcpStream, to: &TcpStream) -> io::Result<()> {
    let (reader, writer) = io::pipe()?;
    // SAFETY: a system call on a descriptor that `writer` owns; a smaller pipe than asked for is slower, no more.
    unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETPIPE_SZ, CHUNK as libc::c_int) };
    loop {
        let mut left = moved(from.as_raw_fd(), writer.as_raw_fd(), CHUNK)?;
        if left == 0 {
            return Ok(());
        }
        while left > 0 {
            left -= moved(reader.as_raw_fd(), to.as_raw_fd(), left)?;
        }
    }
}

/// One `splice`, repeated where a signal came between.
fn moved(from: RawFd, to: RawFd, most: usize) -> io::Result<usize> {
    let (nowhere, flags) = (std::ptr::null_mut(), libc::SPLICE_F_MOVE);
    loop {
        // SAFETY: a system call on open descriptors, without offsets.
        let count = unsafe { libc::splice(from, nowhere, to, nowhere, most, flags) };
        if count >= 0 {
            return Ok(count as usize);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn read_into(mut from: TcpStream, way: &Way, flight: &(Mutex<Flight>, Condvar), opened: i64) {
    let (lock, changed) = flight;
    loop {
        let mut buffer = {
            let mut flight = lock.lock().unwrap_or_else(PoisonError::into_inner);
            while flight.bytes >= way.capacity && !flight.broken {
                flight = changed.wait(flight).unwrap_or_else(PoisonError::into_inner);
            }
            if flight.broken {
                return;
            }
            flight.spare.pop().unwrap_or_else(|| vec![0; way.chunk])
        };
        buffer.resize(way.chunk, 0);
        let read = from.read(&mut buffer).unwrap_or(0);
        buffer.truncate(read);
        let departure = way.departure(clock::now().max(opened), read);
        let mut flight = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if read == 0 {
            flight.ended = Some(departure);
        } else {
            flight.bytes += read;
            flight.chunks.push_back((departure, buffer));
        }
        changed.notify_all();
        if read == 0 {
            return;
        }
    }
}

fn deliver(mut to: TcpStream, flight: &(Mutex<Flight>, Condvar)) {
    clock::wake_precisely();
    let (lock, changed) = flight;
    loop {
        let next = {
            let mut flight = lock.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(chunk) = flight.chunks.pop_front() {
                    break Ok(chunk);
                }
                if let Some(ended) = flight.ended {
                    break Err(ended);
                }
                flight = changed.wait(flight).unwrap_or_else(PoisonError::into_inner);
            }
        };
        match next {
            Ok((departure, buffer)) => {
                clock::sleep_until(departure, SPIN);
                let failed = to.write_all(&buffer).is_err();
                let mut flight = lock.lock().unwrap_or_else(PoisonError::into_inner);
                flight.bytes -= buffer.len();
                flight.spare.push(buffer);
                flight.broken = failed;
                changed.notify_all();
                if failed {
                    // The reader may be waiting in `read`: what it would bring can no longer be delivered.
                    // SAFETY: a system call on a descriptor that `to` owns.
                    unsafe { libc::shutdown(to.as_raw_fd(), libc::SHUT_RDWR) };
                    return;
                }
            }
            Err(ended) => {
                clock::sleep_until(ended, SPIN);
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || splice(&stream, &stream));
            }
        });
        address
    }

    fn through(delay_ns: i64) -> TcpStream {
        let shape = Shape {
            delay_ns,
            ..Shape::default()
        };
        let relay = Relay::new(shape.clone(), shape, 1500);
        let port = relay
            .listen(Ipv4Addr::LOCALHOST, echo())
            .expect("listening");
        TcpStream::connect(("127.0.0.1", port)).expect("connected")
    }

    #[test]
    fn bytes_come_back_unchanged_and_the_end_of_the_stream_too() {
        for delay_ns in [0, 3_000_000] {
            let mut stream = through(delay_ns);
            let sent: Vec<u8> = (0..3_000_000u32)
                .map(|number| (number % 251) as u8)
                .collect();
            let mut writing = stream.try_clone().expect("cloned");
            let copy = sent.clone();
            let writer = thread::spawn(move || {
                writing.write_all(&copy).expect("written");
                let _ = writing.shutdown(Shutdown::Write);
            });
            let mut came = Vec::new();
            stream.read_to_end(&mut came).expect("read");
            writer.join().expect("no panic");
            assert!(
                came == sent,
                "{delay_ns}: {} of {} bytes",
                came.len(),
                sent.len()
            );
        }
    }

    #[test]
    fn a_new_connection_waits_for_its_handshake_and_an_open_one_does_not() {
        let mut stream = through(20_000_000);
        let mut trip = || {
            let start = clock::now();
            stream.write_all(b"ping").expect("written");
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).expect("answered");
            clock::now() - start
        };
        assert!(
            trip() >= 79_000_000,
            "handshake and request: two round trips"
        );
        assert!(trip() >= 40_000_000, "one round trip");
    }
}
