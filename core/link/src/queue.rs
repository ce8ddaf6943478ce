//! Two wires joined by a thread per direction: the `queue` backend.
//!
//! Deadlines are absolute (kernel arrival stamp plus delay), so that neither a late wake-up nor a long batch adds up.
//! A thread sleeps until shortly before the next departure and spins for the rest; how shortly before follows from how
//! late the last sleeps ended.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicU8, Ordering::Relaxed};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crate::clock::{self, Priority};
use crate::held::Held;
use crate::shape::{Shape, Shaper};
use crate::wire::{Batch, Out, Wire};

/// The shortest and longest time that is spun away before a departure, in nanoseconds.
const SPIN: (i64, i64) = (15_000, 150_000);
/// A delay from which on arrivals need not be noticed at once, and how long they may then lie in the ring.
const UNHURRIED: i64 = 1_000_000;
const NAP: i64 = 100_000;
/// Frames in one round that count as bulk traffic, where waking for every frame would cost more than it gives.
const BULK: usize = 4;
/// How often the wall clock, which stamps arrivals, is compared with the monotonic clock.
const CLOCK_CHECK: i64 = 10_000_000;

/// What one direction has done so far.
#[derive(Default)]
pub struct Counters {
    /// Packets and bytes sent on.
    pub packets: AtomicU64,
    /// Bytes sent on, link-layer headers included.
    pub bytes: AtomicU64,
    /// Packets lost as declared.
    pub lost: AtomicU64,
    /// Packets dropped because `limit` packets were held.
    pub tail_dropped: AtomicU64,
    /// Packets dropped by the kernel because the ring was full: our failure, not the link's.
    pub overruns: AtomicU64,
    /// Packets that the kernel refused to send: our failure.
    pub refused: AtomicU64,
    /// The latest departure after its deadline, in nanoseconds.
    pub late_max_ns: AtomicI64,
    /// All departures' lateness together, in nanoseconds.
    pub late_sum_ns: AtomicI64,
    /// The most packets held at once.
    pub held_max: AtomicU64,
    /// The scheduling class of the thread (`Priority` as a number).
    priority: AtomicU8,
}

impl Counters {
    /// The scheduling class that this direction's thread obtained.
    pub fn priority(&self) -> Priority {
        match self.priority.load(Relaxed) {
            0 => Priority::RealTime,
            1 => Priority::Nice,
            _ => Priority::Ordinary,
        }
    }
}

struct Control {
    delay_ns: AtomicI64,
    counters: Counters,
}

