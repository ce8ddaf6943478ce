//! The worker: a process of its own, which runs calls with the real programs. Asked over its socket, a connection a call that
//! is under way.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use curserve_proto::{read_frame, write_frame, Answer, Call};
use rustix::fs::{openat, Mode, OFlags, CWD};
use serde_json::{json, Value};

/// A longer path than this does not fit into a socket's address.
const LONGEST: usize = 107;

/// Connects to the socket at `path`, however long that is.
fn connect(path: &Path) -> io::Result<UnixStream> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return UnixStream::connect(path);
    };
    if path.as_os_str().len() <= LONGEST {
        return UnixStream::connect(path);
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    let near = format!("/proc/self/fd/{}", folder.as_raw_fd());
    UnixStream::connect(Path::new(&near).join(name))
}

/// Who runs calls.
pub struct Remote {
    socket: PathBuf,
    idle: Mutex<Vec<UnixStream>>,
}

impl Remote {
    /// The worker that listens at `socket`.
    pub fn new(socket: PathBuf) -> Self {
        Remote {
            socket,
            idle: Mutex::default(),
        }
    }

    /// Has a call run; a worker that is not there is a failed answer.
    pub(super) fn call(&self, call: &Call) -> Answer {
        self.ask(call).unwrap_or_else(|error| {
            Answer::failed(format!(
                "the worker of the mirror's client does not answer ({error}): start `curserve mirror` again"
            ))
        })
    }

    fn ask(&self, call: &Call) -> io::Result<Answer> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut stream = match idle {
            Some(stream) => stream,
            None => connect(&self.socket)?,
        };
        let request = json!({
            "id": 1, "op": "call", "tool": call.tool, "arguments": call.arguments, "cwd": call.cwd,
            "timeout_ms": call.timeout_ms,
        });
        write_frame(&mut stream, request.to_string().as_bytes(), &[])?;
        let frame = read_frame(&mut stream).map_err(|error| io::Error::other(error.to_string()))?;
        let frame = frame.ok_or_else(|| io::Error::other("it has ended"))?;
        let length = (frame.header.len() as u32).to_le_bytes();
        if let Ok(Value::Object(header)) = serde_json::from_slice(&frame.header) {
            if let Some(error) = header.get("error").and_then(Value::as_str) {
                return Err(io::Error::other(error.to_owned()));
            }
        }
        let bytes = [&length[..], &frame.header, &frame.payload].concat();
        let answer = crate::body::to_answer(&bytes).map_err(io::Error::other)?;
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(stream);
        Ok(answer)
    }
}
