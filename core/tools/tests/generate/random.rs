//! A source of choices, from a seed.

#![allow(dead_code)] // each user takes its part

/// A source of choices that gives the same ones for the same seed (splitmix64, whose constants are its author's,
/// S. Vigna, in the public domain).
pub struct Generator(u64);

impl Generator {
    /// From this seed.
    pub fn new(seed: u64) -> Generator {
        Generator(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of these.
    pub fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Some of these, one after another.
    pub fn some(&mut self, of: &[&str], least: usize, most: usize) -> String {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| self.one(of)).collect()
    }
}
