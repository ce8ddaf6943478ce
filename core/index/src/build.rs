//! Building a segment: trigrams of all blocks, sorted by trigram, packed.

use crate::bits::Bits;
use crate::blocks::{cut, Form};
use crate::grams::{Gram, Seen};
use crate::lists::Lists;
use crate::segment::{Segment, SHELF_BITS, SHELVES};

/// Where the trigram begins in a pair of trigram and block.
const PLACE_BITS: u32 = 32;

impl Segment {
    /// Indexes `texts`.
    pub fn build(texts: &[(&[u8], Form)]) -> Segment {
        let (mut blocks, mut firsts) = (Vec::new(), Vec::with_capacity(texts.len() + 1));
        for (number, (text, form)) in texts.iter().enumerate() {
            firsts.push(blocks.len() as u32);
            cut(number as u32, text, *form, &mut blocks);
        }
        firsts.push(blocks.len() as u32);
        let mut wild = Bits::none(blocks.len());
        let mut pairs: Vec<u64> = Vec::new();
        let mut grams: Vec<Gram> = Vec::new();
        let mut seen = Seen::new();
        for (at, block) in blocks.iter().enumerate() {
            let (text, form) = texts[block.text as usize];
            grams.clear();
            if form == Form::Wild || !seen.collect(&text[block.range()], &mut grams) {
                wild.set(at);
                continue;
            }
            pairs.extend(
                grams
                    .iter()
                    .map(|&gram| u64::from(gram) << PLACE_BITS | at as u64),
            );
        }
        sort_by_gram(&mut pairs);
        let mut segment = pack(blocks.len(), &pairs);
        segment.blocks = blocks.into();
        segment.firsts = firsts.into();
        segment.wild = wild;
        segment
    }
}

/// A segment of `blocks` blocks that has nothing but the postings.
fn pack(blocks: usize, pairs: &[u64]) -> Segment {
    let bitmap_len = blocks.div_ceil(8);
    let (mut keys, mut lengths, mut postings) = (Vec::new(), Vec::new(), Vec::new());
    let mut shelves = vec![0u32; SHELVES + 1];
    let mut list = Vec::new();
    for run in pairs.chunk_by(|a, b| a >> PLACE_BITS == b >> PLACE_BITS) {
        let gram = (run[0] >> PLACE_BITS) as u32;
        shelves[(gram >> SHELF_BITS) as usize + 1] += 1;
        keys.push((gram & ((1 << SHELF_BITS) - 1)) as u16);
        list.clear();
        let mut previous = 0;
        for &pair in run {
            let block = pair as u32 as usize;
            push_varint(&mut list, block - previous);
            previous = block;
            if list.len() >= bitmap_len {
                break;
            }
        }
        if list.len() >= bitmap_len {
            list.clear();
            list.resize(bitmap_len, 0);
            for &pair in run {
                let block = pair as u32 as usize;
                list[block / 8] |= 1 << (block % 8);
            }
        }
        lengths.push(list.len() as u32);
        postings.extend_from_slice(&list);
    }
    for at in 0..SHELVES {
        shelves[at + 1] += shelves[at];
    }
    Segment {
        shelves: shelves.into(),
        keys: keys.into(),
        lists: Lists::new(&lengths),
        postings: postings.into(),
        ..Segment::default()
    }
}

fn push_varint(into: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Sorts pairs that are in the order of blocks by trigram: two counting passes over twelve bits each.
fn sort_by_gram(pairs: &mut Vec<u64>) {
    let mut other = vec![0u64; pairs.len()];
    for shift in [PLACE_BITS, PLACE_BITS + 12] {
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
