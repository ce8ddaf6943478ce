//! Who is connected: so many at a time. Where all seats are taken, whoever has kept the server waiting longest makes room for
//! a newcomer: by silence between two calls, with a frame that has begun and does not end, or with an answer that is not
//! taken. A call that is being executed keeps its connection.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use curserve_proto::write_frame;
use serde_json::json;

/// All connections of a server.
pub(crate) struct Seats {
    most: usize,
    /// Silence that is no pause between two calls.
    idle: Duration,
    started: Instant,
    taken: Mutex<Vec<Arc<Seat>>>,
}

/// One connection.
pub(crate) struct Seat {
    pub(crate) stream: UnixStream,
    /// Frames that have come and are not answered; [`GONE`]: it has made room.
    busy: AtomicUsize,
    /// Those of them whose answer is being sent.
    sending: AtomicUsize,
    /// When it was last heard of: came, or was answered; in nanoseconds after the server started.
    since: AtomicU64,
    started: Instant,
}

const GONE: usize = usize::MAX;
/// Whoever has not taken an answer for so long does not read.
const DEAF: Duration = Duration::from_millis(100);

impl Seat {
    /// Of a frame that has begun, more is waited for.
    pub(crate) fn waits(&self) {
        self.since.store(self.now(), Ordering::SeqCst);
    }

    /// A frame has come; false where the connection has just made room: it is not executed.
    pub(crate) fn begin(&self) -> bool {
        let more = |busy| (busy != GONE).then(|| busy + 1);
        self.busy
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .is_ok()
    }

    /// An answer goes out. Its time is that from before it is sent: whoever has it in hand was answered before whoever
    /// asks next, however late this thread goes on.
    pub(crate) fn answers(&self) {
        self.since.store(self.now(), Ordering::SeqCst);
        self.sending.fetch_add(1, Ordering::SeqCst);
    }

    /// The answer has gone out, or never will.
    pub(crate) fn has_answered(&self) {
        self.sending.fetch_sub(1, Ordering::SeqCst);
    }

    /// A frame is answered.
    pub(crate) fn end(&self) {
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    fn now(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }

    /// Since when the server has waited for it; None while something is executed for it, or when it is gone.
    fn silent_since(&self) -> Option<u64> {
        let (busy, since) = (
            self.busy.load(Ordering::SeqCst),
            self.since.load(Ordering::SeqCst),
        );
        let is_deaf = || {
            let waited = Duration::from_nanos(self.now().saturating_sub(since));
            busy <= self.sending.load(Ordering::SeqCst) && waited >= DEAF
        };
        (busy == 0 || is_deaf()).then_some(since)
    }

    /// Makes room, if it has still been waited for since `since`.
    fn leave(&self, since: u64) -> bool {
        let silent = self
            .busy
            .compare_exchange(0, GONE, Ordering::SeqCst, Ordering::SeqCst);
        if silent.is_ok() {
            dismiss(
                &self.stream,
                "closed",
                "silent longest, and all connections are taken",
            );
            return true;
        }
        // In the middle of an answer there is nothing to say.
        let is_deaf = self.silent_since() == Some(since);
        if is_deaf {
            let _ = self.stream.shutdown(std::net::Shutdown::Both);
        }
        is_deaf
    }
}

impl Seats {
    pub(crate) fn new(most: usize, idle: Duration) -> Self {
        Seats {
            most,
            idle,
            started: Instant::now(),
            taken: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Seat>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many there are.
    pub(crate) fn taken(&self) -> usize {
        self.lock().len()
    }

    /// A seat for `stream`; None where there is none, which it is told.
    pub(crate) fn take(&self, stream: UnixStream) -> Option<Arc<Seat>> {
        let mut taken = self.lock();
        if taken.len() >= self.most && !self.clear(&mut taken) {
            let (most, idle) = (self.most, self.idle.as_secs_f64());
            let why = format!(
                "of {most} connections none has kept the server waiting for {idle} s; try again"
            );
            dismiss(&stream, "full", &why);
            return None;
        }
        let seat = Arc::new(Seat {
            stream,
            busy: AtomicUsize::new(0),
            sending: AtomicUsize::new(0),
            since: AtomicU64::new(self.started.elapsed().as_nanos() as u64),
            started: self.started,
        });
        taken.push(Arc::clone(&seat));
        Some(seat)
    }

    /// Makes room for one; false where nobody can be asked to leave.
    pub(crate) fn make_room(&self) -> bool {
        self.clear(&mut self.lock())
    }

    fn clear(&self, taken: &mut Vec<Arc<Seat>>) -> bool {
        let idle = self.idle.as_nanos() as u64;
        loop {
            let now = self.started.elapsed().as_nanos() as u64;
            let silent = taken.iter().enumerate().filter_map(|(at, seat)| {
                let since = seat.silent_since()?;
                (since.saturating_add(idle) <= now).then_some((since, at))
            });
            let Some((since, at)) = silent.min() else {
                return false;
            };
            // A call may have come this very moment; then somebody else is asked.
            if taken[at].leave(since) {
                taken.swap_remove(at);
                return true;
            }
        }
    }

    /// `seat` is given up.
    pub(crate) fn give_up(&self, seat: &Arc<Seat>) {
        let mut taken = self.lock();
        if let Some(at) = taken.iter().position(|one| Arc::ptr_eq(one, seat)) {
            taken.swap_remove(at);
        }
    }
}

/// Says why, without waiting for somebody who does not read, and ends the connection.
fn dismiss(stream: &UnixStream, code: &str, why: &str) {
    let mut frame = Vec::new();
    let header = json!({"id": null, "error": format!("{code}: {why}"), "code": code}).to_string();
    if write_frame(&mut frame, header.as_bytes(), &[]).is_ok() {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the socket is open, and the frame outlives the call.
        unsafe {
            libc::send(
                stream.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                flags,
            )
        };
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

/// Whether there are no descriptors left for another connection.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}
