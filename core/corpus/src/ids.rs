//! Maps by node: ids are small and dense, so a multiplication spreads them well enough. A search with many candidates
//! spends much of its time in such maps.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Hashes one `u32`.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdHasher(u64);

/// A map whose keys are nodes or their ids.
pub type IdMap<K, V> = HashMap<K, V, BuildHasherDefault<IdHasher>>;

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn write_u32(&mut self, id: u32) {
        // The upper bits choose among the slots of a group, the lower ones the group: both must differ.
        let mixed = (self.0 ^ u64::from(id)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ mixed >> 32;
    }
}
