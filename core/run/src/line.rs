//! Asking a daemon that may be stopped, or stuck: as long as it shows life, its answer may take its time; where it shows
//! none, the real program begins at once.
//!
//! Life is any byte. A daemon answers `ping` while it executes a call, so one that has been silent is asked for that.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use curserve_proto::{read_frame, write_frame, MAX_HEADER, MAX_PAYLOAD};
use rustix::net::{connect, socket_with, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use serde_json::{json, Value};

/// A daemon that has not sent a byte for so long is asked whether it lives, and given up after as long again.
const SILENCE: Duration = Duration::from_millis(50);

const HELLO: u64 = 1;
const CALL: u64 = 2;
const PING: u64 = 3;

/// A connection on which one thing is asked.
pub struct Line {
    stream: UnixStream,
    /// What has come and is not yet a whole frame.
    come: Vec<u8>,
    /// A ping has not been answered.
    pinged: bool,
    /// Hello has been answered.
    welcome: bool,
}

impl Line {
    /// Connects, unless that would have to wait: a stopped daemon takes nobody in.
    pub fn open(socket: &Path) -> Option<Line> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
        connect(&fd, &SocketAddrUnix::new(socket).ok()?).ok()?;
        let stream = UnixStream::from(fd);
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(SILENCE)).ok()?;
        stream.set_write_timeout(Some(SILENCE)).ok()?;
        Some(Line {
            stream,
            come: Vec::new(),
            pinged: false,
            welcome: false,
        })
    }

    /// The answer to `call`, and what it carries; None where the daemon has another root, or shows no life.
    pub fn ask(mut self, root: &str, mut call: Value) -> Option<(Value, Vec<u8>)> {
        call["id"] = CALL.into();
        call["op"] = "call".into();
        // Both are asked at once; a daemon answers hello first.
        let mut both = frame(&json!({"id": HELLO, "op": "hello", "version": 1}));
        both.extend(frame(&call));
        self.stream.write_all(&both).ok()?;
        loop {
            let (header, payload) = self.frame()?;
            match header.get("id").and_then(Value::as_u64)? {
                HELLO => {
                    let is = |field: &str, known: &str| {
                        header.get(field).and_then(Value::as_str) == Some(known)
                    };
                    // Where other things are mounted, the same path may lead elsewhere.
                    self.welcome = is("root", root) && is("mounts", &mounts());
                }
                PING => self.pinged = false,
                CALL if self.welcome => return Some((header, payload)),
                _ => return None,
            }
            // Another root may have the same hash.
            if !self.welcome {
                return None;
            }
        }
    }

    /// The next frame.
    fn frame(&mut self) -> Option<(Value, Vec<u8>)> {
        let length = |come: &[u8], at: usize| {
            let bytes = come.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_le_bytes(bytes) as usize)
        };
        loop {
            if let (Some(header), Some(payload)) = (length(&self.come, 0), length(&self.come, 4)) {
                if header > MAX_HEADER || payload > MAX_PAYLOAD {
                    return None;
                }
                let whole = 8 + header + payload;
                if self.come.len() >= whole {
                    let rest = self.come.split_off(whole);
                    let frame = std::mem::replace(&mut self.come, rest);
                    let frame = read_frame(&mut &frame[..]).ok()??;
                    let header = serde_json::from_slice(&frame.header).ok()?;
                    return Some((header, frame.payload));
                }
            }
            self.more()?;
        }
    }

    /// Waits for more; None where there is no more to come, or no life.
    fn more(&mut self) -> Option<()> {
        let mut part = [0; 64 << 10];
        loop {
            let error = match self.stream.read(&mut part) {
                Ok(0) => return None,
                Ok(got) => {
                    self.come.extend_from_slice(&part[..got]);
                    return Some(());
                }
                Err(error) => error,
            };
            match error.kind() {
                std::io::ErrorKind::Interrupted => {}
                // Hello takes no time; within a frame nothing stands between one byte and the next.
                std::io::ErrorKind::WouldBlock
                    if self.welcome && !self.pinged && self.come.is_empty() =>
                {
                    self.pinged = true;
                    let ping = frame(&json!({"id": PING, "op": "ping"}));
                    self.stream.write_all(&ping).ok()?;
                }
                _ => return None,
            }
        }
    }
}

/// The name of the mount namespace that this process sees.
fn mounts() -> String {
    let name = std::fs::read_link("/proc/self/ns/mnt");
    name.map_or_else(
        |_| String::new(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn frame(header: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Words longer than the protocol's longest header do not fit on a command line.
    let _ = write_frame(&mut bytes, header.to_string().as_bytes(), &[]);
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    use super::*;

    /// A daemon that does as `script` says, asked once; the answer, and how long it took.
    fn asked(script: impl FnOnce(&mut UnixStream) + Send + 'static) -> (bool, Duration) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        let daemon = std::thread::spawn(move || script(&mut listener.accept().unwrap().0));
        let line = Line::open(&socket).unwrap();
        let began = Instant::now();
        let answer = line.ask("/root", json!({}));
        let took = began.elapsed();
        daemon.join().unwrap();
        (answer.is_some(), took)
    }

    fn tell(stream: &mut UnixStream, header: &Value) {
        let _ = stream.write_all(&frame(header));
    }

    /// Reads requests until one of `id` comes.
    fn hear(stream: &mut UnixStream, id: u64) -> bool {
        while let Ok(Some(frame)) = read_frame(stream) {
            let header: Value = serde_json::from_slice(&frame.header).unwrap();
            if header["id"] == id {
                return true;
            }
        }
        false
    }

    #[test]
    fn a_daemon_that_shows_no_life_is_given_up() {
        for script in [
            (|stream| assert!(!hear(stream, PING))) as fn(&mut UnixStream),
            |stream| {
                tell(
                    stream,
                    &json!({"id": HELLO, "root": "/root", "mounts": mounts()}),
                );
                while hear(stream, PING) {}
            },
            |stream| {
                tell(
                    stream,
                    &json!({"id": HELLO, "root": "/root", "mounts": mounts()}),
                );
                let _ = stream.write_all(&frame(&json!({"id": CALL}))[..9]);
                while hear(stream, PING) {}
            },
        ] {
            let (answered, took) = asked(script);
            assert!(!answered);
            assert!(took >= SILENCE, "{took:?}");
            assert!(took < Duration::from_secs(5), "{took:?}");
        }
    }

    #[test]
    fn an_answer_may_take_its_time_while_pings_are_answered() {
        let (answered, took) = asked(|stream| {
            tell(
                stream,
                &json!({"id": HELLO, "root": "/root", "mounts": mounts()}),
            );
            for _ in 0..5 {
                assert!(hear(stream, PING));
                tell(stream, &json!({"id": PING, "ok": true}));
            }
            tell(stream, &json!({"id": CALL}));
        });
        assert!(answered);
        assert!(took >= 5 * SILENCE, "{took:?}");
    }

    #[test]
    fn a_socket_whose_queue_is_full_makes_nobody_wait() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s");
        let _listener = UnixListener::bind(&socket).unwrap();
        let waiting: Vec<Line> = std::iter::from_fn(|| Line::open(&socket)).collect();
        assert!(!waiting.is_empty());
        assert!(Line::open(&socket).is_none());
    }
}
