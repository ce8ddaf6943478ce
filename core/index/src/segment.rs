//! Postings of a run of texts: for each trigram, which of them have it.

use crate::analysis::Query;
use crate::grams::{collect, Gram};

/// A segment holds at most this many texts.
pub const MOST_TEXTS: usize = 4096;

/// The keys' upper bits choose a shelf …
const SHELVES: usize = 4096;
/// … in which the lower bits are searched.
const SHELF_BITS: u32 = 12;

/// An immutable index over at most [`MOST_TEXTS`] texts, known by their position.
///
/// A posting list is either a row of LEB128 differences or, where that would be longer, a bitmap.
#[derive(Debug)]
pub struct Segment {
    texts: usize,
    shelves: Box<[u32]>,
    keys: Box<[u16]>,
    starts: Box<[u32]>,
    postings: Box<[u8]>,
    /// Texts that are always candidates.
    wild: Bits,
}

/// A set of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    fn none(texts: usize) -> Bits {
        Bits(vec![0; texts.div_ceil(64)])
    }

    fn all(texts: usize) -> Bits {
        let mut bits = Bits(vec![u64::MAX; texts.div_ceil(64)]);
        if !texts.is_multiple_of(64) {
            *bits.0.last_mut().expect("texts > 0") = (1 << (texts % 64)) - 1;
        }
        bits
    }

    fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    fn and(&mut self, other: &Bits) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    fn or(&mut self, other: &Bits) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, &word)| {
            std::iter::successors((word != 0).then_some(word), |word| {
                let rest = word & (word - 1);
                (rest != 0).then_some(rest)
            })
            .map(move |word| at * 64 + word.trailing_zeros() as usize)
        })
    }
}

impl Segment {
    /// Indexes `texts`, at most [`MOST_TEXTS`]; those with `true` are always candidates.
    pub fn build(texts: &[(&[u8], bool)]) -> Segment {
        assert!(
            texts.len() <= MOST_TEXTS,
            "a segment of {} texts",
            texts.len()
        );
        let mut wild = Bits::none(texts.len());
        let mut pairs: Vec<u64> = Vec::new();
        let mut grams: Vec<Gram> = Vec::new();
        for (at, (text, always)) in texts.iter().enumerate() {
            grams.clear();
            if *always || !collect(text, &mut grams) {
                wild.set(at);
                continue;
            }
            pairs.extend(grams.iter().map(|&gram| u64::from(gram) << 16 | at as u64));
        }
        sort_by_gram(&mut pairs);
        Segment::pack(texts.len(), &pairs, wild)
    }

    fn pack(texts: usize, pairs: &[u64], wild: Bits) -> Segment {
        let bitmap_len = texts.div_ceil(8);
        let (mut keys, mut starts, mut postings) = (Vec::new(), Vec::new(), Vec::new());
        let mut shelves = vec![0u32; SHELVES + 1];
        let mut list = Vec::new();
        for run in pairs.chunk_by(|a, b| a >> 16 == b >> 16) {
            let gram = (run[0] >> 16) as u32;
            shelves[(gram >> SHELF_BITS) as usize + 1] += 1;
            keys.push((gram & ((1 << SHELF_BITS) - 1)) as u16);
            starts.push(postings.len() as u32);
            list.clear();
            let mut previous = 0;
            for &pair in run {
                let text = (pair & 0xFFFF) as usize;
                push_varint(&mut list, text - previous);
                previous = text;
                if list.len() >= bitmap_len {
                    break;
                }
            }
            if list.len() >= bitmap_len {
                list.clear();
                list.resize(bitmap_len, 0);
                for &pair in run {
                    let text = (pair & 0xFFFF) as usize;
                    list[text / 8] |= 1 << (text % 8);
                }
            }
            postings.extend_from_slice(&list);
        }
        starts.push(postings.len() as u32);
        for at in 0..SHELVES {
            shelves[at + 1] += shelves[at];
        }
        Segment {
            texts,
            shelves: shelves.into(),
            keys: keys.into(),
            starts: starts.into(),
            postings: postings.into(),
            wild,
        }
    }

    /// How many texts are indexed.
    pub fn len(&self) -> usize {
        self.texts
    }

    /// Whether no text is indexed.
    pub fn is_empty(&self) -> bool {
        self.texts == 0
    }

    /// The bytes of memory that the postings take.
    pub fn memory(&self) -> usize {
        self.shelves.len() * 4 + self.keys.len() * 2 + self.starts.len() * 4 + self.postings.len()
    }

