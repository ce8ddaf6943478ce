//! Where posting lists lie: of each a length in one byte, and every so often a place. Most trigrams of a tree are in one or
//! two blocks, so that a place in four bytes for each would be more than the lists themselves.

use std::ops::Range;

/// So many lists share a place; adding up their lengths takes a few nanoseconds.
const GROUP: usize = 64;
/// Stands for a length that is among the long ones.
const LONG: u8 = u8::MAX;

/// Lists that lie one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    pub(crate) lengths: Box<[u8]>,
    /// Where the first list of each group begins.
    pub(crate) places: Box<[u32]>,
    /// Lists that do not fit into a byte, and their lengths less [`LONG`].
    pub(crate) long: Box<[(u32, u32)]>,
}

impl Lists {
    /// Lists of these lengths.
    pub(crate) fn new(lengths: &[u32]) -> Lists {
        let mut end = 0;
        let mut places = Vec::with_capacity(lengths.len().div_ceil(GROUP));
        for group in lengths.chunks(GROUP) {
            places.push(end);
            end += group.iter().sum::<u32>();
        }
        let long = lengths.iter().enumerate();
        let long = long.filter_map(|(at, &length)| {
            let more = length.checked_sub(LONG.into())?;
            Some((at as u32, more))
        });
        let short = |&length: &u32| u8::try_from(length).unwrap_or(LONG);
        Lists {
            lengths: lengths.iter().map(short).collect(),
            places: places.into(),
            long: long.collect(),
        }
    }

    /// Where list number `at` lies.
    pub(crate) fn range(&self, at: usize) -> Range<usize> {
        let first = at / GROUP * GROUP;
        let sum = |lengths: &[u8]| lengths.iter().map(|&length| u32::from(length)).sum::<u32>();
        let mut start = self.places[at / GROUP] + sum(&self.lengths[first..at]);
        let mut length = u32::from(self.lengths[at]);
        if !self.long.is_empty() {
            let from = self
                .long
                .partition_point(|&(long, _)| (long as usize) < first);
            for &(long, more) in &self.long[from..] {
                match (long as usize).cmp(&at) {
                    std::cmp::Ordering::Less => start += more,
                    std::cmp::Ordering::Equal => length += more,
                    std::cmp::Ordering::Greater => break,
                }
            }
        }
        start as usize..(start + length) as usize
    }

    /// The bytes of memory that this takes.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.lengths) + size_of_val(&*self.places) + size_of_val(&*self.long)
    }
}

#[cfg(test)]
mod tests {
    use super::Lists;

    #[test]
    fn every_list_is_where_its_length_and_those_before_it_say() {
        let most = [0, 3, 254, 255, 256, 700, 70_000];
        for (seed, count) in [(1u32, 0), (3, 1), (5, 63), (7, 64), (11, 65), (13, 1000)] {
            for most in most {
                let lengths: Vec<u32> = (0..count)
                    .map(|n: u32| n.wrapping_mul(seed * 0x9E37_79B9) % (most + 1))
                    .collect();
                let lists = Lists::new(&lengths);
                let mut start = 0;
                for (at, &length) in lengths.iter().enumerate() {
                    let end = start + length as usize;
                    assert_eq!(lists.range(at), start..end, "{most} {count} {at}");
                    start = end;
                }
            }
        }
    }
}
