//! One connection: its threads take turns at reading, so that the thread that read a call also answers it.
//!
//! Handing a call to a pool would cost a wake-up on the way to every answer. Here one thread reads a call, executes it,
//! writes the answer and reads on. Only where another call comes meanwhile is another thread roused (or started, up to
//! the limit) to read it: by the [lookout](crate::lookout).

use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use curserve_proto::{
    watch, write_frame, Answer, FrameError, Handler, Op, Refusal, Request, MAX_PAYLOAD, VERSION,
};
use serde_json::{json, Value};

use crate::crew::{Crew, Rested};
use crate::incoming::{request, Asked, Incoming, Next};
use crate::lookout::Rouse;
use crate::seats::Seat;
use crate::shared::Shared;

/// After a call that took longer than this, the next one is not looked out for.
const SHORT: Duration = Duration::from_millis(1);

/// The name of the mount namespace that this process sees.
fn mounts() -> String {
    let name = std::fs::read_link("/proc/self/ns/mnt");
    name.map_or_else(
        |_| String::new(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// What has come.
enum Came {
    Call(Asked, Instant),
    /// Nothing, for a while.
    Silence,
    /// There is nobody to read from any more.
    End,
}

impl<H> Shared<H> {
    /// Whether more threads wait than need to, with `more` of them.
    fn has_rested_enough(&self, more: usize) -> bool {
        self.resting.load(Ordering::Relaxed) + more > self.limits.resting
    }
}

struct Connection<H: Handler> {
    shared: Arc<Shared<H>>,
    seat: Arc<Seat>,
    /// Whoever has this is the one that reads; None: there is nobody to read from any more.
    reader: Mutex<Option<Incoming>>,
    writer: Mutex<()>,
    crew: Crew,
    threads: AtomicUsize,
}

impl<H: Handler> Drop for Connection<H> {
    fn drop(&mut self) {
        self.shared.lookout.forget(self.seat.stream.as_fd());
        self.shared.seats.give_up(&self.seat);
    }
}

impl<H: Handler> Rouse for Connection<H> {
    fn rouse(self: Arc<Self>) {
        if self.place().is_some() {
            self.call_another();
        }
    }
}

/// Serve whoever has `seat` on threads of its own.
pub(crate) fn start<H: Handler>(seat: Arc<Seat>, shared: Arc<Shared<H>>) {
    let timeout = Some(shared.limits.write_timeout);
    let _ = seat.stream.set_write_timeout(timeout);
    let _ = seat.stream.set_read_timeout(Some(shared.limits.rest));
    widen(&seat.stream);
    let connection = Arc::new(Connection {
        shared,
        reader: Mutex::new(Some(Incoming::new(Arc::clone(&seat)))),
        seat,
        writer: Mutex::new(()),
        crew: Crew::default(),
        threads: AtomicUsize::new(0),
    });
    let this: Weak<Connection<H>> = Arc::downgrade(&connection);
    let socket = connection.seat.stream.as_fd();
    connection.shared.lookout.meet(socket, this);
    if connection.shared.has_rested_enough(1) {
        connection.park();
    } else {
        connection.add_thread();
    }
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
        let connection = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("session".into())
            .spawn(move || connection.run());
        if let Err(error) = spawned {
            // Where another one serves it, that one goes on with what comes; else nobody would ever answer.
            if self.threads.fetch_sub(1, Ordering::SeqCst) == 1 {
                self.turn_away(&error);
            }
        }
    }

    /// Tells the peer that it cannot be served.
    fn turn_away(&self, error: &std::io::Error) {
        let why = format!("full: no thread can be started ({error}); try again");
        self.send_json(&json!({"id": null, "error": why, "code": "full"}));
        self.close();
    }

    /// Leaves the connection without a thread: one is started when there is something to read.
    fn park(self: &Arc<Self>) {
        let who: Arc<dyn Rouse> = Arc::clone(self) as Arc<dyn Rouse>;
        if !self.shared.lookout.park(self.seat.stream.as_fd(), who) {
            self.turn_away(&std::io::Error::last_os_error());
        }
    }

    /// Rests; false where the thread is to end.
    fn rest(&self) -> bool {
        self.shared.resting.fetch_add(1, Ordering::Relaxed);
        let rested = self.crew.rest(self.shared.limits.rest);
        self.shared.resting.fetch_sub(1, Ordering::Relaxed);
        match rested {
            Rested::Wanted => true,
            Rested::InVain => !self.shared.has_rested_enough(1),
            Rested::Ended => false,
        }
    }

    /// Gets somebody to read.
    fn call_another(self: &Arc<Self>) {
        if !self.crew.rouse() {
            self.add_thread();
        }
    }

    /// The reader's place, if it is free.
    fn place(&self) -> Option<MutexGuard<'_, Option<Incoming>>> {
        match self.reader.try_lock() {
            Ok(place) => Some(place),
            Err(TryLockError::Poisoned(place)) => Some(place.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn run(self: &Arc<Self>) {
        let mut soon = false; // whether the next call may come at once
        loop {
            let Some(mut place) = self.place() else {
                if !self.rest() {
                    self.threads.fetch_sub(1, Ordering::SeqCst);
                    return;
                }
                soon = false;
                continue;
            };
            let Some(incoming) = &mut *place else {
                return;
            };
            self.shared.lookout.leave(self.seat.stream.as_fd());
            let (request, read) = match self.answer_quick_calls(incoming, soon) {
                Came::Call(request, read) => (request, read),
                Came::Silence => {
                    // Before anybody can be roused, so that there is room for that one.
                    self.threads.fetch_sub(1, Ordering::SeqCst);
                    drop(place);
                    return self.park();
                }
                Came::End => {
                    *place = None;
                    return self.crew.end();
                }
            };
            let more = incoming.has_more();
            drop(place);
            if more || !self.shared.lookout.watch(self.seat.stream.as_fd()) {
                self.call_another();
            }
            if !self.answer_counted(request, read) {
                self.close();
            }
            soon = read.elapsed() < SHORT;
        }
    }

    /// Reads, and answers what is quick without giving the place away, which takes as long as a few lines of a file. Returns
    /// the first request that is not quick, and when it had been read.
    fn answer_quick_calls(&self, incoming: &mut Incoming, soon: bool) -> Came {
        let mut soon = soon;
        loop {
            if soon && !incoming.has_more() {
                self.watch();
            }
            let (request, read) = match self.next(incoming) {
                Came::Call(request, read) => (request, read),
                Came::Silence if !self.shared.has_rested_enough(1) => {
                    soon = false;
                    continue;
                }
                other => return other,
            };
            let handler = &self.shared.handler;
            let is_quick = |it: &Request| it.op != Op::Call || handler.is_quick(&it.call);
            if incoming.has_more() || !request.as_ref().is_ok_and(is_quick) {
                return Came::Call(request, read);
            }
            if !self.answer_counted(request, read) {
                return Came::End;
            }
            soon = true;
        }
    }

    /// Reads the next request; also says when it had been read.
    fn next(&self, incoming: &mut Incoming) -> Came {
        let limits = &self.shared.limits;
        self.shared.resting.fetch_add(1, Ordering::Relaxed);
        let next = incoming.frame(limits.frame_timeout, limits.rest);
        self.shared.resting.fetch_sub(1, Ordering::Relaxed);
        let frame = match next {
            Ok(Next::Frame(frame)) => frame,
            Ok(Next::Silence) => return Came::Silence,
            Ok(Next::End) => return Came::End,
            Err(error) => {
                self.complain(&error);
                return Came::End;
            }
        };
        let read = Instant::now();
        let in_flight = &self.shared.counters.in_flight;
        in_flight.fetch_add(1, Ordering::SeqCst);
        Came::Call(request(&frame), read)
    }

    /// Tells the peer what it did wrong, and that this is the end.
    fn complain(&self, error: &FrameError) {
        let is_late =
            matches!(error, FrameError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut);
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

    /// Looks out for the next of several short calls in a row; one thread of the program at a time, so that it takes one
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
                let mut answer = self.execute(&request);
                if answer.stdout.len() + answer.stderr.len() > MAX_PAYLOAD {
                    let reason = "more output than the protocol carries";
                    answer = Answer::refused(Refusal::TooLarge(reason.into()));
                }
                let service_ns = u64::try_from(read.elapsed().as_nanos()).unwrap_or(u64::MAX);
                self.count(&answer, service_ns);
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

    /// Executes a call. A defect in it costs this call, not the connection: what the handler shares it guards itself.
    fn execute(&self, request: &Request) -> Answer {
        let call = AssertUnwindSafe(|| self.shared.handler.call(&request.call));
        catch_unwind(call).unwrap_or_else(|_| Answer::failed("the program met a defect of its own"))
    }

    fn hello(&self, id: u64, version: Option<u32>) -> Value {
        if version != Some(VERSION) {
            let asked = version.map_or("none".into(), |v| v.to_string());
            return json!({"id": id, "error": format!("protocol version {asked} asked for; this program speaks {VERSION}")});
        }
        let who = self.shared.handler.identity();
        let mut hello = json!({"id": id, "version": VERSION, "program": who.program,
               "program_version": who.program_version, "root": who.root, "at": who.at});
        if self.shared.handler.serves_callers() {
            hello["mounts"] = mounts().into();
        }
        hello
    }

    fn count(&self, answer: &Answer, service_ns: u64) {
        self.shared.account.add(answer, service_ns);
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
        for part in [self.shared.account.show(), self.shared.handler.stats()] {
            if let (Some(all), Value::Object(part)) = (stats.as_object_mut(), part) {
                all.extend(part);
            }
        }
        stats
    }

    fn send_json(&self, header: &Value) -> bool {
        self.send(header.to_string().as_bytes(), &[])
    }

    fn send(&self, header: &[u8], parts: &[&[u8]]) -> bool {
        // It guards the order of frames, not memory.
        let _turn = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        self.seat.answers();
        let sent = write_frame(&mut &self.seat.stream, header, parts).is_ok();
        self.seat.has_answered();
        sent
    }

    fn close(&self) {
        let _ = self.seat.stream.shutdown(std::net::Shutdown::Both);
    }
}
