//! What happens next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use curserve_sched::RequestId;

/// Something that happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// A session's next turn arrives.
    Turn(u32),
    /// A session asks for the present turn again: the replica that had it is gone.
    Again(u32),
    /// A session's blocks were kept long enough, if it has been idle since then.
    Expiry(u32, u64),
    /// What a request waited for is in its blocks: replica, how often that replica had failed before, request.
    Loaded(u32, u32, RequestId),
    /// A replica fails: which, and for how many nanoseconds.
    Failure(u32, u64),
    /// A replica's oldest step that is no copy of the one before it is over; the count of its plans tells old ones.
    Step(u32, u64),
}

impl Event {
    /// What happens at one time goes by this: first what comes from outside, then the replicas in their order.
    fn place(&self) -> u32 {
        match *self {
            Event::Step(replica, _) => replica + 1,
            _ => 0,
        }
    }
}

/// Events by time in nanoseconds; at one time by their place, then in the order in which they were planned.
#[derive(Debug, Default)]
pub struct Events {
    heap: BinaryHeap<Reverse<Planned>>,
    planned: u64,
}

/// The key, and what happens.
#[derive(Debug)]
struct Planned(u64, u32, u64, Event);

impl Planned {
    fn key(&self) -> (u64, u32, u64) {
        (self.0, self.1, self.2)
    }
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Planned {}

impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Planned {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Events {
    /// Let something happen at `time_ns`.
    pub fn plan(&mut self, time_ns: u64, event: Event) {
        let planned = Planned(time_ns, event.place(), self.planned, event);
        self.heap.push(Reverse(planned));
        self.planned += 1;
    }

    /// Take what happens next, and when.
    pub fn pop(&mut self) -> Option<(u64, Event)> {
        let Reverse(Planned(time, .., event)) = self.heap.pop()?;
        Some((time, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_by_place_then_by_the_order_of_planning() {
        let mut events = Events::default();
        events.plan(5, Event::Step(1, 0));
        events.plan(5, Event::Step(0, 0));
        events.plan(5, Event::Turn(7));
        events.plan(5, Event::Turn(3));
        events.plan(4, Event::Step(9, 0));
        let order: Vec<_> = std::iter::from_fn(|| events.pop()).collect();
        let expected = [
            (4, Event::Step(9, 0)),
            (5, Event::Turn(7)),
            (5, Event::Turn(3)),
            (5, Event::Step(0, 0)),
            (5, Event::Step(1, 0)),
        ];
        assert_eq!(order, expected);
    }
}
