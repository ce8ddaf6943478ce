//! A connection to the client: its records are applied, its results handed to who waits for them.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use curserve_mirror::{Error, Message, Outcome};
use curserve_serve::Daemon;
use curserve_tools::World;

use super::copy::Copy;
use super::shared::{Link, Shared, State};
use crate::body::MAX_WHOLE;
use crate::facts::Facts;
use crate::line::{Ended, Inbox, Outbox, Streams};

/// How often is tried again what could not be applied.
const AGAIN: Duration = Duration::from_millis(500);

impl Shared {
    /// See [`Session::connect`](super::Session::connect).
    pub(super) fn connect(self: &Arc<Self>, streams: Streams) -> io::Result<String> {
        let Streams { from, to, end } = streams;
        let end: Arc<dyn Fn() + Send + Sync> = Arc::from(end);
        let number = self.begin(to, &end)?;
        let again = self.try_again_while(number)?;
        let mut inbox = Inbox::new(from, Arc::clone(&self.received))?;
        let mut ended = None;
        let why = loop {
            let next = inbox.next(|message| match self.take(number, message) {
                Ok(()) => true,
                Err(why) => {
                    ended = Some(why);
                    false
                }
            });
            if let Some(why) = ended.take() {
                break why;
            }
            match next {
                Ok(()) => {}
                Err(Ended::Cut(why)) => break why,
                Err(Ended::Fault(fault)) => {
                    self.part(number, &fault.to_string());
                    break fault.to_string();
                }
            }
        };
        self.finish(number, &why);
        let _ = again.join();
        end();
        match self.lock().broken.clone() {
            Some(broken) => Err(io::Error::other(broken)),
            None => Ok(why),
        }
    }

    fn begin(
        self: &Arc<Self>,
        to: Box<dyn io::Write + Send>,
        end: &Arc<dyn Fn() + Send + Sync>,
    ) -> io::Result<u64> {
        let theirs = Arc::clone(end);
        let outbox = Outbox::start(to, move || theirs(), Arc::clone(&self.sent))?;
        let _alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut guard = self.lock();
        let state = &mut *guard;
        if let Some(old) = state.link.take() {
            fail_calls(state, "the client has connected anew");
            (old.end)();
        }
        state.links += 1;
        let number = state.links;
        let connected = state.replica.connected();
        connected.map_err(|error| io::Error::other(error.to_string()))?;
        state.link = Some(Link {
            number,
            outbox,
            began: Instant::now(),
            end: Arc::clone(end),
        });
        self.flush(state);
        Ok(number)
    }

    /// A thread that tries again what could not be applied, as long as the connection stands.
    fn try_again_while(self: &Arc<Self>, number: u64) -> io::Result<std::thread::JoinHandle<()>> {
        let shared = Arc::clone(self);
        let again = std::thread::Builder::new().name("mirror-again".into());
        again.spawn(move || {
            while shared.stands_after(number, Instant::now() + AGAIN) {
                if shared.lock().replica.stalled().is_none() {
                    continue;
                }
                let _alone = shared.gate.write().unwrap_or_else(PoisonError::into_inner);
                let mut guard = shared.lock();
                let state = &mut *guard;
                if let Err(Error::Disk(error)) = state.replica.tick() {
                    state.broken = Some(error.to_string());
                }
                shared.flush(state);
            }
        })
    }

    /// Sleeps until then, and says whether connection `number` still stands; less where it ends.
    fn stands_after(&self, number: u64, until: Instant) -> bool {
        let is_current = |state: &State| {
            let link = state.link.as_ref();
            link.is_some_and(|link| link.number == number)
        };
        let mut state = self.lock();
        while is_current(&state) {
            match self.wait(state, until) {
                Some(later) => state = later,
                None => return is_current(&self.lock()),
            }
        }
        false
    }

    /// Takes one message; why the connection is to be ended.
    fn take(self: &Arc<Self>, number: u64, message: Message) -> Result<(), String> {
        let _alone = match &message {
            Message::Result { .. } | Message::Part { .. } | Message::Facts { .. } => None,
            _ => Some(self.gate.write().unwrap_or_else(PoisonError::into_inner)),
        };
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.link.as_ref().is_none_or(|link| link.number != number) {
            return Err("another connection has taken its place".to_owned());
        }
        match message {
            Message::Goodbye { reason } => return Err(format!("the client says: {reason}")),
            Message::Facts { body } => {
                let facts: Result<Facts, _> = serde_json::from_slice(&body);
                let facts = facts.map_err(|error| format!("facts that cannot be read: {error}"))?;
                if state.facts.as_ref() != Some(&facts) {
                    state.facts = Some(facts);
                    // Its threads may be waiting for what is held here.
                    let old = state.daemon.take();
                    std::thread::spawn(move || drop(old));
                }
            }
            Message::Part { id, bytes } => add(state, id, &bytes)?,
            Message::Result { id, seen, body } => {
                add(state, id, body.as_deref().unwrap_or_default())?;
                state.needs = state.needs.max(seen);
                if let Some(sent) = state.calls.get_mut(&id) {
                    sent.done = Some(match body {
                        Some(_) => Ok(()),
                        None => Err("the client could not run it".to_owned()),
                    });
                }
            }
            message => match state.replica.receive(message) {
                Ok(()) => {}
                Err(Error::Fault(fault)) => {
                    let why = fault.to_string();
                    self.say_goodbye(state, &why);
                    return Err(why);
                }
                Err(Error::Disk(error)) => {
                    state.broken = Some(error.to_string());
                    return Err(error.to_string());
                }
            },
        }
        self.note_outcomes(state);
        self.begin_to_answer(state);
        self.flush(state);
        Ok(())
    }

