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
}

impl Events {
    /// Let something happen at `time_ns`.
    pub fn plan(&mut self, time_ns: u64, replica: u32, event: Event) {
        self.heap
            .push(Reverse((time_ns, replica, self.planned, event)));
        self.planned += 1;
    }

    /// Take what happens next: time, replica, event.
    pub fn pop(&mut self) -> Option<(u64, u32, Event)> {
        self.heap
            .pop()
            .map(|Reverse((time, replica, _, event))| (time, replica, event))
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