/// A running queue; dropping it stops both threads.
pub struct Queue {
    stop: Arc<OwnedFd>,
    directions: [Arc<Control>; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Queue {
    /// Join `client` and `server`; `up` is the way from client to server.
    ///
    /// # Errors
    /// Where there is no descriptor or no thread left.
    pub fn start(client: Wire, server: Wire, up: Shape, down: Shape) -> io::Result<Self> {
        // SAFETY: a system call that returns a new descriptor.
        let stop = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
        if stop < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and has no other owner.
        let stop = Arc::new(unsafe { OwnedFd::from_raw_fd(stop) });
        let outs = [server.out()?, client.out()?];
        let mut queue = Self {
            stop,
            directions: [&up, &down].map(|shape| {
                Arc::new(Control {
                    delay_ns: AtomicI64::new(shape.delay_ns),
                    counters: Counters::default(),
                })
            }),
            threads: Vec::new(),
        };
        for (index, ((wire, out), shape)) in [client, server]
            .into_iter()
            .zip(outs)
            .zip([up, down])
            .enumerate()
        {
            let control = queue.directions[index].clone();
            let stop = queue.stop.clone();
            let direction = Direction {
                held: Held::new(wire.frame_bytes(), shape.may_reorder()),
                shaper: Shaper::new(shape),
                wire,
                out,
                batch: Batch::default(),
                control,
                margin: SPIN.1,
            };
            let name = ["link-up", "link-down"][index];
            queue.threads.push(
                Builder::new()
                    .name(name.into())
                    .spawn(move || direction.run(&stop))?,
            );
        }
        Ok(queue)
    }

    /// Change the delays, for calibration.
    pub fn set_delays(&self, up_ns: i64, down_ns: i64) {
        self.directions[0].delay_ns.store(up_ns, Relaxed);
        self.directions[1].delay_ns.store(down_ns, Relaxed);
    }

    /// The counters of both directions: client to server, server to client.
    pub fn counters(&self) -> [&Counters; 2] {
        [&self.directions[0].counters, &self.directions[1].counters]
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: writes eight bytes to a descriptor we own.
        unsafe { libc::write(self.stop.as_raw_fd(), one.as_ptr().cast(), one.len()) };
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

struct Direction {
    wire: Wire,
    out: Out,
    shaper: Shaper,
    held: Held,
    batch: Batch,
    control: Arc<Control>,
    margin: i64,
}

impl Direction {
    fn run(mut self, stop: &OwnedFd) {
        let priority = clock::wake_precisely();
        self.control
            .counters
            .priority
            .store(priority as u8, Relaxed);
        let mut offset = clock::wall_offset();
        let mut checked = clock::now();
        loop {
            let now = clock::now();
            if now - checked > CLOCK_CHECK {
                offset = clock::wall_offset();
                checked = now;
                self.count(|counters| &counters.overruns, self.wire.overruns());
            }
            self.shaper.set_delay(self.control.delay_ns.load(Relaxed));
            let transparent = self.shaper.shape().is_transparent() && self.held.is_empty();
            let came = if transparent {
                self.pass()
            } else {
                self.admit(offset, now)
            };
            let left = self.depart();
            if came + left == 0 && self.wait(stop, 0) {
                return;
            }
            if came >= BULK && self.shaper.shape().delay_ns > UNHURRIED && self.wait(stop, NAP) {
                return;
            }
        }
    }

    fn count(&self, which: impl Fn(&Counters) -> &AtomicU64, more: u64) {
        if more > 0 {
            which(&self.control.counters).fetch_add(more, Relaxed);
        }
    }

    /// Send what has come straight from the ring: no copy of ours, no delay.
    fn pass(&mut self) -> usize {
        let mut bytes = 0;
        while let Some(frame) = self.wire.peek(self.batch.len()) {
            // SAFETY: the frame is released only after the batch was sent.
            unsafe { self.batch.push(frame.start, frame.length) };
            bytes += frame.length as u64;
            if self.batch.is_full() {
                break;
            }
        }
        let count = self.batch.len();
        if count > 0 {
            let refused = self.batch.send(&self.out);
            self.wire.release(count);
            self.count(|counters| &counters.refused, refused);
            self.count(|counters| &counters.packets, count as u64);
            self.count(|counters| &counters.bytes, bytes);
        }
        count
    }

    /// Take what has come into the queue, or lose it.
    fn admit(&mut self, offset: i64, now: i64) -> usize {
        let mut count = 0;
        let mut lost = 0;
        let mut dropped = 0;
        while let Some(frame) = self.wire.peek(0) {
            // The stamp cannot lie in the future; a wall clock that was set between two checks must not matter much.
            let arrival = (frame.wall_ns - offset).clamp(now - CLOCK_CHECK, now.max(clock::now()));
            if self.held.len() >= self.shaper.shape().limit {
                dropped += 1;
            } else if let Some(departure) = self.shaper.departure(arrival, frame.length) {
                // SAFETY: released below, after the copy.
                self.held.push(departure, unsafe { frame.bytes() });
            } else {
                lost += 1;
            }
            self.wire.release(1);
            count += 1;
            if count == 256 {
                break;
            }
        }
        self.count(|counters| &counters.lost, lost);
        self.count(|counters| &counters.tail_dropped, dropped);
        self.control
            .counters
            .held_max
            .fetch_max(self.held.len() as u64, Relaxed);
        count
    }

    /// Send what is due.
    fn depart(&mut self) -> usize {
        let mut slots = [0u32; crate::wire::BATCH];
        let (mut bytes, mut late_sum, mut late_max) = (0, 0, 0);
        let now = clock::now();
        while !self.batch.is_full() {
            let Some((departure, index, length)) = self.held.take_due(now) else {
                break;
            };
            slots[self.batch.len()] = index;
            let packet = self.held.packet(index, length);
            // SAFETY: the slot is released after the batch was sent, and boxed slots do not move.
            unsafe { self.batch.push(packet.as_ptr(), packet.len()) };
            bytes += u64::from(length);
            late_sum += now - departure;
            late_max = late_max.max(now - departure);
        }
        let count = self.batch.len();
        if count == 0 {
            return 0;
        }
        let refused = self.batch.send(&self.out);
        for index in &slots[..count] {
            self.held.release(*index);
        }
        self.count(|counters| &counters.refused, refused);
        self.count(|counters| &counters.packets, count as u64);
        self.count(|counters| &counters.bytes, bytes);
        self.control
            .counters
            .late_sum_ns
            .fetch_add(late_sum, Relaxed);
        self.control
            .counters
            .late_max_ns
            .fetch_max(late_max, Relaxed);
        count
    }

    /// Sleep until a frame comes, the next departure is near (then spin to it), or the queue is stopped (true).
    ///
    /// With a `nap` in nanoseconds, arrivals do not end the sleep, and it lasts that long at most.
    fn wait(&mut self, stop: &OwnedFd, nap: i64) -> bool {
        let now = clock::now();
        let departure = self.held.next_departure();
        let mut wake = departure.map(|departure| departure - self.margin);
        if nap > 0 {
            wake = Some(wake.unwrap_or(i64::MAX).min(now + nap));
        }
        if let Some(wake) = wake.filter(|wake| *wake <= now) {
            if nap == 0 {
                clock::spin_until(wake + self.margin);
            }
            return false;
        }
        let mut fds = [
            libc::pollfd {
                fd: stop.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            },
            libc::pollfd {
                fd: self.wire.fd(),
                events: libc::POLLIN,
                revents: 0,
            },
        ];
        let timeout = wake.map(|wake| libc::timespec {
            tv_sec: (wake - now) / 1_000_000_000,
            tv_nsec: (wake - now) % 1_000_000_000,
        });
        let watched = if nap > 0 { 1 } else { 2 };
        // SAFETY: the arrays and the timeout live across the call.
        let ready = unsafe {
            libc::ppoll(
                fds.as_mut_ptr(),
                watched,
                timeout
                    .as_ref()
                    .map_or(std::ptr::null(), std::ptr::from_ref),
                std::ptr::null(),
            )
        };
        if fds[0].revents != 0 {
            return true;
        }
        if let (0, Some(wake), 0) = (ready, wake, nap) {
            let overslept = clock::now() - wake;
            self.margin = (overslept + overslept / 4)
                .max(self.margin - self.margin / 16)
                .clamp(SPIN.0, SPIN.1);
        }
        false
    }
}
