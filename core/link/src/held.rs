//! Packets between arrival and departure: bytes in recycled slots, order by departure.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A packet's place in the order: departure, then arrival.
type Ticket = (i64, u64, u32, u32);

enum Order {
    /// Departures never decrease: append and pop.
    Arrival(VecDeque<Ticket>),
    /// Departures may decrease (jitter, reordering).
    Departure(BinaryHeap<Reverse<Ticket>>),
}

/// Holds packets of at most `slot` bytes; memory grows with what is held and is kept for the next packet.
pub struct Held {
    order: Order,
    slot: usize,
    slots: Vec<Box<[u8]>>,
    free: Vec<u32>,
    arrivals: u64,
}

impl Held {
    /// An empty store; `reorder` says whether departures may decrease.
    pub fn new(slot: usize, reorder: bool) -> Self {
        let order = if reorder {
            Order::Departure(BinaryHeap::new())
        } else {
            Order::Arrival(VecDeque::new())
        };
        Self {
            order,
            slot,
            slots: Vec::new(),
            free: Vec::new(),
            arrivals: 0,
        }
    }

    /// Packets held.
    pub fn len(&self) -> usize {
        match &self.order {
            Order::Arrival(queue) => queue.len(),
            Order::Departure(heap) => heap.len(),
        }
    }

    /// Whether no packet is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keep a copy of `packet` until `departure_ns`.
    pub fn push(&mut self, departure_ns: i64, packet: &[u8]) {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(vec![0; self.slot].into_boxed_slice());
            (self.slots.len() - 1) as u32
        });
        self.slots[index as usize][..packet.len()].copy_from_slice(packet);
        let mut ticket = (departure_ns, self.arrivals, index, packet.len() as u32);
        self.arrivals += 1;
        match &mut self.order {
            Order::Arrival(queue) => {
                // A delay that calibration has just made shorter must not overtake what is under way.
                if let Some(last) = queue.back() {
                    ticket.0 = ticket.0.max(last.0);
                }
                queue.push_back(ticket);
            }
            Order::Departure(heap) => heap.push(Reverse(ticket)),
        }
    }

    /// When the next packet leaves.
    pub fn next_departure(&self) -> Option<i64> {
        match &self.order {
            Order::Arrival(queue) => queue.front().map(|ticket| ticket.0),
            Order::Departure(heap) => heap.peek().map(|Reverse(ticket)| ticket.0),
        }
    }

    /// Take the next packet if it is due at `now`: its slot, to be read by `packet` and given back by `release`.
    pub fn take_due(&mut self, now_ns: i64) -> Option<(i64, u32, u32)> {
        if self.next_departure()? > now_ns {
            return None;
        }
        let ticket = match &mut self.order {
            Order::Arrival(queue) => queue.pop_front()?,
            Order::Departure(heap) => heap.pop()?.0,
        };
        Some((ticket.0, ticket.2, ticket.3))
    }

    /// The bytes of a packet that was taken.
    pub fn packet(&self, index: u32, length: u32) -> &[u8] {
        &self.slots[index as usize][..length as usize]
    }

    /// Give a taken packet's slot back.
    pub fn release(&mut self, index: u32) {
        self.free.push(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(held: &mut Held, now: i64) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some((_, index, length)) = held.take_due(now) {
            out.push(held.packet(index, length)[0]);
            held.release(index);
        }
        out
    }

    #[test]
    fn packets_leave_when_due_and_slots_are_used_again() {
        let mut held = Held::new(64, false);
        for round in 0..100 {
            held.push(round + 10, &[1]);
            held.push(round + 20, &[2]);
            assert_eq!(held.next_departure(), Some(round + 10));
            assert!(drain(&mut held, round + 9).is_empty());
            assert_eq!(drain(&mut held, round + 20), [1, 2]);
        }
        assert_eq!(held.slots.len(), 2);
    }

    #[test]
    fn without_reordering_a_shorter_delay_does_not_overtake() {
        let mut held = Held::new(64, false);
        held.push(100, &[1]);
        held.push(50, &[2]);
        assert!(drain(&mut held, 99).is_empty());
        assert_eq!(drain(&mut held, 100), [1, 2]);
    }

    #[test]
    fn with_reordering_the_earlier_departure_leaves_first() {
        let mut held = Held::new(64, true);
        for (departure, name) in [(30, 3), (10, 1), (20, 2), (10, 4)] {
            held.push(departure, &[name]);
        }
        assert_eq!(drain(&mut held, 30), [1, 4, 2, 3]);
    }
}
