//! KV memory below that of the GPU: what it still has of a session's text.
//!
//! Kept as one run for each text, from its first block on, since a text is used whole: the run that was used longest
//! ago is forgotten first, from its end.

use std::collections::{BTreeMap, HashMap};

/// The memory of one replica.
#[derive(Debug)]
pub struct Tier {
    capacity: u64,
    used: u64,
    runs: HashMap<u64, Run>,
    /// Texts by when they were used last.
    order: BTreeMap<u64, u64>,
    moments: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Run {
    blocks: u32,
    used_at: u64,
}

impl Tier {
    /// An empty one for so many blocks.
    pub fn new(capacity: u64) -> Self {
        Self {
            capacity,
            used: 0,
            runs: HashMap::new(),
            order: BTreeMap::new(),
            moments: 0,
        }
    }

    /// Blocks that it has of a text, from the first on.
    pub fn found(&self, text: u64) -> u32 {
        self.runs.get(&text).map_or(0, |run| run.blocks)
    }

    /// Use a text, of which so many blocks are known.
    pub fn touch(&mut self, text: u64, blocks: u32) {
        if blocks == 0 {
            return;
        }
        self.moments += 1;
        let run = self.runs.entry(text).or_default();
        self.order.remove(&run.used_at);
        self.used += u64::from(blocks.saturating_sub(run.blocks));
        *run = Run {
            blocks: run.blocks.max(blocks),
            used_at: self.moments,
        };
        self.order.insert(self.moments, text);
        self.forget();
    }

    fn forget(&mut self) {
        while self.used > self.capacity {
            let (&moment, &text) = self
                .order
                .first_key_value()
                .expect("what is used is listed");
            let run = self.runs.get_mut(&text).expect("what is listed is there");
            let over = (self.used - self.capacity).min(u64::from(run.blocks)) as u32;
            run.blocks -= over;
            self.used -= u64::from(over);
            if run.blocks == 0 {
                self.runs.remove(&text);
                self.order.remove(&moment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_used_longest_ago_is_forgotten_from_its_end() {
        let mut tier = Tier::new(10);
        tier.touch(1, 4);
        tier.touch(2, 4);
        tier.touch(1, 5);
        assert_eq!((tier.found(1), tier.found(2), tier.found(3)), (5, 4, 0));
        tier.touch(3, 3);
        assert_eq!((tier.found(1), tier.found(2), tier.found(3)), (5, 2, 3));
        tier.touch(4, 9);
        assert_eq!([1, 2, 3, 4].map(|text| tier.found(text)), [0, 0, 1, 9]);
        tier.touch(5, 12);
        assert_eq!([3, 4, 5].map(|text| tier.found(text)), [0, 0, 10]);
    }
}
