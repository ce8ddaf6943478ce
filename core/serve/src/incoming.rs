//! What comes in on a connection: frames in time, and the requests in them.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

use curserve_proto::{read_frame, Frame, FrameError, Request};
use serde_json::Value;

use crate::seats::Seat;

/// A request, or why it is none, with its id where that could be read.
pub(crate) type Asked = Result<Request, (Option<u64>, String)>;

/// What comes next.
pub(crate) enum Next {
    Frame(Frame),
    /// Nothing, for as long as the socket waits.
    Silence,
    End,
}

/// Reads from one connection.
pub(crate) struct Incoming(BufReader<Source>);

/// A connection's socket, once more, without a descriptor of its own.
struct Source(Arc<Seat>);

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        (&self.0.stream).read(into)
    }
}

impl Incoming {
    pub(crate) fn new(seat: Arc<Seat>) -> Self {
        Incoming(BufReader::with_capacity(16 << 10, Source(seat)))
    }

    /// Whether more has been read than was asked for.
    pub(crate) fn has_more(&self) -> bool {
        !self.0.buffer().is_empty()
    }

    /// Reads a frame. The peer may be silent between two for as long as it likes (`idle` is the socket's time-out, after which
    /// that is told), but one that it has begun must be here within `limit`, and before that where somebody else needs the seat.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] where it is not; the socket's.
    pub(crate) fn frame(&mut self, limit: Duration, idle: Duration) -> Result<Next, FrameError> {
        loop {
            match self.0.fill_buf() {
                Ok([]) => return Ok(Next::End),
                Ok(_) => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Next::Silence),
                Err(error) => return Err(error.into()),
            }
        }
        let mut timed = Timed {
            source: &mut self.0,
            limit,
            end: None,
        };
        let frame = read_frame(&mut timed);
        if timed.end.is_some() {
            self.0.get_ref().0.stream.set_read_timeout(Some(idle))?;
        }
        match self.0.get_ref().0.begin() {
            true => Ok(frame?.map_or(Next::End, Next::Frame)),
            false => Ok(Next::End),
        }
    }
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
            if self.end.is_none() {
                self.source.get_ref().0.waits();
            }
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

/// Reads a request, or says (with its id, where that could be read) why it is none.
pub(crate) fn request(frame: &Frame) -> Asked {
    serde_json::from_slice(&frame.header).map_err(|error| {
        let id = serde_json::from_slice::<Value>(&frame.header)
            .ok()
            .and_then(|v| v.get("id").and_then(Value::as_u64));
        (id, format!("request could not be read: {error}"))
    })
}