    /// What became of edits is told with the next answer, where it is not what the edit said.
    fn note_outcomes(&self, state: &mut State) {
        for (_, path, outcome) in state.replica.outcomes() {
            let note = match outcome {
                Outcome::Accepted => continue,
                Outcome::Merged => format!("the edit of {path} was merged with a change of the user's"),
                Outcome::Conflict(Some(copy)) => format!(
                    "{path} was changed by the user before the edit reached it: the user's version stays, the edit's is {copy}"
                ),
                Outcome::Conflict(None) => format!(
                    "{path} was changed by the user before the edit reached it: the user's version stays"
                ),
                Outcome::Denied(why) => format!("the edit was not done: {why}"),
            };
            state.notes.push(note);
        }
    }

    /// Starts the daemon once the copy is whole.
    fn begin_to_answer(self: &Arc<Self>, state: &mut State) {
        if !state.replica.is_in_step() {
            return;
        }
        let began = state.link.as_ref().map(|link| link.began);
        if let (None, Some(began)) = (state.tally.fill, began) {
            state.tally.fill = Some(began.elapsed());
        }
        let (None, Some(facts)) = (&state.daemon, &state.facts) else {
            return;
        };
        let world = World::of_this_machine().unasked();
        let _ = world.unknown.set(facts.unknown.clone());
        let keeper = Arc::new(Copy(Arc::downgrade(self)));
        let (root, at) = (self.root.clone(), facts.at.clone());
        // Where no thread can be had now, the next message tries again.
        state.daemon = Daemon::on_copy(root, at, self.limits, world, keeper)
            .ok()
            .map(Arc::new);
    }

    /// Sends what the replica has to say.
    pub(super) fn flush(&self, state: &mut State) {
        let replica = &mut state.replica;
        let messages: Vec<Message> = std::iter::from_fn(|| replica.next_message()).collect();
        if let Some(link) = &mut state.link {
            // A stream that has ended is noticed by who reads it.
            let _ = link.outbox.send(messages);
        }
        self.changed.notify_all();
    }

    fn part(&self, number: u64, why: &str) {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state
            .link
            .as_ref()
            .is_some_and(|link| link.number == number)
        {
            self.say_goodbye(state, why);
        }
    }

    fn say_goodbye(&self, state: &mut State, why: &str) {
        if let Some(link) = &mut state.link {
            let reason = why.chars().take(200).collect();
            let _ = link.outbox.send([Message::Goodbye { reason }]);
        }
    }

    fn finish(&self, number: u64, why: &str) {
        let alone = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        let mut guard = self.lock();
        let state = &mut *guard;
        let link = state.link.take_if(|link| link.number == number);
        if link.is_some() {
            state.replica.disconnected();
            fail_calls(state, why);
        }
        drop(guard);
        drop(alone);
        self.changed.notify_all();
        if let Some(link) = link {
            link.outbox.finish();
        }
    }
}

/// Bytes of the result of call `id`. One that nobody waits for any more is passed over.
fn add(state: &mut State, id: u64, bytes: &[u8]) -> Result<(), String> {
    if id == 0 || id >= state.next_call {
        return Err(format!(
            "the other side broke the mirror's protocol: a result of call {id}, which is none"
        ));
    }
    match state.calls.get_mut(&id) {
        Some(sent) if sent.bytes.len() + bytes.len() > MAX_WHOLE || sent.done.is_some() => Err(
            "the other side broke the mirror's protocol: a result of more than 1 GiB".to_owned(),
        ),
        Some(sent) => {
            sent.bytes.extend_from_slice(bytes);
            Ok(())
        }
        None => Ok(()),
    }
}

fn fail_calls(state: &mut State, why: &str) {
    for sent in state.calls.values_mut().filter(|sent| sent.done.is_none()) {
        sent.done = Some(Err(why.to_owned()));
    }
}
