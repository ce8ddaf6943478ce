//! Requests that come and go, and the turns of a session.

use std::collections::VecDeque;

use crate::content::Path;
use crate::kv::Kv;
use crate::request::{Request, RequestId, Status, Turn};
use crate::scheduler::Scheduler;

impl<K: Kv> Scheduler<K> {
    /// Take a request; a `resumable` one is a session that waits after each turn for [`Scheduler::next_turn`].
    ///
    /// The caller sees to it that the prompt is not empty, and shorter than `max_model_len`.
    pub fn add(&mut self, turn: Turn, priority: i32, resumable: bool) -> RequestId {
        let mut path = Path::default();
        turn.prompt
            .iter()
            .for_each(|&segment| self.tree.append(&mut path, segment));
        let id = self.requests.insert(Request {
            prompt: path.tokens(),
            path,
            computed: 0,
            outputs: 0,
            reply: turn.reply,
            max_tokens: turn.max_tokens,
            priority,
            arrival: turn.arrival,
            status: Status::Waiting,
            holding: K::Holding::default(),
            placeholders: 0,
            in_flight: 0,
            stale: 0,
            drop_stale: false,
            external: turn.external,
            resumable,
            next: VecDeque::new(),
        });
        self.enqueue(id);
        id
    }

    /// Give a session its next turn; one that is not over keeps it for later. Nothing, if there is no such session.
    pub fn next_turn(&mut self, id: RequestId, turn: Turn) {
        let Some(session) = self.requests.get_mut(id) else {
            return;
        };
        if session.status == Status::Paused {
            self.paused -= 1;
            self.begin_turn(id, turn);
        } else {
            session.next.push_back(Some(turn));
        }
    }

    /// Say that a session gets no more turns: it ends with the ones that it has.
    pub fn close(&mut self, id: RequestId) {
        let Some(session) = self.requests.get_mut(id) else {
            return;
        };
        if session.status == Status::Paused {
            self.abort(id);
        } else {
            session.next.push_back(None);
        }
    }

    /// End a request at once, whatever it does. What a step in flight samples for it is lost.
    pub fn abort(&mut self, id: RequestId) {
        let Some(request) = self.requests.get(id) else {
            return;
        };
        match request.status {
            Status::Running => self.running.retain(|&other| other != id),
            status => {
                self.paused -= usize::from(status == Status::Paused);
                self.waiting.remove(&[id], &self.requests);
                self.holding.remove(&[id], &self.requests);
            }
        }
        let mut request = self.requests.remove(id).expect("it was there");
        self.kv.release(&mut request.holding);
    }

    /// Say that what a request waited for ([`crate::Step::loads`]) is in its blocks: it goes on ahead of those that hold none.
    pub fn loaded(&mut self, id: RequestId) {
        let Some(request) = self.requests.get_mut(id) else {
            return;
        };
        if request.status != Status::Loading {
            return;
        }
        // The last token is computed in any case: something must be sampled from.
        request.computed = std::mem::take(&mut request.external).min(request.tokens() - 1);
        request.status = Status::Waiting;
        let whole = request.computed / self.config.block_size;
        self.kv.publish(&mut request.holding, &request.path, whole);
        self.enqueue(id);
    }

    /// Go on from what was computed: the last sampled token was not, and is forgotten.
    pub(crate) fn begin_turn(&mut self, id: RequestId, turn: Turn) {
        let session = &mut self.requests[id];
        session.path.truncate(session.computed);
        turn.prompt
            .iter()
            .for_each(|&segment| self.tree.append(&mut session.path, segment));
        session.prompt = session.path.tokens();
        session.outputs = 0;
        session.reply = turn.reply;
        session.max_tokens = turn.max_tokens;
        session.arrival = turn.arrival;
        session.status = Status::Waiting;
    }
}
