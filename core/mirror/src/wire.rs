//! Numbers and strings on the wire: LEB128, and lengths that are looked at before memory is taken.

use std::sync::Arc;

use crate::entry::{Entry, Hash, Kind};
use crate::fault::Fault;
use crate::path::{Name, RelPath, MAX_NAME, MAX_PATH};
use crate::tree::Place;

/// Writes one message's fields.
#[derive(Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    pub(crate) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn hash(&mut self, hash: &Hash) {
        self.0.extend_from_slice(&hash.0);
    }

    pub(crate) fn place(&mut self, place: &Place) {
        match place {
            Place::Last => self.byte(0),
            Place::First => self.byte(1),
            Place::After(name) => {
                self.byte(2);
                self.bytes(name);
            }
        }
    }

    pub(crate) fn entry(&mut self, entry: &Entry) {
        let kind = match &entry.kind {
            Kind::Folder => 0,
            Kind::File { .. } => 1,
            Kind::Link { .. } => 2,
            Kind::Withheld { .. } => 3,
        };
        self.byte(kind);
        self.number(entry.mode.into());
        self.signed(entry.mtime);
        match &entry.kind {
            Kind::Folder => {}
            Kind::File { size, hash } => {
                self.number(*size);
                self.hash(hash);
            }
            Kind::Link { target } => self.bytes(target),
            Kind::Withheld { size, what } => {
                self.number(*size);
                self.byte(*what);
            }
        }
    }
}

/// Reads them.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// The largest file that may be mirrored, in bytes.
pub const MAX_FILE: u64 = 1 << 30;

impl<'a> Reader<'a> {
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Reader { rest }
    }

    pub(crate) fn take(&mut self, length: usize, field: &str) -> Result<&'a [u8], Fault> {
        match self.rest.split_at_checked(length) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(Fault::new(format!("{field} is cut off"))),
        }
    }

    pub(crate) fn byte(&mut self, field: &str) -> Result<u8, Fault> {
        Ok(self.take(1, field)?[0])
    }

    pub(crate) fn number(&mut self, field: &str) -> Result<u64, Fault> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(field)?;
            let bits = u64::from(byte & 0x7f);
            if (bits << shift) >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Fault::new(format!("{field} has more than 64 bits")))
    }

    /// A number of at most `most`.
    pub(crate) fn limited(&mut self, most: u64, field: &str) -> Result<u64, Fault> {
        match self.number(field)? {
            number if number <= most => Ok(number),
            number => Err(Fault::new(format!("{field} is {number}, more than {most}"))),
        }
    }

    pub(crate) fn signed(&mut self, field: &str) -> Result<i64, Fault> {
        let number = self.number(field)?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn bytes(&mut self, most: usize, field: &str) -> Result<&'a [u8], Fault> {
        let length = self.limited(most as u64, field)?;
        self.take(length as usize, field)
    }

    pub(crate) fn hash(&mut self, field: &str) -> Result<Hash, Fault> {
        let bytes = self.take(32, field)?;
        Ok(Hash(bytes.try_into().expect("32 bytes")))
    }

    pub(crate) fn path(&mut self, field: &str) -> Result<RelPath, Fault> {
        RelPath::new(self.bytes(MAX_PATH, field)?)
    }

    pub(crate) fn name(&mut self, field: &str) -> Result<Name, Fault> {
        let name = self.bytes(MAX_NAME, field)?;
        RelPath::root().join(name)?;
        Ok(Arc::from(name))
    }

    pub(crate) fn place(&mut self) -> Result<Place, Fault> {
        Ok(match self.byte("place")? {
            0 => Place::Last,
            1 => Place::First,
            2 => Place::After(self.name("neighbour")?),
            other => return Err(Fault::new(format!("a place of kind {other}"))),
        })
    }

    pub(crate) fn mode(&mut self) -> Result<u16, Fault> {
        Ok(self.limited(0o7777, "mode")? as u16)
    }

    pub(crate) fn entry(&mut self) -> Result<Entry, Fault> {
        let kind = self.byte("kind")?;
        let mode = self.mode()?;
        let mtime = self.signed("mtime")?;
        let kind = match kind {
            0 => Kind::Folder,
            1 => Kind::File {
                size: self.limited(MAX_FILE, "size")?,
                hash: self.hash("content hash")?,
            },
            2 => {
                let target = self.bytes(MAX_PATH, "link target")?;
                if target.is_empty() || target.contains(&0) {
                    return Err(Fault::new("a link target that is none"));
                }
                Kind::Link {
                    target: target.into(),
                }
            }
            3 => {
                let size = self.number("size")?;
                let what = self.byte("kind of a withheld node")?;
                if !b"fpscb".contains(&what) {
                    return Err(Fault::new(format!("a withheld node of kind {what}")));
                }
                Kind::Withheld { size, what }
            }
            other => return Err(Fault::new(format!("a node of kind {other}"))),
        };
        Ok(Entry { mode, mtime, kind })
    }

    /// Nothing must be left.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(Fault::new(format!("{left} bytes behind a message"))),
        }
    }
}
