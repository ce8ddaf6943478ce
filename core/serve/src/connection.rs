//! One connection: its threads take turns at reading, so that the thread that read a call also answers it.
//!
//! Handing a call to a pool would cost a wake-up on the way to every answer. Here one thread reads, gives the
//! reader's place to another that waits for it (or is started, up to the limit), executes the call and writes the
//! answer. A quick call does not even give the place away.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use curserve_proto::{
    read_frame, watch, write_frame, Answer, Frame, FrameError, Handler, Op, Request, MAX_PAYLOAD,
    VERSION,
};
use serde_json::{json, Value};

use crate::seats::Seat;
use crate::server::Shared;

struct Connection<H> {
    shared: Arc<Shared<H>>,
    seat: Arc<Seat>,
    reader: Mutex<Reader>,
    writer: Mutex<()>,
    waiting: AtomicUsize, // threads that wait for the reader's place
    threads: AtomicUsize,
}

/// A request, or why it is none, with its id where that could be read.
type Asked = Result<Request, (Option<u64>, String)>;

struct Reader {
    source: BufReader<Source>,
    ended: bool,
}

/// What comes in on a connection: its socket, once more, without a descriptor of its own.
struct Source(Arc<Seat>);

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        (&self.0.stream).read(into)
    }
}

impl<H> Drop for Connection<H> {
    fn drop(&mut self) {
        self.shared.seats.give_up(&self.seat);
    }
}

/// Serve whoever has `seat` on threads of its own.
pub(crate) fn start<H: Handler>(seat: Arc<Seat>, shared: Arc<Shared<H>>) {
    let timeout = Some(shared.limits.write_timeout);
    let _ = seat.stream.set_write_timeout(timeout);
    widen(&seat.stream);
    let source = Source(Arc::clone(&seat));
    let connection = Arc::new(Connection {
        shared,
        seat,
        reader: Mutex::new(Reader {
            source: BufReader::with_capacity(16 << 10, source),
            ended: false,
        }),
        writer: Mutex::new(()),
        waiting: AtomicUsize::new(0),
        threads: AtomicUsize::new(0),
    });
    connection.add_thread();
}

/// Asks for room for a long answer, so that it is sent without waiting for the reader to take the first part of it.
fn widen(stream: &UnixStream) {
    let size: libc::c_int = 1 << 20; // the kernel gives what it allows
                                     // SAFETY: the socket is open, and the kernel reads an integer of that length.
    unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_SNDBUF,
            (&raw const size).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
}

