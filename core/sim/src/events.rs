//! What happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that happens at a replica.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Event {
    /// A session's next turn arrives.
    Turn(u32),
    /// The replica's oldest step is over.
    Step,
    /// A session's blocks were kept long enough, if it has been idle since then.
    Expiry(u32, u64),
}

/// Events by time in nanoseconds; at one time by replica, then in the order in which they were planned.
#[derive(Debug, Default)]
pub struct Events {
    heap: BinaryHeap<Reverse<(u64, u32, u64, Event)>>,
    planned: u64,
    /// For each replica, when its sessions do something next.
    sessions: Vec<BinaryHeap<Reverse<u64>>>,
}

impl Events {
    /// Let something happen at `time_ns`.
    pub fn plan(&mut self, time_ns: u64, replica: u32, event: Event) {
        if event != Event::Step {
            let replicas = self.sessions.len().max(replica as usize + 1);
            self.sessions.resize_with(replicas, BinaryHeap::new);
            self.sessions[replica as usize].push(Reverse(time_ns));
        }
        self.heap
            .push(Reverse((time_ns, replica, self.planned, event)));
        self.planned += 1;
    }

    /// Take what happens next: time, replica, event.
    pub fn pop(&mut self) -> Option<(u64, u32, Event)> {
        let Reverse((time, replica, _, event)) = self.heap.pop()?;
        if event != Event::Step {
            self.sessions[replica as usize].pop(); // the earliest: it is this one, or as early
        }
        Some((time, replica, event))
    }

    /// When one of a replica's sessions does something next.
    pub fn next_of_sessions(&self, replica: u32) -> Option<u64> {
        self.sessions
            .get(replica as usize)?
            .peek()
            .map(|&Reverse(time)| time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_by_replica_then_by_the_order_of_planning() {
        let mut events = Events::default();
        events.plan(5, 1, Event::Step);
        events.plan(5, 0, Event::Turn(7));
        events.plan(5, 0, Event::Step);
        events.plan(4, 9, Event::Turn(1));
        let order: Vec<_> = std::iter::from_fn(|| events.pop()).collect();
        let expected = [
            (4, 9, Event::Turn(1)),
            (5, 0, Event::Turn(7)),
            (5, 0, Event::Step),
            (5, 1, Event::Step),
        ];
        assert_eq!(order, expected);
    }
}
