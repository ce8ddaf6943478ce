//! Streams of classes: which bytes of a block are in a set.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::bits::{Bits, BLOCK, WORDS};

/// A set of bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Set {
    /// One of ASCII.
    Byte(u8),
    /// Some of ASCII: bit `byte >> 4` of entry `byte & 15`.
    Of([u8; 16]),
    /// All beyond ASCII.
    High,
}

impl Set {
    /// These bytes of ASCII; None where there is none.
    pub(super) fn of(ascii: &[bool; 128]) -> Option<Set> {
        let mut table = [0; 16];
        let mut held = (0..128).filter(|&byte| ascii[byte]);
        let first = held.next()?;
        if held.next().is_none() {
            return Some(Set::Byte(first as u8));
        }
        for byte in (0..128).filter(|&byte| ascii[byte]) {
            table[byte & 15] |= 1 << (byte >> 4);
        }
        Some(Set::Of(table))
    }

    /// Whether `byte` is in it.
    fn has(&self, byte: u8) -> bool {
        match self {
            Set::Byte(one) => byte == *one,
            Set::Of(table) => {
                byte.is_ascii() && table[usize::from(byte & 15)] >> (byte >> 4) & 1 == 1
            }
            Set::High => !byte.is_ascii(),
        }
    }
}

/// The streams of `sets` on a block, one after the other.
pub(super) fn streams(block: &[u8; BLOCK], sets: &[Set], into: &mut [Bits]) {
    for (set, bits) in sets.iter().zip(into) {
        let table: [bool; 256] = std::array::from_fn(|byte| set.has(byte as u8));
        for (word, bytes) in bits.iter_mut().zip(block.chunks_exact(64)) {
            let bit = |(at, &byte): (usize, &u8)| u64::from(table[usize::from(byte)]) << at;
            *word = bytes.iter().enumerate().map(bit).sum();
        }
    }
}

/// The same, by instructions that look up 32 bytes at once.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(super) fn streams_avx2(block: &[u8; BLOCK], sets: &[Set], into: &mut [Bits]) {
    for word in 0..WORDS {
        let low = Half::of(block, 64 * word);
        let high = Half::of(block, 64 * word + 32);
        for (set, bits) in sets.iter().zip(&mut *into) {
            let (low, high) = (low.held(set), high.held(set));
            bits[word] = u64::from(low) | u64::from(high) << 32;
        }
    }
}

/// 32 bytes, and of each the bit that its upper half is in a set's table.
#[cfg(target_arch = "x86_64")]
struct Half {
    bytes: __m256i,
    tops: __m256i,
}

#[cfg(target_arch = "x86_64")]
impl Half {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn of(block: &[u8; BLOCK], at: usize) -> Half {
        const ROWS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];
        let bytes = &block[at..at + 32];
        // SAFETY: reads the 32 bytes of a slice.
        let bytes = unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) };
        let top = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15));
        let tops = _mm256_shuffle_epi8(twice(&ROWS), top);
        Half { bytes, tops }
    }

    /// Which of the bytes are in `set`.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn held(&self, set: &Set) -> u32 {
        let found = match set {
            Set::Byte(byte) => _mm256_cmpeq_epi8(self.bytes, _mm256_set1_epi8(*byte as i8)),
            Set::Of(table) => {
                // A byte beyond ASCII looks nothing up.
                let held =
                    _mm256_and_si256(_mm256_shuffle_epi8(twice(table), self.bytes), self.tops);
                _mm256_cmpeq_epi8(held, self.tops)
            }
            Set::High => self.bytes,
        };
        let mask = _mm256_movemask_epi8(found) as u32;
        match set {
            // Beyond ASCII there is no bit, and so each of none is held.
            Set::Of(_) => mask & !(_mm256_movemask_epi8(self.bytes) as u32),
            _ => mask,
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
#[inline]
fn twice(table: &[u8; 16]) -> __m256i {
    // SAFETY: reads the 16 bytes of an array.
    _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(table.as_ptr().cast()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_of_the_bytes_of_its_set() {
        let mut block: [u8; BLOCK] = std::array::from_fn(|at| (at % 256) as u8);
        block[300..].reverse();
        let words: [bool; 128] = std::array::from_fn(|byte| (byte as u8).is_ascii_alphanumeric());
        let odd: [bool; 128] = std::array::from_fn(|byte| byte % 3 == 1);
        let sets = [
            Set::Byte(b'\n'),
            Set::High,
            Set::of(&words).unwrap(),
            Set::of(&odd).unwrap(),
        ];
        let mut plain = [[0; WORDS]; 4];
        streams(&block, &sets, &mut plain);
        let is_held: [&dyn Fn(u8) -> bool; 4] = [
            &|byte| byte == b'\n',
            &|byte| byte >= 128,
            &|byte| byte.is_ascii_alphanumeric(),
            &|byte| byte < 128 && byte % 3 == 1,
        ];
        for (bits, is_held) in plain.iter().zip(is_held) {
            for (at, &byte) in block.iter().enumerate() {
                assert_eq!(bits[at / 64] >> (at % 64) & 1 == 1, is_held(byte), "{byte}");
            }
        }
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            let mut fast = [[0; WORDS]; 4];
            // SAFETY: the processor has these instructions.
            unsafe { streams_avx2(&block, &sets, &mut fast) };
            assert_eq!(plain, fast);
        }
    }
}
