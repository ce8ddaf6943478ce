//! Postings of a run of texts: for each trigram, which of their blocks have it.

use std::ops::Range;

use crate::bits::Bits;
use crate::blocks::Block;
use crate::grams::Gram;
use crate::lists::Lists;
use crate::query::Query;

/// A segment of more texts than this is worth cutting into several.
pub const MOST_TEXTS: usize = 4096;

/// The keys' upper bits choose a shelf …
pub(crate) const SHELVES: usize = 4096;
/// … in which the lower bits are searched.
pub(crate) const SHELF_BITS: u32 = 12;

/// So many of a pattern's rarest trigrams together say nearly all that the others could …
const ENOUGH: usize = 8;
/// … and to look through so few blocks takes no longer than to ask for the others.
const FEW: usize = 4;

/// An immutable index over some texts, known by their position.
///
/// A posting list is either a row of LEB128 differences or, where that would be longer, a bitmap.
#[derive(Debug, Default)]
pub struct Segment {
    pub(crate) shelves: Box<[u32]>,
    pub(crate) keys: Box<[u16]>,
    pub(crate) lists: Lists,
    pub(crate) postings: Box<[u8]>,
    pub(crate) blocks: Box<[Block]>,
    /// The first block of each text.
    pub(crate) firsts: Box<[u32]>,
    /// Blocks that are always candidates.
    pub(crate) wild: Bits,
}

/// Where the trigrams of a pattern must be found together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// In one line: matches end at line ends.
    Line,
    /// Anywhere in the text.
    Text,
}

/// A part of a text that may match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The text's position.
    pub text: usize,
    /// Which of its bytes: whole lines.
    pub range: Range<usize>,
}

impl Segment {
    /// How many texts are indexed.
    pub fn len(&self) -> usize {
        self.firsts.len().saturating_sub(1)
    }

