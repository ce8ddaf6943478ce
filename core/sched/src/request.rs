//! A request, and where requests are kept.

use std::collections::VecDeque;

use crate::content::{Path, Segment};

/// Names a request; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RequestId {
    slot: u32,
    generation: u32,
}

impl RequestId {
    /// A small number that no other request has as long as this one is there: for tables beside the scheduler.
    pub fn slot(&self) -> usize {
        self.slot as usize
    }

    /// The id as one number, for callers that cannot keep it as it is.
    pub fn to_bits(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    /// The id that gave this number; any other number names no request.
    pub fn from_bits(bits: u64) -> Self {
        Self {
            slot: bits as u32,
            generation: (bits >> 32) as u32,
        }
    }
}

/// What is asked of the model: a whole request, or a session's next turn.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Turn {
    /// The new text. A session's last sampled token was never computed and is forgotten: it belongs in front.
    pub prompt: Vec<Segment>,
    /// The stream that the reply is of, and the offset of its first token.
    pub reply: (u64, u32),
    /// Tokens of the reply.
    pub max_tokens: u32,
    /// When it came, in any unit; only compared, by [`crate::Policy::Priority`].
    pub arrival: u64,
    /// Tokens of a new request, from its first one on, whose KV lies elsewhere (a tier below, another replica) and can be loaded.
    pub external: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    Waiting,
    Running,
    Preempted,
    /// A session between two turns: its blocks stay.
    Paused,
    /// It has blocks, and waits for what is to be in them: in no queue until [`crate::Scheduler::loaded`].
    Loading,
}

#[derive(Debug)]
pub(crate) struct Request<H> {
    pub path: Path,
    /// Tokens before the reply of this turn.
    pub prompt: u32,
    /// Tokens whose KV is there, those of steps in flight included.
    pub computed: u32,
    /// Tokens of this turn's reply so far.
    pub outputs: u32,
    pub reply: (u64, u32),
    pub max_tokens: u32,
    pub priority: i32,
    pub arrival: u64,
    pub status: Status,
    pub holding: H,
    /// Tokens that steps in flight will sample (asynchronous stepping).
    pub placeholders: u32,
    /// Tokens scheduled in steps in flight.
    pub in_flight: u32,
    /// Those of them whose step was planned before a preemption or the end of a turn.
    pub stale: u32,
    /// Whether what stale steps sampled is thrown away.
    pub drop_stale: bool,
    /// Tokens whose KV can be loaded, if the cache has less of it.
    pub external: u32,
    /// A session: after a turn it waits for the next.
    pub resumable: bool,
    /// Turns that came before the one before them was over; None: no more will come.
    pub next: VecDeque<Option<Turn>>,
}

impl<H> Request<H> {
    pub fn tokens(&self) -> u32 {
        self.path.tokens()
    }

    /// Priority first, then arrival.
    pub fn rank(&self) -> (i32, u64) {
        (self.priority, self.arrival)
    }
}

#[derive(Debug)]
pub(crate) struct Requests<H> {
    slots: Vec<(u32, Option<Request<H>>)>,
    vacant: Vec<u32>,
}

impl<H> Default for Requests<H> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
        }
    }
}

impl<H> Requests<H> {
    pub fn insert(&mut self, request: Request<H>) -> RequestId {
        if let Some(slot) = self.vacant.pop() {
            let (generation, place) = &mut self.slots[slot as usize];
            *place = Some(request);
            return RequestId {
                slot,
                generation: *generation,
            };
        }
        self.slots.push((0, Some(request)));
        RequestId {
            slot: (self.slots.len() - 1) as u32,
            generation: 0,
        }
    }

    pub fn get(&self, id: RequestId) -> Option<&Request<H>> {
        let (generation, request) = self.slots.get(id.slot as usize)?;
        request.as_ref().filter(|_| *generation == id.generation)
    }

    pub fn get_mut(&mut self, id: RequestId) -> Option<&mut Request<H>> {
        let (generation, request) = self.slots.get_mut(id.slot as usize)?;
        request.as_mut().filter(|_| *generation == id.generation)
    }

    pub fn remove(&mut self, id: RequestId) -> Option<Request<H>> {
        let (generation, request) = self.slots.get_mut(id.slot as usize)?;
        if *generation != id.generation {
            return None;
        }
        let request = request.take()?;
        *generation += 1;
        self.vacant.push(id.slot);
        Some(request)
    }
}

/// For ids that a queue or the list of running requests holds: those are there.
impl<H> std::ops::Index<RequestId> for Requests<H> {
    type Output = Request<H>;

    fn index(&self, id: RequestId) -> &Request<H> {
        self.get(id).expect("a queued request is there")
    }
}

impl<H> std::ops::IndexMut<RequestId> for Requests<H> {
    fn index_mut(&mut self, id: RequestId) -> &mut Request<H> {
        self.get_mut(id).expect("a queued request is there")
    }
}
