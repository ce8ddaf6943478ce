//! Calls that the server sends home: begun in the order in which they come, behind its edits; answered behind the records of all
//! that they have done.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use curserve_mirror::{Message, Stand};
use curserve_proto::Answer;

use super::events::{Event, Events};
use super::remote::Remote;
use crate::body::{messages, of_answer, to_call, BARRIER, MAX_WHOLE};

/// So long a result waits for files that are written all the time.
const PATIENCE: Duration = Duration::from_secs(2);

/// The calls of a connection.
pub(super) struct Calls {
    worker: Arc<Remote>,
    events: Events,
    parts: BTreeMap<u64, Vec<u8>>,
    wanted: VecDeque<(u64, Vec<u8>)>,
    done: VecDeque<(u64, Vec<u8>, Instant)>,
    /// How many have been run.
    pub(super) run: u64,
}

impl Calls {
    pub(super) fn new(worker: Remote, events: Events) -> Self {
        Calls {
            worker: Arc::new(worker),
            events,
            parts: BTreeMap::new(),
            wanted: VecDeque::new(),
            done: VecDeque::new(),
            run: 0,
        }
    }

    /// The connection is over: nobody waits for anything.
    pub(super) fn forget(&mut self) {
        self.parts.clear();
        self.wanted.clear();
        self.done.clear();
    }

    pub(super) fn part(&mut self, id: u64, bytes: &[u8]) -> Result<(), String> {
        let held: usize = self.parts.values().map(Vec::len).sum();
        if held + bytes.len() > MAX_WHOLE {
            return Err(
                "the server broke the mirror's protocol: calls of more than 1 GiB".to_owned(),
            );
        }
        self.parts.entry(id).or_default().extend_from_slice(bytes);
        Ok(())
    }

    /// The call `id` is here.
    pub(super) fn wanted(&mut self, id: u64, body: &[u8]) -> Result<(), String> {
        let mut bytes = self.parts.remove(&id).unwrap_or_default();
        bytes.extend_from_slice(body);
        self.wanted.push_back((id, bytes));
        Ok(())
    }

    /// Runs what is wanted, each on a thread of its own: whether several run at once is the server's business.
    pub(super) fn begin(&mut self, link: u64) {
        while let Some((id, bytes)) = self.wanted.pop_front() {
            let (worker, events) = (Arc::clone(&self.worker), self.events.clone());
            let spawned = std::thread::Builder::new()
                .name("mirror-call".into())
                .spawn(move || {
                    let began = Instant::now();
                    let answer = match to_call(&bytes) {
                        Ok(call) if call.tool == BARRIER => Answer::done(0, "", ""),
                        Ok(call) => worker.call(&call),
                        Err(why) => Answer::failed(why),
                    };
                    let service_ns = began.elapsed().as_nanos() as u64;
                    events.push(Event::Done(link, id, of_answer(&answer, service_ns)));
                });
            if let Err(error) = spawned {
                let answer = Answer::failed(format!("no thread can be started: {error}"));
                self.done(id, of_answer(&answer, 0));
            }
        }
    }

    /// The call `id` has been run.
    pub(super) fn done(&mut self, id: u64, bytes: Vec<u8>) {
        self.run += 1;
        self.done.push_back((id, bytes, Instant::now()));
    }

    /// Whether there are results.
    pub(super) fn are_done(&self) -> bool {
        !self.done.is_empty()
    }

    /// The results that may be sent, with the stand that they need: all that the workspace shows has been said. Where a file
    /// changes too fast to be read, they need the record that will say so; until it comes, calls go home.
    pub(super) fn results(
        &mut self,
        stand: Stand,
        said_all: bool,
        now: Instant,
    ) -> Vec<Vec<Message>> {
        let mut results = Vec::new();
        while let Some((_, _, since)) = self.done.front() {
            if !said_all && !has_passed(*since, now, PATIENCE) {
                break;
            }
            let Some((id, bytes, _)) = self.done.pop_front() else {
                break;
            };
            let seen = match said_all {
                true => stand,
                false => Stand {
                    sequence: stand.sequence + 1,
                    ..stand
                },
            };
            results.push(messages(id, &bytes, seen, false));
        }
        results
    }
}

/// When something began, for whoever waits.
fn has_passed(since: Instant, now: Instant, time: Duration) -> bool {
    now.saturating_duration_since(since) >= time
}
