//! Messages on a stream of bytes: each behind its length, all through one zstd stream a direction, so that what is like
//! something said before costs little.

use std::io;

use zstd::stream::raw::{CParameter, DParameter, Decoder, Encoder, InBuffer, Operation, OutBuffer};

use crate::fault::Fault;
use crate::message::{Message, MAX_MESSAGE};

/// How far back a message may refer: 2^23 bytes, which each side has to keep.
const WINDOW_LOG: u32 = 23;
/// The first bytes of each direction: who speaks, and how the rest is packed.
pub const MAGIC: &[u8; 8] = b"curservM";

/// Packs messages.
pub struct Packer {
    encoder: Encoder<'static>,
    packed: Vec<u8>,
    /// Bytes before packing.
    pub plain: u64,
}

impl Packer {
    /// A packer for a new connection.
    ///
    /// # Errors
    /// Where there is no memory.
    pub fn new() -> io::Result<Self> {
        let mut encoder = Encoder::new(3)?;
        encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
        Ok(Packer {
            encoder,
            packed: MAGIC.to_vec(),
            plain: 0,
        })
    }

    /// Adds a message.
    ///
    /// # Errors
    /// The library's.
    pub fn push(&mut self, message: &Message) -> io::Result<()> {
        let bytes = message.encode();
        let mut head = Vec::with_capacity(4);
        let mut length = bytes.len();
        while length >= 0x80 {
            head.push(length as u8 | 0x80);
            length >>= 7;
        }
        head.push(length as u8);
        self.plain += (head.len() + bytes.len()) as u64;
        self.run(&head)?;
        self.run(&bytes)
    }

    fn run(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut input = InBuffer::around(bytes);
        let mut buffer = [0; 16 << 10];
        while input.pos() < bytes.len() {
            let mut output = OutBuffer::around(&mut buffer[..]);
            self.encoder.run(&mut input, &mut output)?;
            self.packed.extend_from_slice(output.as_slice());
        }
        Ok(())
    }

    /// How many bytes wait to be taken, about.
    pub fn waiting(&self) -> usize {
        self.packed.len()
    }

    /// All that can be sent now, such that the other side can read every message that was added.
    ///
    /// # Errors
    /// The library's.
    pub fn take(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = [0; 16 << 10];
        loop {
            let mut output = OutBuffer::around(&mut buffer[..]);
            let left = self.encoder.flush(&mut output)?;
            self.packed.extend_from_slice(output.as_slice());
            if left == 0 {
                return Ok(std::mem::take(&mut self.packed));
            }
        }
    }
}

/// Unpacks them.
pub struct Unpacker {
    decoder: Decoder<'static>,
    magic: usize,
    plain: Vec<u8>,
    /// Up to here `plain` has been read.
    at: usize,
    /// The decoder may have more without more input.
    has_more: bool,
}

impl Unpacker {
    /// An unpacker for a new connection.
    ///
    /// # Errors
    /// Where there is no memory.
    pub fn new() -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG))?;
        Ok(Unpacker {
            decoder,
            magic: 0,
            plain: Vec::new(),
            at: 0,
            has_more: false,
        })
    }

    /// The next message, of what was there and `input`, from which it takes what it needs; None: more input is needed.
    /// So much is unpacked as one message needs, however much the input would make.
    ///
    /// # Errors
    /// Where the other side does not speak the protocol.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Message>, Fault> {
        while self.magic < MAGIC.len() {
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            if byte != MAGIC[self.magic] {
                let shown = &input[..input.len().min(60)];
                let text = format!(
                    "it does not begin as curserve mirror does, but with \"{}\"; is something printed at login?",
                    shown.escape_ascii()
                );
                return Err(Fault::new(text));
            }
            self.magic += 1;
            *input = rest;
        }
        loop {
            if let Some((head, length)) = self.length()? {
                if self.plain.len() - self.at >= head + length {
                    let start = self.at + head;
                    let message = Message::decode(&self.plain[start..start + length])?;
                    self.at = start + length;
                    return Ok(Some(message));
                }
            }
            if !self.unpack(input)? {
                return Ok(None);
            }
        }
    }

    /// The length of the next message, and how many bytes say it.
    fn length(&self) -> Result<Option<(usize, usize)>, Fault> {
        let mut length = 0;
        for (at, &byte) in self.plain[self.at..].iter().enumerate().take(4) {
            length |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return match length <= MAX_MESSAGE {
                    true => Ok(Some((at + 1, length))),
                    false => Err(Fault::new(format!("a message of {length} bytes"))),
                };
            }
        }
        match self.plain.len() - self.at >= 4 {
            true => Err(Fault::new("a message of more than 1 MiB")),
            false => Ok(None),
        }
    }

    /// Unpacks some more. False where there is nothing to unpack.
    fn unpack(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        if input.is_empty() && !self.has_more {
            return Ok(false);
        }
        self.plain.drain(..self.at);
        self.at = 0;
        let mut buffer = [0; 32 << 10];
        let mut output = OutBuffer::around(&mut buffer[..]);
        let mut source = InBuffer::around(input);
        let left = self.decoder.run(&mut source, &mut output);
        let left =
            left.map_err(|error| Fault::new(format!("what it sends cannot be unpacked: {error}")))?;
        if left == 0 && source.pos() < input.len() {
            return Err(Fault::new("its stream has ended, and goes on"));
        }
        let consumed = source.pos();
        let made = output.as_slice().len();
        self.plain.extend_from_slice(output.as_slice());
        *input = &input[consumed..];
        self.has_more = made == 32 << 10;
        Ok(made > 0 || consumed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::RelPath;

    fn ask(id: u64) -> Message {
        let path = RelPath::new(format!("folder/of/{id}").as_bytes()).unwrap();
        Message::Ask { id, path }
    }

    #[test]
    fn messages_come_out_as_they_went_in_however_they_are_cut() {
        let mut packer = Packer::new().unwrap();
        let mut bytes = Vec::new();
        for id in 0..200 {
            packer.push(&ask(id)).unwrap();
            if id % 7 == 0 {
                bytes.extend(packer.take().unwrap());
            }
        }
        bytes.extend(packer.take().unwrap());
        for step in [1, 2, 3, 50, bytes.len()] {
            let mut unpacker = Unpacker::new().unwrap();
            let mut got = Vec::new();
            for mut part in bytes.chunks(step) {
                while let Some(message) = unpacker.next(&mut part).unwrap() {
                    got.push(message);
                }
                assert!(part.is_empty());
            }
            assert_eq!(got, (0..200).map(ask).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_bomb_is_unpacked_a_message_at_a_time() {
        let mut encoder = Encoder::new(19).unwrap();
        let zeros = vec![0u8; 64 << 20];
        let mut packed = vec![0; 1 << 20];
        let mut output = OutBuffer::around(&mut packed[..]);
        let mut input = InBuffer::around(&zeros[..]);
        while input.pos() < zeros.len() {
            encoder.run(&mut input, &mut output).unwrap();
        }
        encoder.flush(&mut output).unwrap();
        let bytes = [&MAGIC[..], output.as_slice()].concat();
        let mut unpacker = Unpacker::new().unwrap();
        let mut rest = &bytes[..];
        // A message of no bytes is none.
        assert!(unpacker.next(&mut rest).is_err());
        assert!(unpacker.plain.len() < 100_000);
    }

    #[test]
    fn what_is_no_mirror_is_named() {
        let mut unpacker = Unpacker::new().unwrap();
        let fault = unpacker.next(&mut &b"Welcome to host\n"[..]).unwrap_err();
        assert!(fault.to_string().contains("Welcome to host"), "{fault}");
    }
}