impl<H: Handler> Connection<H> {
    fn add_thread(self: &Arc<Self>) {
        if self.threads.fetch_add(1, Ordering::SeqCst) >= self.shared.limits.in_flight {
            self.threads.fetch_sub(1, Ordering::SeqCst);
            return; // at the limit: the next frame waits until a call is answered
        }
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let connection = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("session".into())
            .spawn(move || connection.run());
        if spawned.is_err() {
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            self.threads.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn run(self: &Arc<Self>) {
        loop {
            let Ok(mut reader) = self.reader.lock() else {
                return;
            };
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            if reader.ended {
                return;
            }
            let Some((request, read)) = self.answer_quick_calls(&mut reader) else {
                reader.ended = true;
                return;
            };
            if self.waiting.load(Ordering::SeqCst) == 0 {
                self.add_thread();
            }
            drop(reader);
            if !self.answer_counted(request, read) {
                self.close();
            }
            self.waiting.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Reads, and answers what is quick without giving the place away, which would wake whoever waits for it. Returns
    /// the first request that is not quick, and when it had been read; None: there is nobody to read from any more.
    fn answer_quick_calls(&self, reader: &mut Reader) -> Option<(Asked, Instant)> {
        loop {
            let limit = self.shared.limits.frame_timeout;
            let frame = match read_in_time(&mut reader.source, &self.seat, limit) {
                Ok(frame) => frame?,
                Err(error) => {
                    self.complain(&error);
                    return None;
                }
            };
            let read = Instant::now();
            self.shared
                .counters
                .in_flight
                .fetch_add(1, Ordering::SeqCst);
            let request = parse(&frame);
            let quick = reader.source.buffer().is_empty()
                && request
                    .as_ref()
                    .is_ok_and(|r| r.op != Op::Call || self.shared.handler.is_quick(&r.call));
            if !quick {
                return Some((request, read));
            }
            if !self.answer_counted(request, read) {
                return None;
            }
            if reader.source.buffer().is_empty() {
                self.watch();
            }
        }
    }

    /// Tells the peer what it did wrong, and that this is the end.
    fn complain(&self, error: &FrameError) {
        let is_late = matches!(error, FrameError::Io(error) if error.kind() == ErrorKind::TimedOut);
        if is_late || matches!(error, FrameError::TooLong { .. }) {
            self.shared
                .counters
                .protocol_errors
                .fetch_add(1, Ordering::Relaxed);
            self.send_json(&json!({"id": null, "error": error.to_string()}));
        }
        self.close();
    }

    /// Answers what has been counted as in flight.
    fn answer_counted(&self, request: Asked, read: Instant) -> bool {
        let sent = self.answer(request, read);
        self.seat.end();
        self.shared
            .counters
            .in_flight
            .fetch_sub(1, Ordering::SeqCst);
        sent
    }

    /// Looks out for the next of several quick calls in a row; one thread of the program at a time, so that it takes one
    /// processor at most.
    fn watch(&self) {
        static WATCHED: AtomicBool = AtomicBool::new(false);
        if !WATCHED.swap(true, Ordering::Acquire) {
            let _ = watch(self.seat.stream.as_fd()); // an error comes again when it is read
            WATCHED.store(false, Ordering::Release);
        }
    }

    /// Answer one request; false where the peer can no longer be reached.
    fn answer(&self, request: Asked, read: Instant) -> bool {
        let request = match request {
            Ok(request) => request,
            Err((id, reason)) => {
                self.shared
                    .counters
                    .protocol_errors
                    .fetch_add(1, Ordering::Relaxed);
                return self.send_json(&json!({"id": id, "error": reason}));
            }
        };
        let id = request.id;
        match request.op {
            Op::Call => {
                let mut answer = self.shared.handler.call(&request.call);
                if answer.stdout.len() + answer.stderr.len() > MAX_PAYLOAD {
                    answer = Answer::refused("more output than the protocol carries");
                }
                self.count(&answer);
                let service_ns = u64::try_from(read.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.send(
                    &answer.header(id, service_ns),
                    &[&answer.stdout, &answer.stderr],
                )
            }
            Op::Ping => self.send_json(&json!({"id": id, "ok": true})),
            Op::Hello => self.send_json(&self.hello(id, request.version)),
            Op::Stats => self.send_json(&self.stats(id)),
            Op::Shutdown => {
                let sent = self.send_json(&json!({"id": id, "ok": true}));
                self.shared.stop.stop();
                sent
            }
        }
    }

    fn hello(&self, id: u64, version: Option<u32>) -> Value {
        if version != Some(VERSION) {
            let asked = version.map_or("none".into(), |v| v.to_string());
            return json!({"id": id, "error": format!("protocol version {asked} asked for; this program speaks {VERSION}")});
        }
        let who = self.shared.handler.identity();
        json!({"id": id, "version": VERSION, "program": who.program, "program_version": who.program_version,
               "root": who.root, "at": who.at})
    }

    fn count(&self, answer: &Answer) {
        let counters = &self.shared.counters;
        counters.calls.fetch_add(1, Ordering::Relaxed);
        if answer.refused.is_some() {
            counters.refused.fetch_add(1, Ordering::Relaxed);
        }
        if answer.failed.is_some() {
            counters.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn stats(&self, id: u64) -> Value {
        let counters = &self.shared.counters;
        let mut stats = json!({
            "id": id,
            "uptime_s": self.shared.started.elapsed().as_secs_f64(),
            "connections": self.shared.seats.taken(),
            "connections_total": counters.connections_total.load(Ordering::Relaxed),
            "calls": counters.calls.load(Ordering::Relaxed),
            "in_flight": counters.in_flight.load(Ordering::Relaxed),
            "refused": counters.refused.load(Ordering::Relaxed),
            "failed": counters.failed.load(Ordering::Relaxed),
            "protocol_errors": counters.protocol_errors.load(Ordering::Relaxed),
        });
        if let (Some(all), Value::Object(own)) =
            (stats.as_object_mut(), self.shared.handler.stats())
        {
            all.extend(own);
        }
        stats
    }

    fn send_json(&self, header: &Value) -> bool {
        self.send(header.to_string().as_bytes(), &[])
    }

    fn send(&self, header: &[u8], parts: &[&[u8]]) -> bool {
        let Ok(_turn) = self.writer.lock() else {
            return false;
        };
        self.seat.answers();
        write_frame(&mut &self.seat.stream, header, parts).is_ok()
    }

    fn close(&self) {
        let _ = self.seat.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Reads a frame. The peer may be silent between two for as long as it likes, but one that it has begun must be here within
/// `limit`: a connection that waits for the rest keeps others out.
fn read_in_time(
    source: &mut BufReader<Source>,
    seat: &Seat,
    limit: Duration,
) -> Result<Option<Frame>, FrameError> {
    loop {
        match source.fill_buf() {
            Ok([]) => return Ok(None),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    if !seat.begin() {
        return Ok(None);
    }
    let mut timed = Timed {
        source,
        limit,
        end: None,
    };
    let frame = read_frame(&mut timed);
    if timed.end.is_some() {
        seat.stream.set_read_timeout(None)?;
    }
    frame
}

/// Reads what is there, and waits for more only until a time.
struct Timed<'s> {
    source: &'s mut BufReader<Source>,
    limit: Duration,
    /// Set once there was something to wait for: the clock is not asked for a frame that came as a whole.
    end: Option<Instant>,
}

impl Read for Timed<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.source.buffer().is_empty() {
            let now = Instant::now();
            let left = *self.end.get_or_insert(now + self.limit) - now;
            let late =
                || std::io::Error::new(ErrorKind::TimedOut, "the rest of it did not come in time");
            if left.is_zero() {
                return Err(late());
            }
            let stream = &self.source.get_ref().0.stream;
            stream.set_read_timeout(Some(left))?;
            let read = self.source.read(into);
            return read.map_err(|error| match error.kind() {
                ErrorKind::WouldBlock => late(),
                _ => error,
            });
        }
        self.source.read(into)
    }
}

/// Read a request, or say (with its id, where that could be read) why it is none.
fn parse(frame: &Frame) -> Asked {
    serde_json::from_slice(&frame.header).map_err(|error| {
        let id = serde_json::from_slice::<Value>(&frame.header)
            .ok()
            .and_then(|v| v.get("id").and_then(Value::as_u64));
        (id, format!("request could not be read: {error}"))
    })
}
