//! Who may hold how many blocks, so that sessions that keep theirs can never lock each other.
//!
//! The engine `vllm` has the same rules (`engines/curserve_engines/vllm/ledger.py`): a turn first reserves what it can need at
//! most. Where that is not free, idle sessions are evicted, the longest idle first; where all others are in the middle of
//! a turn, it waits its turn. Turns are bounded and reserve nothing more while they run, so the first of those that wait
//! can always go on.

use std::collections::{BTreeSet, HashMap, VecDeque};

/// What a session has.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    blocks: u32,
    /// When it became idle, as a count of such moments; 0: in the middle of a turn.
    idle_since: u64,
}

/// What the ledger decides: to be done in this order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Decision {
    /// Free the blocks of an idle session.
    Evict(u32),
    /// Let a session's turn begin.
    Grant(u32),
}

/// Blocks and places of one replica.
#[derive(Debug)]
pub struct Ledger {
    blocks: u32,
    places: usize,
    held: u32,
    live: usize,
    entries: HashMap<u32, Entry>,
    /// Idle sessions that hold blocks, the longest idle first.
    idle: BTreeSet<(u64, u32)>,
    queue: VecDeque<(u32, u32)>,
    moments: u64,
}

impl Ledger {
    /// `blocks` to be held by `places` sessions at most.
    pub fn new(blocks: u32, places: u32) -> Self {
        Self {
            blocks,
            places: places as usize,
            held: 0,
            live: 0,
            entries: HashMap::new(),
            idle: BTreeSet::new(),
            queue: VecDeque::new(),
            moments: 0,
        }
    }

    /// Ask for a turn that needs `blocks` at most, its context included: no more than there are.
    pub fn ask(&mut self, session: u32, blocks: u32) -> Vec<Decision> {
        assert!(
            blocks <= self.blocks,
            "the caller refuses a turn that can never fit"
        );
        self.queue.push_back((session, blocks));
        self.settle()
    }

    /// Say that a session's turn is over, and that it holds `blocks` while it is idle.
    pub fn park(&mut self, session: u32, blocks: u32) -> Vec<Decision> {
        self.moments += 1;
        let entry = self.entries.get_mut(&session).expect("a turn was granted");
        self.held = self.held - entry.blocks + blocks;
        *entry = Entry {
            blocks,
            idle_since: self.moments,
        };
        self.idle.insert((self.moments, session));
        self.settle()
    }

    /// Say that a session holds nothing any longer.
    pub fn release(&mut self, session: u32) -> Vec<Decision> {
        self.drop_entry(session);
        self.settle()
    }

    /// Sessions whose turns wait, in their order.
    pub fn queued(&self) -> impl Iterator<Item = u32> + '_ {
        self.queue.iter().map(|&(session, _)| session)
    }

    fn drop_entry(&mut self, session: u32) {
        if let Some(entry) = self.entries.remove(&session) {
            self.held -= entry.blocks;
            self.live -= 1;
            self.idle.remove(&(entry.idle_since, session));
        }
    }

    fn settle(&mut self) -> Vec<Decision> {
        let mut decisions = Vec::new();
        while let Some(&(session, blocks)) = self.queue.front() {
            let entry = self.entries.get(&session).copied().unwrap_or_default();
            let live = entry.blocks > 0;
            if self.held - entry.blocks + blocks <= self.blocks && (live || self.live < self.places)
            {
                self.queue.pop_front();
                self.idle.remove(&(entry.idle_since, session));
                let blocks = blocks.max(entry.blocks);
                self.held = self.held - entry.blocks + blocks;
                self.live += usize::from(!live);
                self.entries.insert(
                    session,
                    Entry {
                        blocks,
                        idle_since: 0,
                    },
                );
                decisions.push(Decision::Grant(session));
            } else if let Some(victim) = self.victim(session) {
                self.drop_entry(victim);
                decisions.push(Decision::Evict(victim));
            } else {
                break;
            }
        }
        decisions
    }

    /// The session that is idle longest, but for the one that asks. Whoever waits behind it holds nothing: all that was idle
    /// was evicted when the first in the queue began to wait.
    fn victim(&self, asking: u32) -> Option<u32> {
        self.idle
            .iter()
            .map(|&(_, session)| session)
            .find(|&session| session != asking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Decision::{Evict, Grant};

    #[test]
    fn the_longest_idle_goes_first() {
        let mut ledger = Ledger::new(10, 8);
        for session in 1..=3 {
            assert_eq!(ledger.ask(session, 3), [Grant(session)]);
            assert_eq!(ledger.park(session, 3), []);
        }
        assert_eq!(ledger.ask(4, 6), [Evict(1), Evict(2), Grant(4)]);
        assert_eq!(ledger.ask(1, 3), [Evict(3), Grant(1)]);
        assert_eq!(
            ledger.ask(2, 3),
            [],
            "all others are in the middle of a turn"
        );
        assert_eq!(ledger.park(4, 6), [Evict(4), Grant(2)]);
    }

    #[test]
    fn a_session_that_asks_keeps_its_own() {
        let mut ledger = Ledger::new(10, 8);
        for session in 1..=2 {
            assert_eq!(ledger.ask(session, 4), [Grant(session)]);
            assert_eq!(ledger.park(session, 4), []);
        }
        assert_eq!(ledger.ask(1, 9), [Evict(2), Grant(1)]);
    }

    #[test]
    fn places_are_counted() {
        let mut ledger = Ledger::new(10, 2);
        assert_eq!(ledger.ask(1, 1), [Grant(1)]);
        assert_eq!(ledger.ask(2, 1), [Grant(2)]);
        assert_eq!(ledger.ask(3, 1), []);
        assert_eq!(ledger.release(1), [Grant(3)]);
    }
}
