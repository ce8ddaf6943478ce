//! Frames: two lengths, a header, a payload.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};

/// The longest header, in bytes.
pub const MAX_HEADER: usize = 16 << 20;
/// The longest payload, in bytes.
pub const MAX_PAYLOAD: usize = 1 << 30;

/// One frame as read: the header's JSON, not yet parsed, and the payload.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// UTF-8 JSON, if the peer keeps the protocol.
    pub header: Vec<u8>,
    /// Whatever the header says it is.
    pub payload: Vec<u8>,
}

/// Why no frame could be read.
#[derive(Debug)]
pub enum FrameError {
    /// A length beyond its limit: the framing is lost.
    TooLong {
        /// `header` or `payload`.
        part: &'static str,
        /// The length that the peer announced.
        length: usize,
    },
    /// The peer went away in the middle of a frame, or the socket failed.
    Io(io::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::TooLong { part, length } => {
                write!(
                    f,
                    "frame {part} of {length} bytes is longer than the protocol allows"
                )
            }
            FrameError::Io(error) => write!(f, "frame could not be read: {error}"),
        }
    }
}

impl std::error::Error for FrameError {}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        FrameError::Io(error)
    }
}

/// Read one frame; `None` where the peer closed between frames.
///
/// Memory grows with the bytes that really arrive, never with what the peer announces.
///
/// # Errors
/// The reader's; a frame that is cut off, or longer than the protocol allows.
pub fn read_frame(reader: &mut impl Read) -> Result<Option<Frame>, FrameError> {
    let mut lengths = [0u8; 8];
    let mut have = 0;
    while have < lengths.len() {
        match reader.read(&mut lengths[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(n) => have += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let part = |at: usize| {
        u32::from_le_bytes([
            lengths[at],
            lengths[at + 1],
            lengths[at + 2],
            lengths[at + 3],
        ]) as usize
    };
    let (header, payload) = (part(0), part(4));
    if header > MAX_HEADER {
        return Err(FrameError::TooLong {
            part: "header",
            length: header,
        });
    }
    if payload > MAX_PAYLOAD {
        return Err(FrameError::TooLong {
            part: "payload",
            length: payload,
        });
    }
    Ok(Some(Frame {
        header: read_exactly(reader, header)?,
        payload: read_exactly(reader, payload)?,
    }))
}

fn read_exactly(reader: &mut impl Read, length: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::with_capacity(length.min(64 << 10));
    if reader.take(length as u64).read_to_end(&mut bytes)? < length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(bytes)
}

/// Write one frame whose payload is `parts` in a row, in as few system calls as the socket takes it.
///
/// # Errors
/// The writer's.
///
/// # Panics
/// If header or payload are longer than the protocol allows: the callers limit both.
pub fn write_frame(writer: &mut impl Write, header: &[u8], parts: &[&[u8]]) -> io::Result<()> {
    let payload: usize = parts.iter().map(|part| part.len()).sum();
    assert!(
        header.len() <= MAX_HEADER && payload <= MAX_PAYLOAD,
        "frame beyond the protocol's limits"
    );
    let mut head = Vec::with_capacity(8 + header.len());
    head.extend_from_slice(&(header.len() as u32).to_le_bytes());
    head.extend_from_slice(&(payload as u32).to_le_bytes());
    head.extend_from_slice(header);
    let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(1 + parts.len());
    slices.push(IoSlice::new(&head));
    slices.extend(
        parts
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| IoSlice::new(part)),
    );
    let mut rest = &mut slices[..];
    while !rest.is_empty() {
        match writer.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => IoSlice::advance_slices(&mut rest, n),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_written() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, b"{}", &[b"out", b"", b"err"]).unwrap();
        let frame = read_frame(&mut &bytes[..]).unwrap().unwrap();
        assert_eq!(
            frame,
            Frame {
                header: b"{}".to_vec(),
                payload: b"outerr".to_vec()
            }
        );
        assert!(read_frame(&mut &b""[..]).unwrap().is_none());
    }

    #[test]
    fn a_peer_that_dies_in_mid_frame_is_an_error() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, b"{\"id\":1}", &[b"payload"]).unwrap();
        for end in 1..bytes.len() {
            assert!(
                matches!(read_frame(&mut &bytes[..end]), Err(FrameError::Io(_))),
                "{end}"
            );
        }
    }

    #[test]
    fn absurd_lengths_are_refused_before_memory_is_taken() {
        let mut bytes = (u32::MAX).to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        assert!(matches!(
            read_frame(&mut &bytes[..]),
            Err(FrameError::TooLong { part: "header", .. })
        ));
        let mut bytes = 2u32.to_le_bytes().to_vec();
        bytes.extend_from_slice(&(u32::MAX).to_le_bytes());
        assert!(matches!(
            read_frame(&mut &bytes[..]),
            Err(FrameError::TooLong {
                part: "payload",
                ..
            })
        ));
    }
}
