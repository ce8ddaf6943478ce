//! Where a call is answered: here, if the copy is as new as the call needs and a daemon on it knows the answer exactly.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use curserve_mirror::Ready;
use curserve_proto::{Answer, Call, Handler, Mirrored};
use curserve_serve::Daemon;

use super::shared::{Shared, State};
use crate::body::BARRIER;

/// So long a call waits for what it needs, before it goes home after all.
const PATIENCE: Duration = Duration::from_secs(2);

impl Shared {
    /// Answers a call, here or at home.
    pub(super) fn answer(&self, call: &Call) -> Answer {
        let began = Instant::now();
        let deadline = began + self.timeout(call);
        let mut cost = Mirrored::default();
        let mut answer = match self.here(call, deadline, &mut cost) {
            Ok(answer) => answer,
            Err(why) => {
                let answer = self.at_home(call, deadline);
                cost.home = Some(why);
                answer
            }
        };
        let wire = self.sent.load(Ordering::Relaxed) + self.received.load(Ordering::Relaxed);
        let mut state = self.lock();
        let tally = &mut state.tally;
        cost.wire_bytes = wire.saturating_sub(std::mem::replace(&mut tally.wire, wire));
        match &cost.home {
            None => {
                tally.here += 1;
                tally.barrier.add(cost.barrier_ns);
            }
            Some(why) => {
                tally.home += 1;
                tally.way.add(began.elapsed().as_nanos() as u64);
                let why: String = why.chars().take(100).collect();
                if tally.reasons.len() < 200 || tally.reasons.contains_key(&why) {
                    *tally.reasons.entry(why).or_default() += 1;
                }
            }
        }
        for note in std::mem::take(&mut state.notes) {
            let note = format!("curserve mirror: {note}\n");
            answer.stderr.extend_from_slice(note.as_bytes());
        }
        drop(state);
        answer.mirror = Some(Box::new(cost));
        answer
    }

    /// The answer from the copy; or why there is none.
    fn here(&self, call: &Call, deadline: Instant, cost: &mut Mirrored) -> Result<Answer, String> {
        if call.tool == BARRIER {
            return Err("a barrier".to_owned());
        }
        if call.caller.is_some() {
            return Err("a caller".to_owned());
        }
        let began = Instant::now();
        loop {
            let daemon = self.ready(call, deadline)?;
            let _steady = self.gate.read().unwrap_or_else(PoisonError::into_inner);
            let edits = {
                // What was ready may have been cut off before the gate was passed.
                let state = self.lock();
                if !matches!(readiness(&state, call), Ok(true)) {
                    drop(state);
                    continue;
                }
                state.edits
            };
            self.rearrange(&daemon);
            cost.barrier_ns = began.elapsed().as_nanos() as u64;
            let answer = daemon.call(call);
            if let Some(refusal) = &answer.refused {
                return Err(refusal.to_string());
            }
            // An edit that came in between may show in part, and without what only the client knows of it.
            let is_edit = matches!(call.tool.as_str(), "edit" | "write" | "bash");
            return match is_edit || self.lock().edits == edits {
                true => Ok(answer),
                false => Err("an edit at the same time".to_owned()),
            };
        }
    }

    /// Waits until the call may be answered; why it may not.
    fn ready(&self, call: &Call, deadline: Instant) -> Result<Arc<Daemon>, String> {
        let deadline = deadline.min(Instant::now() + PATIENCE);
        let mut state = self.lock();
        loop {
            if readiness(&state, call)? {
                let daemon = state.daemon.clone();
                return daemon.ok_or_else(|| "the copy is being read".to_owned());
            }
            state = self
                .wait(state, deadline)
                .ok_or("the copy did not come into step in time")?;
        }
    }

    /// Tells the daemon of folders whose names lie in another order.
    fn rearrange(&self, daemon: &Daemon) {
        let _turn = self
            .arranging
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let folders = self.lock().replica.rearranged();
        daemon.rearranged(folders.iter().map(|folder| folder.bytes()));
    }
}

/// Whether the call may be answered here now; why it may not, and need not be waited for.
fn readiness(state: &State, call: &Call) -> Result<bool, String> {
    if let Some(broken) = &state.broken {
        return Err(broken.clone());
    }
    let lasting = state.facts.as_ref().is_some_and(|facts| facts.lasting);
    if lasting && call.tool == "bash" {
        return Err("a shell that lasts".to_owned());
    }
    match state.replica.ready(state.needs) {
        Ready::Home => {
            let stalled = state
                .replica
                .stalled()
                .map(|why| format!("the copy lacks something: {why}"));
            Err(stalled.unwrap_or_else(|| "the copy is behind".to_owned()))
        }
        // The comparison of two trees takes some round trips, and a first fill minutes: a call takes one.
        Ready::Wait if !state.replica.is_in_step() => Err("the copy is not whole".to_owned()),
        Ready::Wait => Ok(false),
        // Where an edit's file lies in its folder now, and its times, the client says with the verdict.
        Ready::Now => Ok(state.replica.pending() == 0 || reads_content_only(call)),
    }
}

/// Whether nothing in the answer depends on times, or on where names lie in their folder.
fn reads_content_only(call: &Call) -> bool {
    matches!(call.tool.as_str(), "read" | "edit" | "write")
}
