//! A segment as bytes, and back: what is built once can be kept from one start to the next.

use crate::bits::Bits;
use crate::blocks::Block;
use crate::lists::Lists;
use crate::segment::Segment;

/// What the bytes of a segment mean. Another number for each change of what is indexed, how texts are cut, or how it is
/// written: a segment of another number would leave out what it should find.
pub const FORMAT: u32 = 1;

impl Segment {
    /// All of it, in one row of bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut row = Row(Vec::with_capacity(
            self.memory() + self.wild.0.len() * 8 + 80,
        ));
        row.put(&self.shelves, |at| at.to_le_bytes());
        row.put(&self.keys, |at| at.to_le_bytes());
        row.put_bytes(&self.postings);
        row.put(&self.blocks, Block::to_bytes);
        row.put(&self.firsts, |at| at.to_le_bytes());
        row.put(&self.wild.0, |at| at.to_le_bytes());
        row.put_bytes(&self.lists.lengths);
        row.put(&self.lists.places, |at| at.to_le_bytes());
        row.put(&self.lists.long, |(at, more)| {
            (u64::from(*more) << 32 | u64::from(*at)).to_le_bytes()
        });
        row.0
    }

    /// The segment that [`Segment::to_bytes`] gave `bytes` of; None where they are not a whole one. That they are those bytes,
    /// the caller knows: nothing is looked at but lengths.
    pub fn of_bytes(bytes: &[u8]) -> Option<Segment> {
        let mut rest = Rest(bytes);
        let segment = Segment {
            shelves: rest.take(u32::from_le_bytes)?,
            keys: rest.take(u16::from_le_bytes)?,
            postings: rest.take_bytes()?.into(),
            blocks: rest.take(Block::of_bytes)?,
            firsts: rest.take(u32::from_le_bytes)?,
            wild: Bits(rest.take(u64::from_le_bytes)?.into()),
            lists: Lists {
                lengths: rest.take_bytes()?.into(),
                places: rest.take(u32::from_le_bytes)?,
                long: rest.take(|pair| {
                    let pair = u64::from_le_bytes(pair);
                    (pair as u32, (pair >> 32) as u32)
                })?,
            },
        };
        rest.0.is_empty().then_some(segment)
    }
}

/// Rows of numbers, each behind its length.
struct Row(Vec<u8>);

impl Row {
    fn put<T, const N: usize>(&mut self, items: &[T], bytes: impl Fn(&T) -> [u8; N]) {
        self.0
            .extend_from_slice(&(items.len() as u64).to_le_bytes());
        for item in items {
            self.0.extend_from_slice(&bytes(item));
        }
    }

    fn put_bytes(&mut self, bytes: &[u8]) {
        self.0
            .extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take<T, const N: usize>(&mut self, item: impl Fn([u8; N]) -> T) -> Option<Box<[T]>> {
        let items = self.take_sized(N)?.chunks_exact(N);
        let item = |bytes: &[u8]| item(bytes.try_into().expect("N bytes"));
        Some(items.map(item).collect())
    }

    fn take_bytes(&mut self) -> Option<&'b [u8]> {
        self.take_sized(1)
    }

    /// The bytes of a row of items of `size` bytes each.
    fn take_sized(&mut self, size: usize) -> Option<&'b [u8]> {
        let (len, rest) = self.0.split_first_chunk()?;
        let len = usize::try_from(u64::from_le_bytes(*len)).ok()?;
        let (items, rest) = rest.split_at_checked(len.checked_mul(size)?)?;
        self.0 = rest;
        Some(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Form, Query, Within};

    fn segment() -> Segment {
        let lines: String = (0..3000)
            .map(|at| format!("line {at} of {}\n", at % 7))
            .collect();
        let many: String = (0..1u32 << 18)
            .map(|at| char::from_u32(0x4E00 + at * 7919 % 20_000).unwrap_or('x'))
            .collect();
        Segment::build(&[
            (lines.as_bytes(), Form::Lines),
            (b"", Form::Lines),
            (b"\xff\xfeo\0", Form::Wild),
            (lines.repeat(9).as_bytes(), Form::Whole),
            (many.as_bytes(), Form::Whole),
        ])
    }

    #[test]
    fn what_is_packed_comes_back_as_it_was() {
        let (built, bytes) = (segment(), segment().to_bytes());
        let back = Segment::of_bytes(&bytes).unwrap();
        assert_eq!(back.to_bytes(), bytes);
        assert_eq!((back.len(), back.memory()), (built.len(), built.memory()));
        for word in ["line 17", "of 3", "absent", "e", "丌"] {
            let query = Query::literal(word.as_bytes());
            for within in [Within::Line, Within::Text] {
                let found = back.candidates(&query, within);
                assert_eq!(found, built.candidates(&query, within), "{word}");
            }
        }
        let empty = Segment::build(&[]);
        assert!(Segment::of_bytes(&empty.to_bytes()).unwrap().is_empty());
    }

    #[test]
    fn less_or_more_than_a_segment_is_none() {
        let bytes = segment().to_bytes();
        for len in (0..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
            assert!(Segment::of_bytes(&bytes[..len]).is_none(), "{len}");
        }
        assert!(Segment::of_bytes(&[&bytes[..], b"\0"].concat()).is_none());
        let most = [&u64::MAX.to_le_bytes()[..], &bytes].concat();
        assert!(Segment::of_bytes(&most).is_none());
    }

    /// Where this fails, what is indexed or how it is written has changed: raise [`FORMAT`], then change the number here.
    #[test]
    fn a_segment_of_this_format_has_these_bytes() {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for byte in segment().to_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        assert_eq!((FORMAT, hash), (1, 9_751_283_216_714_524_181));
    }
}
