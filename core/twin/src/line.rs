//! The two streams to the other side: bytes go out on a thread of their own, so that a peer that does not read holds up nobody,
//! and what waits is bounded by who asks before adding more.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use curserve_mirror::{Fault, Message, Packer, Unpacker};

/// The two directions of a connection, and how it is ended from another thread.
pub struct Streams {
    /// What comes.
    pub from: Box<dyn Read + Send>,
    /// What goes.
    pub to: Box<dyn Write + Send>,
    /// Ends both.
    pub end: Box<dyn Fn() + Send + Sync>,
}

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    is_over: bool,
    /// All that waited has been written, or cannot be.
    is_done: bool,
}

/// How long what waits may take to be written when a connection is over.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is on its way out.
pub(crate) struct Outbox {
    packer: Packer,
    shared: Arc<(Mutex<Waiting>, Condvar)>,
}

impl Outbox {
    /// Sends on `to`, until that fails or the outbox is dropped; then `end` is called.
    pub(crate) fn start(
        mut to: Box<dyn Write + Send>,
        end: impl Fn() + Send + 'static,
        sent: Arc<AtomicU64>,
    ) -> io::Result<Outbox> {
        let shared: Arc<(Mutex<Waiting>, Condvar)> = Arc::default();
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("mirror-out".into())
            .spawn(move || {
                while let Some(bytes) = next(&theirs) {
                    if to.write_all(&bytes).and_then(|()| to.flush()).is_err() {
                        break;
                    }
                    sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                }
                let mut waiting = theirs.0.lock().unwrap_or_else(PoisonError::into_inner);
                (waiting.is_over, waiting.is_done) = (true, true);
                theirs.1.notify_all();
                drop(waiting);
                end();
            })?;
        Ok(Outbox {
            packer: Packer::new()?,
            shared,
        })
    }

    /// Sends these messages, and all before them.
    pub(crate) fn send(&mut self, messages: impl IntoIterator<Item = Message>) -> io::Result<()> {
        let mut any = false;
        for message in messages {
            self.packer.push(&message)?;
            any = true;
        }
        if any {
            let bytes = self.packer.take()?;
            let mut waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.bytes.extend_from_slice(&bytes);
            self.shared.1.notify_all();
        }
        Ok(())
    }

    /// Sends what waits, if the other side takes it soon; nothing is sent afterwards.
    pub(crate) fn finish(self) {
        let mut waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.is_over = true;
        self.shared.1.notify_all();
        let waited = self
            .shared
            .1
            .wait_timeout_while(waiting, PATIENCE, |it| !it.is_done);
        drop(waited);
    }

    /// How many bytes wait for the stream.
    pub(crate) fn waiting(&self) -> usize {
        let waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.bytes.len()
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        let mut waiting = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.is_over = true;
        self.shared.1.notify_all();
    }
}

/// What waits; None when it is over and nothing waits.
fn next(shared: &(Mutex<Waiting>, Condvar)) -> Option<Vec<u8>> {
    let mut waiting = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if !waiting.bytes.is_empty() {
            return Some(std::mem::take(&mut waiting.bytes));
        }
        if waiting.is_over {
            return None;
        }
        waiting = shared
            .1
            .wait(waiting)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// What comes in.
pub(crate) struct Inbox {
    from: Box<dyn Read + Send>,
    unpacker: Unpacker,
    buffer: Vec<u8>,
    received: Arc<AtomicU64>,
}

/// Why no more comes.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The stream is at its end, or broken.
    Cut(String),
    /// The other side does not speak the protocol.
    Fault(Fault),
}

impl Inbox {
    /// Reads from `from`.
    pub(crate) fn new(from: Box<dyn Read + Send>, received: Arc<AtomicU64>) -> io::Result<Inbox> {
        Ok(Inbox {
            from,
            unpacker: Unpacker::new()?,
            buffer: vec![0; 64 << 10],
            received,
        })
    }

    /// All messages of the next bytes that come, each given to `take`, which says whether to go on.
    pub(crate) fn next(&mut self, mut take: impl FnMut(Message) -> bool) -> Result<(), Ended> {
        let count = loop {
            match self.from.read(&mut self.buffer) {
                Ok(0) => return Err(Ended::Cut("the other side has ended the connection".into())),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Ended::Cut(format!("the connection broke: {error}"))),
            }
        };
        self.received.fetch_add(count as u64, Ordering::Relaxed);
        let mut rest = &self.buffer[..count];
        while let Some(message) = self.unpacker.next(&mut rest).map_err(Ended::Fault)? {
            if !take(message) {
                break;
            }
        }
        Ok(())
    }
}
