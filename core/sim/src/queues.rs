//! First come, first served: a way that carries one transfer at a time, and processors for tools.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::cluster::Way;

/// A way with what is still to be carried.
#[derive(Clone, Debug)]
pub struct Carrier {
    way: Way,
    free_ns: u64,
}

impl Carrier {
    /// A way that carries nothing.
    pub fn new(way: Way) -> Self {
        Self { way, free_ns: 0 }
    }

    /// Carry the KV of so many tokens after all that was asked for before; returns when the last of it is there.
    pub fn carry(&mut self, now_ns: u64, tokens: u32) -> u64 {
        let ns = (u128::from(self.way.token_ps) * u128::from(tokens)).div_ceil(1000) as u64;
        self.free_ns = self.free_ns.max(now_ns) + ns;
        self.free_ns + self.way.latency_ns
    }
}

/// Processors on the server, each with one tool call at a time.
#[derive(Clone, Debug)]
pub struct Workers {
    free_ns: BinaryHeap<Reverse<u64>>,
}

impl Workers {
    /// So many idle ones; at least one.
    pub fn new(count: u32) -> Self {
        Self {
            free_ns: (0..count.max(1)).map(|_| Reverse(0)).collect(),
        }
    }

    /// Let the next free one work for so long; returns how long the call waited for it.
    pub fn work(&mut self, now_ns: u64, work_ns: u64) -> u64 {
        let Reverse(free) = self.free_ns.pop().expect("there is at least one");
        let start = free.max(now_ns);
        self.free_ns.push(Reverse(start + work_ns));
        start - now_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_wait_for_each_other_but_not_for_the_latency() {
        let way = Way {
            token_ps: 2_000,
            latency_ns: 100,
        };
        let mut carrier = Carrier::new(way);
        assert_eq!(carrier.carry(1_000, 50), 1_200);
        assert_eq!(carrier.carry(1_010, 10), 1_220);
        assert_eq!(carrier.carry(5_000, 1), 5_102);
    }

    #[test]
    fn a_call_waits_for_the_first_worker_that_is_free() {
        let mut workers = Workers::new(2);
        assert_eq!([10, 30, 5].map(|ns| workers.work(100, ns)), [0, 0, 10]);
        assert_eq!(workers.work(112, 1), 3);
        assert_eq!(Workers::new(0).work(7, 5), 0);
    }
}
