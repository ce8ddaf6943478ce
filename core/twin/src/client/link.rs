//! The connection to the server: what is said on it, how it begins and ends.

use std::collections::VecDeque;
use std::sync::Arc;

use curserve_mirror::{Error, Message};

use super::connection::{Link, FIRST};
use super::events::Event;
use super::state::Client;
use crate::line::{Ended, Inbox, Outbox, Streams};

/// With more than this on its way, no piece of a long content is added: what is said meanwhile would wait behind it.
const PIECES: usize = 64 << 10;
/// With more than this on its way, nothing is added.
const MOST: usize = 4 << 20;
impl Client {
    pub(super) fn begin_link(&mut self, streams: Streams) {
        let Streams { from, to, end } = streams;
        let end: Arc<dyn Fn() + Send + Sync> = Arc::from(end);
        self.links += 1;
        let number = self.links;
        let theirs = Arc::clone(&end);
        let made = Outbox::start(to, move || theirs(), Arc::clone(&self.sent)).and_then(|outbox| {
            let mut inbox = Inbox::new(from, Arc::clone(&self.received))?;
            let events = self.events.clone();
            std::thread::Builder::new()
                .name("mirror-in".into())
                .spawn(move || {
                    let why = loop {
                        let next = inbox.next(|message| {
                            events.push(Event::Said(number, message));
                            true
                        });
                        match next {
                            Ok(()) => {}
                            Err(Ended::Cut(why)) => break why,
                            Err(Ended::Fault(fault)) => break fault.to_string(),
                        }
                    };
                    events.push(Event::Ended(number, why));
                })?;
            Ok(outbox)
        });
        match made {
            Ok(outbox) => {
                self.owner.connected();
                let facts = serde_json::to_vec(&self.facts).ok();
                self.link = Some(Link {
                    number,
                    outbox,
                    end,
                    results: VecDeque::new(),
                    facts,
                    is_met: false,
                    has_more: false,
                });
            }
            Err(error) => {
                end();
                self.reporter
                    .trouble(&format!("the connection cannot be used: {error}"));
                self.retry.later();
            }
        }
    }

    /// The connection is over; another one is tried.
    pub(super) fn end_link(&mut self, why: &str) {
        self.reporter.trouble(why);
        self.part(why);
        self.retry.later();
    }

    /// Ends the connection.
    pub(super) fn part(&mut self, why: &str) {
        if let Some(mut link) = self.link.take() {
            let reason = why.chars().take(200).collect();
            let _ = link.outbox.send([Message::Goodbye { reason }]);
            link.outbox.finish();
            (link.end)();
            self.owner.disconnected();
            self.calls.forget();
        }
    }

    /// Takes a message of the server's.
    pub(super) fn received(&mut self, message: Message) -> Result<(), String> {
        let taken = match message {
            Message::Goodbye { reason } => Err(format!("the server says: {reason}")),
            Message::Part { id, bytes } => self.calls.part(id, &bytes),
            Message::Call { id, body, .. } => self.calls.wanted(id, &body),
            message => match self.owner.receive(message) {
                Ok(()) => Ok(()),
                Err(Error::Fault(fault)) => Err(fault.to_string()),
                Err(Error::Disk(error)) => return Err(format!("{}: {error}", self.root.display())),
            },
        };
        if let Err(why) = taken {
            self.end_link(&why);
        }
        Ok(())
    }

    /// Sends what there is to be said, as far as the stream takes it.
    pub(super) fn say(&mut self) {
        let Some(link) = &mut self.link else { return };
        let mut failed = false;
        let mut all_said = false;
        while !failed && link.outbox.waiting() < MOST {
            let Some(message) = self.owner.next_message() else {
                all_said = true;
                break;
            };
            let is_hello = matches!(message, Message::Hello { .. });
            failed = link.outbox.send([message]).is_err();
            link.is_met |= is_hello;
            if let Some(body) = link.facts.take_if(|_| is_hello) {
                failed |= link
                    .outbox
                    .send([Message::Facts { body: body.into() }])
                    .is_err();
                self.retry.wait = FIRST;
                self.reporter.is_well();
            }
        }
        while all_said && !failed {
            let Some(result) = link.results.pop_front() else {
                break;
            };
            failed = link.outbox.send(result).is_err();
        }
        link.has_more = !all_said;
        while all_said && !failed {
            if link.outbox.waiting() >= PIECES {
                link.has_more = true;
                break;
            }
            let Some(piece) = self.owner.next_piece() else {
                break;
            };
            failed = link.outbox.send([piece]).is_err();
        }
        // What is owed is read from the disk when there is room for it.
        link.has_more |= self.owner.owed() > 0 && !self.owner.is_in_step();
        if failed {
            self.end_link("the connection cannot be written to");
        }
    }
}
