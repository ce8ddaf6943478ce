//! A connection as it stands, and how one is made again and again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use curserve_mirror::Message;

use super::events::{Event, Events};
use crate::line::{Outbox, Streams};

/// How a connection is made: blocks until it stands, or says why it cannot.
pub type Connect = Arc<dyn Fn() -> Result<Streams, String> + Send + Sync>;

/// How long is waited before another try: this, and twice as long each time, up to …
pub(super) const FIRST: Duration = Duration::from_millis(250);
/// … this.
const LAST: Duration = Duration::from_secs(15);

/// A connection.
pub(super) struct Link {
    pub(super) number: u64,
    pub(super) outbox: Outbox,
    pub(super) end: Arc<dyn Fn() + Send + Sync>,
    /// Results of calls, to be sent behind what the owner has said.
    pub(super) results: VecDeque<Vec<Message>>,
    pub(super) facts: Option<Vec<u8>>,
    /// Whether the server has said who it is, and was told the same.
    pub(super) is_met: bool,
    pub(super) has_more: bool,
}

impl Link {
    /// Whether something waits for room in the stream.
    pub(super) fn is_full(&self) -> bool {
        self.has_more
    }
}

/// Makes connections, one at a time.
pub(super) struct Retry {
    connect: Connect,
    events: Events,
    pub(super) wait: Duration,
}

impl Retry {
    pub(super) fn new(connect: Connect, events: Events) -> Self {
        Retry {
            connect,
            events,
            wait: FIRST,
        }
    }

    /// Tries after `wait`, on a thread of its own.
    pub(super) fn begin(&self, wait: Duration) {
        let (connect, events) = (Arc::clone(&self.connect), self.events.clone());
        let theirs = self.events.clone();
        let spawned = std::thread::Builder::new()
            .name("mirror-connect".into())
            .spawn(move || {
                std::thread::sleep(wait);
                events.push(match connect() {
                    Ok(streams) => Event::Connected(streams),
                    Err(why) => Event::Failed(why),
                });
            });
        if let Err(error) = spawned {
            theirs.push(Event::Failed(format!("no thread can be started: {error}")));
        }
    }

    /// Tries again in a while.
    pub(super) fn later(&mut self) {
        self.begin(self.wait);
        self.wait = (self.wait * 2).min(LAST);
    }
}
