//! What the recorder is told, in frames: a byte that tells the kind, a 32-bit length, the bytes. `S` is the start, `O` and
//! `E` output as it comes, `X` the end. After `S` and `X` the recorder answers with a byte: it may look at the files first.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{json, Value};

use crate::configuration::Configuration;

/// The way to the recorder; silent from where it stops listening.
pub struct Log(Option<UnixStream>);

impl Log {
    /// Opens the way to the recorder that listens on `socket`; None where none does.
    pub fn open(socket: &str) -> Option<Log> {
        let stream = UnixStream::connect(socket).ok()?;
        Some(Log(Some(stream)))
    }

    /// Tells `bytes` of `kind`.
    pub fn tell(&mut self, kind: u8, bytes: &[u8]) {
        if let Some(stream) = &mut self.0 {
            if frame(stream, kind, bytes).is_err() {
                self.0 = None;
            }
        }
    }

    /// Tells `value`, and waits for the answer.
    pub fn tell_and_wait(&mut self, kind: u8, value: &Value) {
        self.tell(kind, value.to_string().as_bytes());
        if let Some(stream) = &mut self.0 {
            if stream.read_exact(&mut [0]).is_err() {
                self.0 = None;
            }
        }
    }

    /// Tells nothing from now on.
    pub fn close(&mut self) {
        self.0 = None;
    }
}

/// Tells that a shell runs whose commands cannot be told apart.
pub fn tell_session(configuration: &Configuration) {
    if let Some(mut log) = Log::open(&configuration.socket) {
        let start = json!({"name": configuration.name, "session": true, "pid": std::process::id()});
        log.tell(b'S', start.to_string().as_bytes());
    }
}

fn frame(log: &mut UnixStream, kind: u8, bytes: &[u8]) -> std::io::Result<()> {
    let mut head = [kind, 0, 0, 0, 0];
    head[1..].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
    log.write_all(&head)?;
    log.write_all(bytes)
}
