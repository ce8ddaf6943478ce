//! Calls that go home: to the client, whose machine runs the real programs in the workspace itself.

use std::time::{Duration, Instant};

use curserve_mirror::Ready;
use curserve_proto::{Answer, Call};

use super::shared::{Sent, Shared};
use crate::body::{messages, of_call, to_answer};

/// How much longer than its time a call may take there and back.
const GRACE: Duration = Duration::from_secs(30);

impl Shared {
    /// Has the client run the call.
    pub(super) fn at_home(&self, call: &Call, deadline: Instant) -> Answer {
        match self.send_home(call, deadline) {
            Err(why) => Answer::failed(why),
            Ok(id) => self.result(id, deadline + GRACE),
        }
    }

    /// Sends the call, behind all edits. Its number; or why it was not sent.
    fn send_home(&self, call: &Call, deadline: Instant) -> Result<u64, String> {
        let mut guard = self.lock();
        loop {
            let state = &mut *guard;
            // Edits that have not been sent would come behind the call.
            let is_behind = state.replica.pending() == 0
                || matches!(state.replica.ready(Default::default()), Ready::Now);
            if let Some(link) = state.link.as_mut().filter(|_| is_behind) {
                let id = state.next_call;
                state.next_call += 1;
                state.calls.insert(id, Sent::default());
                let stand = state.replica.stand();
                let sent = link.outbox.send(messages(id, &of_call(call), stand, true));
                return sent.map(|()| id).map_err(|error| error.to_string());
            }
            let late = "the client is not connected, and what it asks for has to run there: start `curserve mirror` there again";
            guard = self.wait(guard, deadline).ok_or(late)?;
        }
    }

    /// The result of call `id`.
    fn result(&self, id: u64, deadline: Instant) -> Answer {
        let mut state = self.lock();
        while state.calls.get(&id).is_some_and(|sent| sent.done.is_none()) {
            match self.wait(state, deadline) {
                Some(later) => state = later,
                None => {
                    state = self.lock();
                    break;
                }
            }
        }
        let sent = state.calls.remove(&id).unwrap_or_default();
        drop(state);
        match sent.done {
            Some(Ok(())) => to_answer(&sent.bytes).unwrap_or_else(Answer::failed),
            Some(Err(why)) => Answer::failed(format!(
                "the connection to the client ended while it ran this ({why}): it may or may not have been done"
            )),
            None => Answer::failed("timed out: the client did not answer in time"),
        }
    }
}