    /// Whether no text is indexed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of memory that the index takes.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.shelves)
            + size_of_val(&*self.keys)
            + self.lists.memory()
            + size_of_val(&*self.postings)
            + size_of_val(&*self.blocks)
            + size_of_val(&*self.firsts)
    }

    /// The same query, asking first for what is rarest here: most often that says it all.
    pub fn ordered(&self, query: &Query) -> Query {
        match query {
            Query::And(parts) => {
                let mut parts: Vec<Query> = parts.iter().map(|part| self.ordered(part)).collect();
                parts.sort_by_cached_key(|part| self.weight(part));
                Query::And(parts)
            }
            Query::Or(parts) => Query::Or(parts.iter().map(|part| self.ordered(part)).collect()),
            Query::All | Query::Gram(_) => query.clone(),
        }
    }

    /// About how much there is to read for a query.
    fn weight(&self, query: &Query) -> usize {
        match query {
            Query::All => usize::MAX,
            Query::Gram(gram) => self.find(*gram).len(),
            Query::And(parts) => parts
                .iter()
                .map(|part| self.weight(part))
                .min()
                .unwrap_or(0),
            Query::Or(parts) => parts
                .iter()
                .fold(0, |sum, part| self.weight(part).saturating_add(sum)),
        }
    }

    /// All that may match, ascending. Blocks without bytes are left out unless their text has no other.
    pub fn candidates(&self, query: &Query, within: Within) -> Vec<Found> {
        let mut bits = self.evaluate(query, within);
        bits.or(&self.wild);
        let found = bits.iter().map(|at| &self.blocks[at]);
        found
            .map(|block| Found {
                text: block.text as usize,
                range: block.range(),
            })
            .collect()
    }

    fn evaluate(&self, query: &Query, within: Within) -> Bits {
        match query {
            Query::All => Bits::all(self.blocks.len()),
            Query::Gram(gram) => self.posting(*gram, within),
            Query::Or(parts) => {
                let mut bits = Bits::none(self.blocks.len());
                for part in parts {
                    bits.or(&self.evaluate(part, within));
                }
                bits
            }
            Query::And(parts) => self.all_of(parts, within),
        }
    }

    /// What has all of `parts`, the rarest first.
    fn all_of(&self, parts: &[Query], within: Within) -> Bits {
        let Some((first, others)) = parts.split_first() else {
            return Bits::all(self.blocks.len());
        };
        let mut bits = self.evaluate(first, within);
        let mut left = bits.len();
        let mut other = Bits::none(self.blocks.len());
        for (asked, part) in others.iter().enumerate() {
            if left == 0 || (left <= FEW && asked >= ENOUGH) {
                break;
            }
            match part {
                Query::Gram(gram) if self.is_exact(within) => {
                    other.0.fill(0);
                    self.unpack(*gram, &mut other);
                    bits.and(&other);
                }
                _ => bits.and(&self.evaluate(part, within)),
            }
            left = bits.len();
        }
        bits
    }

    /// Whether a block is all that there is to a posting.
    fn is_exact(&self, within: Within) -> bool {
        within == Within::Line || self.blocks.len() == self.len()
    }

    /// Where the postings of `gram` lie; an empty range where there are none.
    fn find(&self, gram: Gram) -> Range<usize> {
        let shelf = (gram >> SHELF_BITS) as usize;
        let Some(&[low, high]) = self.shelves.get(shelf..shelf + 2) else {
            return 0..0;
        };
        let (low, high) = (low as usize, high as usize);
        let key = (gram & ((1 << SHELF_BITS) - 1)) as u16;
        match self.keys[low..high].binary_search(&key) {
            Ok(at) => self.lists.range(low + at),
            Err(_) => 0..0,
        }
    }

    fn posting(&self, gram: Gram, within: Within) -> Bits {
        let mut bits = Bits::none(self.blocks.len());
        self.unpack(gram, &mut bits);
        if self.is_exact(within) {
            return bits;
        }
        self.spread(bits)
    }

    /// The blocks that have `gram`, into the empty set `bits`.
    fn unpack(&self, gram: Gram, bits: &mut Bits) {
        let bytes = &self.postings[self.find(gram)];
        if !bytes.is_empty() && bytes.len() == self.blocks.len().div_ceil(8) {
            for (word, chunk) in bits.0.iter_mut().zip(bytes.chunks(8)) {
                let mut packed = [0; 8];
                packed[..chunk.len()].copy_from_slice(chunk);
                *word = u64::from_le_bytes(packed);
            }
            return;
        }
        let (mut block, mut value, mut shift) = (0, 0, 0);
        for &byte in bytes {
            value |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                block += value;
                bits.set(block);
                (value, shift) = (0, 0);
            } else {
                shift += 7;
            }
        }
    }

    /// All blocks of every text that has one of `bits`.
    fn spread(&self, mut bits: Bits) -> Bits {
        if self.blocks.len() == self.len() {
            return bits;
        }
        let found: Vec<usize> = bits.iter().collect();
        for at in found {
            let text = self.blocks[at].text as usize;
            for block in self.firsts[text]..self.firsts[text + 1] {
                bits.set(block as usize);
            }
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Form, Grams};

    const PATTERNS: [&str; 7] = [
        "file77",
        "common",
        "xt 3 f",
        "absent",
        "FILE99",
        "file(12|34)5",
        "e|f",
    ];

    fn texts(segment: &Segment, query: &Query, within: Within) -> Vec<usize> {
        let found = segment.candidates(&segment.ordered(query), within);
        let mut texts: Vec<usize> = found.into_iter().map(|found| found.text).collect();
        texts.dedup();
        texts
    }

    #[test]
    fn candidates_are_exactly_the_texts_with_all_trigrams() {
        let held: Vec<String> = (0..1000)
            .map(|i| format!("common text {} file{}\n", i % 7, i))
            .collect();
        let slices: Vec<(&[u8], Form)> = held
            .iter()
            .map(|text| (text.as_bytes(), Form::Lines))
            .collect();
        let segment = Segment::build(&slices);
        for pattern in PATTERNS {
            let query = Query::of(&regex_syntax::parse(pattern).unwrap(), Within::Text);
            let expected: Vec<usize> = (0..held.len())
                .filter(|&at| query.admits(&Grams::of(held[at].as_bytes())))
                .collect();
            assert_eq!(texts(&segment, &query, Within::Line), expected, "{pattern}");
            assert_eq!(texts(&segment, &query, Within::Text), expected, "{pattern}");
        }
    }

    #[test]
    fn of_a_large_text_only_the_blocks_with_all_trigrams_are_candidates() {
        let filler = "nothing to see here\n".repeat(1000);
        let large = format!("{filler}alpha\n{filler}{filler}omega\n{filler}alpha omega\n{filler}");
        let segment = Segment::build(&[
            (b"alpha", Form::Lines),
            (large.as_bytes(), Form::Lines),
            (large.as_bytes(), Form::Whole),
            (b"\xff\xfeo\0", Form::Wild),
        ]);
        assert_eq!((segment.len(), segment.is_empty()), (4, false));
        let query = Query::of(
            &regex_syntax::parse("(?s)alpha.*omega").unwrap(),
            Within::Text,
        );
        let found = segment.candidates(&query, Within::Line);
        assert_eq!(texts(&segment, &query, Within::Line), [1, 2, 3]);
        let parts: Vec<&str> = found
            .iter()
            .filter(|found| found.text == 1)
            .map(|found| &large[found.range.clone()])
            .collect();
        assert!(matches!(parts.as_slice(), [part] if part.contains("\nalpha omega\n")));
        let whole = segment.candidates(&query, Within::Text);
        let bytes: usize = whole
            .iter()
            .filter(|found| found.text == 1)
            .map(|found| found.range.len())
            .sum();
        assert_eq!(bytes, large.len());
    }
}