    /// The positions of all texts that may match, ascending.
    pub fn candidates(&self, query: &Query) -> Vec<usize> {
        let mut bits = self.evaluate(query);
        bits.or(&self.wild);
        bits.iter().collect()
    }

    fn evaluate(&self, query: &Query) -> Bits {
        match query {
            Query::All => Bits::all(self.texts),
            Query::Gram(gram) => self.posting(self.find(*gram)),
            Query::Or(parts) => {
                let mut bits = Bits::none(self.texts);
                parts.iter().for_each(|part| bits.or(&self.evaluate(part)));
                bits
            }
            Query::And(parts) => self.intersect(parts),
        }
    }

    fn intersect(&self, parts: &[Query]) -> Bits {
        // The rarest trigram first: most often it says it all.
        let grams = parts.iter().filter_map(|part| match part {
            Query::Gram(gram) => Some(self.find(*gram)),
            _ => None,
        });
        let mut slots: Vec<(usize, usize)> = Vec::with_capacity(parts.len());
        for slot in grams {
            if slot.0 == slot.1 {
                return Bits::none(self.texts);
            }
            slots.push(slot);
        }
        slots.sort_unstable_by_key(|(start, end)| end - start);
        slots.dedup();
        let mut bits = Bits::all(self.texts);
        let mut left = self.texts;
        for slot in slots {
            bits.and(&self.posting(slot));
            left = bits.count();
            if left == 0 {
                return bits;
            }
        }
        for part in parts.iter().filter(|part| !matches!(part, Query::Gram(_))) {
            if left == 0 {
                break;
            }
            bits.and(&self.evaluate(part));
            left = bits.count();
        }
        bits
    }

    /// Where the postings of `gram` lie; an empty range where there are none.
    fn find(&self, gram: Gram) -> (usize, usize) {
        let shelf = (gram >> SHELF_BITS) as usize;
        let (low, high) = (
            self.shelves[shelf] as usize,
            self.shelves[shelf + 1] as usize,
        );
        let key = (gram & ((1 << SHELF_BITS) - 1)) as u16;
        match self.keys[low..high].binary_search(&key) {
            Ok(at) => (
                self.starts[low + at] as usize,
                self.starts[low + at + 1] as usize,
            ),
            Err(_) => (0, 0),
        }
    }

    fn posting(&self, (start, end): (usize, usize)) -> Bits {
        let bytes = &self.postings[start..end];
        let mut bits = Bits::none(self.texts);
        if !bytes.is_empty() && bytes.len() == self.texts.div_ceil(8) {
            for (at, chunk) in bytes.chunks(8).enumerate() {
                let mut word = [0; 8];
                word[..chunk.len()].copy_from_slice(chunk);
                bits.0[at] = u64::from_le_bytes(word);
            }
            return bits;
        }
        let (mut text, mut value, mut shift) = (0, 0, 0);
        for &byte in bytes {
            value |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                text += value;
                bits.set(text);
                (value, shift) = (0, 0);
            } else {
                shift += 7;
            }
        }
        bits
    }
}

fn push_varint(into: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Sorts (gram, text) pairs that are in the order of texts by gram: two counting passes over twelve bits each.
fn sort_by_gram(pairs: &mut Vec<u64>) {
    let mut other = vec![0u64; pairs.len()];
    for shift in [16, 28] {
        let mut starts = vec![0usize; 4097];
        pairs
            .iter()
            .for_each(|pair| starts[(pair >> shift & 0xFFF) as usize + 1] += 1);
        for at in 0..4096 {
            starts[at + 1] += starts[at];
        }
        for &pair in pairs.iter() {
            let slot = &mut starts[(pair >> shift & 0xFFF) as usize];
            other[*slot] = pair;
            *slot += 1;
        }
        std::mem::swap(pairs, &mut other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grams;

    #[test]
    fn candidates_are_exactly_the_texts_with_all_trigrams() {
        let texts: Vec<String> = (0..1000)
            .map(|i| format!("common text {} file{}\n", i % 7, i))
            .collect();
        let slices: Vec<(&[u8], bool)> =
            texts.iter().map(|text| (text.as_bytes(), false)).collect();
        let segment = Segment::build(&slices);
        for pattern in [
            "file77",
            "common",
            "xt 3 f",
            "absent",
            "FILE99",
            "file(12|34)5",
            "e|f",
        ] {
            let query = Query::of(&regex_syntax::parse(pattern).unwrap());
            let expected: Vec<usize> = (0..texts.len())
                .filter(|&at| query.admits(&Grams::of(texts[at].as_bytes())))
                .collect();
            assert_eq!(segment.candidates(&query), expected, "{pattern}");
        }
    }
}
