//! The caller's side of a connection: one request at a time.

use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use crate::frame::{write_frame, MAX_HEADER, MAX_PAYLOAD};
use crate::watch::watch;

const LENGTHS: usize = 8;
/// What is kept for the next answer, at least and at most.
const ROOM: std::ops::Range<usize> = 64 << 10..4 << 20;

/// One connection; its read time-out is the longest silence.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    buffer: Vec<u8>,
    have: usize,
}

impl Channel {
    /// A channel over a connected socket.
    pub fn new(stream: UnixStream) -> Channel {
        Channel {
            stream,
            buffer: vec![0; ROOM.start],
            have: 0,
        }
    }

    /// Send a request without payload.
    ///
    /// # Errors
    /// The socket's.
    pub fn send(&mut self, header: &[u8]) -> io::Result<()> {
        if header.len() > MAX_HEADER {
            let text = "a request longer than the protocol allows";
            return Err(io::Error::new(ErrorKind::InvalidInput, text));
        }
        self.have = 0;
        write_frame(&mut self.stream, header, &[])
    }

    /// Receive the answer: header and payload.
    ///
    /// # Errors
    /// `Interrupted` by a signal: call again, nothing is lost. `WouldBlock`: no answer in time. Else the peer is gone
    /// or broke the protocol.
    pub fn receive(&mut self) -> io::Result<(&[u8], &[u8])> {
        if self.have == 0 {
            watch(self.stream.as_fd())?;
        }
        self.fill(LENGTHS)?;
        let length = |at: usize| {
            let bytes = self.buffer[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes) as usize
        };
        let (header, payload) = (length(0), length(4));
        if header > MAX_HEADER || payload > MAX_PAYLOAD {
            let text = "an answer longer than the protocol allows";
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        self.fill(LENGTHS + header + payload)?;
        if std::mem::take(&mut self.have) > LENGTHS + header + payload {
            let text = "more than was asked for";
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        let split = LENGTHS + header;
        Ok((
            &self.buffer[LENGTHS..split],
            &self.buffer[split..split + payload],
        ))
    }

    /// Give back the room that a long answer took.
    pub fn trim(&mut self) {
        if self.buffer.len() > ROOM.end {
            self.buffer = vec![0; ROOM.start];
        }
    }

    /// Read until there are `wanted` bytes; room grows with what really arrives, never with what is announced.
    fn fill(&mut self, wanted: usize) -> io::Result<()> {
        while self.have < wanted {
            if self.have == self.buffer.len() {
                self.buffer.resize((2 * self.have).min(wanted), 0);
            }
            match self.stream.read(&mut self.buffer[self.have..])? {
                0 => return Err(closed(self.have)),
                got => self.have += got,
            }
        }
        Ok(())
    }
}

fn closed(have: usize) -> io::Error {
    let text = match have {
        0 => "connection closed",
        _ => "connection closed in the middle of an answer",
    };
    io::Error::new(ErrorKind::UnexpectedEof, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::time::Duration;

    fn pair() -> (Channel, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (Channel::new(ours), theirs)
    }

    fn answer(header: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, header, &[payload]).unwrap();
        bytes
    }

    #[test]
    fn answers_of_any_length_come_whole_and_one_after_the_other() {
        for length in [0, 1, ROOM.start - 10, ROOM.start, 9 << 20, 3] {
            let (mut channel, mut peer) = pair();
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            for part in [1 << 20, 100_000, 7] {
                let (sent, mut peer) = (answer(b"{}", &payload), peer.try_clone().unwrap());
                let writer = std::thread::spawn(move || {
                    let (slow, rest) = sent.split_at(sent.len().min(1000));
                    slow.chunks(part)
                        .for_each(|part| peer.write_all(part).unwrap());
                    peer.write_all(rest).unwrap();
                });
                let (header, got) = channel.receive().unwrap();
                assert_eq!((header, got), (&b"{}"[..], &payload[..]));
                channel.trim();
                assert!(channel.buffer.len() <= ROOM.end);
                writer.join().unwrap();
            }
            peer.write_all(&answer(b"{}", b"").repeat(2)).unwrap();
            let error = channel.receive().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_peer_that_goes_stays_silent_or_lies_is_an_error() {
        let (mut channel, peer) = pair();
        let silence = Some(Duration::from_millis(5));
        channel.stream.set_read_timeout(silence).unwrap();
        assert_eq!(channel.receive().unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(peer);
        let error = channel.receive().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);

        let (mut channel, mut peer) = pair();
        peer.write_all(&answer(b"{}", b"payload")[..12]).unwrap();
        drop(peer);
        let error = channel.receive().unwrap_err();
        assert!(error.to_string().contains("in the middle"), "{error}");

        let (mut channel, mut peer) = pair();
        peer.write_all(&[0xff; 8]).unwrap();
        let error = channel.receive().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(
            channel.buffer.len(),
            ROOM.start,
            "nothing was allocated for it"
        );
    }
}
