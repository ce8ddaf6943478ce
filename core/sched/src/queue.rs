//! Requests that wait, in the order of the policy.
//!
//! A session's arrival changes when its next turn comes, while it waits in a heap. vLLM leaves the heap as it is, so what
//! comes out next depends on how the heap moves: [`Heap`] moves as Python's `heapq` is documented to, a binary heap in
//! a list whose root is replaced by the last and sinks to a leaf before it rises.

use std::collections::VecDeque;

use crate::config::Policy;
use crate::request::{RequestId, Requests};

#[derive(Debug)]
pub(crate) enum Queue {
    Fcfs(VecDeque<RequestId>),
    Priority(Heap),
}

impl Queue {
    pub fn new(policy: Policy) -> Self {
        match policy {
            Policy::Fcfs => Queue::Fcfs(VecDeque::new()),
            Policy::Priority => Queue::Priority(Heap::default()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Queue::Fcfs(queue) => queue.len(),
            Queue::Priority(heap) => heap.items.len(),
        }
    }

    pub fn first(&self) -> Option<RequestId> {
        match self {
            Queue::Fcfs(queue) => queue.front().copied(),
            Queue::Priority(heap) => heap.items.first().copied(),
        }
    }

    /// Put `id` at its place: at the end, with [`Policy::Fcfs`].
    pub fn push<H>(&mut self, id: RequestId, requests: &Requests<H>) {
        match self {
            Queue::Fcfs(queue) => queue.push_back(id),
            Queue::Priority(heap) => heap.push(id, requests),
        }
    }

    /// Put `id` before all others; with [`Policy::Priority`] at its place.
    pub fn push_front<H>(&mut self, id: RequestId, requests: &Requests<H>) {
        match self {
            Queue::Fcfs(queue) => queue.push_front(id),
            Queue::Priority(heap) => heap.push(id, requests),
        }
    }

    pub fn pop<H>(&mut self, requests: &Requests<H>) -> Option<RequestId> {
        match self {
            Queue::Fcfs(queue) => queue.pop_front(),
            Queue::Priority(heap) => heap.pop(requests),
        }
    }

    pub fn remove<H>(&mut self, gone: &[RequestId], requests: &Requests<H>) {
        match self {
            Queue::Fcfs(queue) => queue.retain(|id| !gone.contains(id)),
            Queue::Priority(heap) => {
                heap.items.retain(|id| !gone.contains(id));
                heap.restore(requests);
            }
        }
    }

    /// The requests as they lie: in their order, or as the heap has them.
    pub fn iter(&self) -> Box<dyn Iterator<Item = RequestId> + '_> {
        match self {
            Queue::Fcfs(queue) => Box::new(queue.iter().copied()),
            Queue::Priority(heap) => Box::new(heap.items.iter().copied()),
        }
    }
}

/// A binary heap of requests, the smallest rank at the root.
#[derive(Debug, Default)]
pub(crate) struct Heap {
    items: Vec<RequestId>,
}

impl Heap {
    fn push<H>(&mut self, id: RequestId, requests: &Requests<H>) {
        self.items.push(id);
        self.rise(0, self.items.len() - 1, requests);
    }

    fn pop<H>(&mut self, requests: &Requests<H>) -> Option<RequestId> {
        let last = self.items.pop()?;
        let Some(root) = self.items.first_mut() else {
            return Some(last);
        };
        let least = std::mem::replace(root, last);
        self.sink(0, requests);
        Some(least)
    }

    /// Make a heap of what lies anyhow.
    fn restore<H>(&mut self, requests: &Requests<H>) {
        for place in (0..self.items.len() / 2).rev() {
            self.sink(place, requests);
        }
    }

    fn less<H>(&self, one: usize, other: usize, requests: &Requests<H>) -> bool {
        requests[self.items[one]].rank() < requests[self.items[other]].rank()
    }

    /// Move the item at `place` towards `top`, past all that are larger.
    fn rise<H>(&mut self, top: usize, mut place: usize, requests: &Requests<H>) {
        while place > top {
            let parent = (place - 1) / 2;
            if !self.less(place, parent, requests) {
                break;
            }
            self.items.swap(place, parent);
            place = parent;
        }
    }

    /// Let the item at `top` change places with the smaller child down to a leaf, then rise again.
    fn sink<H>(&mut self, top: usize, requests: &Requests<H>) {
        let mut place = top;
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            if left >= self.items.len() {
                break;
            }
            let child = if right < self.items.len() && !self.less(left, right, requests) {
                right
            } else {
                left
            };
            self.items.swap(place, child);
            place = child;
        }
        self.rise(top, place, requests);
    }
}
