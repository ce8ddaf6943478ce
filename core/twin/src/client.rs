//! The client's side: follows the workspace, says what changes, runs what the server sends home.

mod burst;
mod calls;
mod connection;
mod events;
mod link;
mod remote;
mod report;
mod secrets;
mod state;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use curserve_corpus::Follower;
use curserve_mirror::{Beneath, Error, FileLog, Hold, Limits, Owner, RelPath};
use rustix::event::{poll, PollFd, PollFlags, Timespec};

use crate::facts::Facts;
use burst::Burst;
use calls::Calls;
use connection::{Link, Retry};
use events::{Event, Events};
pub use remote::Remote;
pub use report::{Report, Reporter};
pub use secrets::Secrets;
pub use state::Client;

pub use connection::Connect;

/// Something that could not be done is tried again after this, and the report is brought up to date.
const TICK: Duration = Duration::from_millis(250);
/// While much waits for the stream, it is looked at this often.
const BUSY: Duration = Duration::from_millis(2);
/// While changes are held together, whether they are over is looked at this often.
const HELD: Duration = Duration::from_millis(10);
/// What changes while it is looked at is looked at again at once, this often.
const ROUNDS: usize = 4;

/// Ends a client from another thread.
#[derive(Clone)]
pub struct Stop(Events);

impl Stop {
    /// The client is to end.
    pub fn stop(&self) {
        self.0.push(Event::Stop);
    }
}

/// Why a client has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Over {
    /// It was asked to.
    Stopped,
    /// The workspace is not where it was: another client is to begin when it is there again.
    Gone,
}

impl Client {
    /// A client of the workspace `root`, a path without links; `log` is its log. What must run here is run by `worker`.
    ///
    /// # Errors
    /// Where the workspace cannot be followed or looked at, or the log cannot be had; it says what to do.
    pub fn open(
        root: &Path,
        log: &Path,
        facts: Facts,
        worker: Remote,
        connect: Connect,
        reporter: Reporter,
    ) -> Result<Self, String> {
        let shown = root.display();
        // Watched first, then looked at: nothing falls between.
        let follower = Follower::new(root).map_err(|error| error.to_string())?;
        let secrets = Secrets::of(root);
        let disk = Beneath::open(root, secrets.asked(), true);
        let disk = disk.map_err(|error| format!("{shown}: cannot be opened: {error}"))?;
        let mut id = [0; 16];
        let drawn = std::fs::File::open("/dev/urandom")
            .and_then(|mut source| io::Read::read_exact(&mut source, &mut id));
        drawn.map_err(|error| format!("/dev/urandom: {error}"))?;
        let log = FileLog::open(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let owner = Owner::open(disk, log, id, Limits::default());
        let owner = owner.map_err(|error| format!("{shown}: cannot be read: {error}"))?;
        let events = Events::new().map_err(|error| format!("no descriptor is left: {error}"))?;
        Ok(Client {
            root: root.to_path_buf(),
            owner,
            follower,
            burst: Burst::new(root, Instant::now()),
            held: Hold::Free,
            secrets,
            facts,
            calls: Calls::new(worker, events.clone()),
            retry: Retry::new(connect, events.clone()),
            events,
            link: None,
            links: 0,
            reporter,
            sent: Arc::default(),
            received: Arc::default(),
        })
    }

    /// What ends it from another thread.
    pub fn stop(&self) -> Stop {
        Stop(self.events.clone())
    }

    /// Runs until it is asked to end, or the workspace is gone.
    ///
    /// # Errors
    /// What cannot be put right by trying again.
    pub fn run(&mut self) -> Result<Over, String> {
        self.retry.begin(Duration::ZERO);
        loop {
            self.sleep();
            for event in self.events.take() {
                if self.happened(event)? {
                    self.part("the client ends");
                    return Ok(Over::Stopped);
                }
            }
            if !self.follow()? {
                self.part("the workspace is gone for now");
                return Ok(Over::Gone);
            }
            self.run_calls();
            self.say();
            self.tell();
        }
    }

    /// Sleeps until something happens.
    fn sleep(&self) {
        let busy = self.link.as_ref().is_some_and(Link::is_full);
        let time = match self.held {
            _ if busy => BUSY,
            Hold::Held => HELD,
            _ => TICK,
        };
        let time = Timespec::try_from(time).ok();
        let (changes, events) = (self.follower.fd(), self.events.fd());
        let mut fds = [
            PollFd::new(&changes, PollFlags::IN),
            PollFd::new(&events, PollFlags::IN),
        ];
        // Interrupted by a signal, it looks around once more.
        let _ = poll(&mut fds, time.as_ref());
    }

    /// True where the client is to end.
    fn happened(&mut self, event: Event) -> Result<bool, String> {
        match event {
            Event::Stop => return Ok(true),
            Event::Connected(streams) => self.begin_link(streams),
            Event::Failed(why) => {
                self.reporter.trouble(&why);
                self.retry.later();
            }
            Event::Said(number, message) if self.is_current(number) => self.received(message)?,
            Event::Ended(number, why) if self.is_current(number) => self.end_link(&why),
            Event::Done(number, id, bytes) if self.is_current(number) => self.calls.done(id, bytes),
            // Of a connection that is over.
            Event::Said(..) | Event::Ended(..) | Event::Done(..) => {}
        }
        Ok(false)
    }

    fn is_current(&self, number: u64) -> bool {
        self.link.as_ref().is_some_and(|link| link.number == number)
    }

    /// Has what has changed said, and what belongs together as one. False: the workspace is gone.
    fn follow(&mut self) -> Result<bool, String> {
        for _ in 0..ROUNDS {
            // Asked before, so that no lock can have come and gone unseen when nothing has changed since.
            let is_locked = self.burst.is_locked();
            let Some(any) = self.look()? else {
                return Ok(false);
            };
            if any {
                self.hold(is_locked, false);
            }
            match self.owner.pump() {
                Ok(()) => {}
                Err(Error::Fault(fault)) => self.end_link(&fault.to_string()),
                Err(Error::Disk(error)) => return Err(format!("{}: {error}", self.root.display())),
            }
            self.hold(is_locked, !any);
            if !any {
                break;
            }
        }
        Ok(true)
    }

    fn hold(&mut self, is_locked: bool, is_still: bool) {
        let said_all = self.owner.has_said_all();
        self.held = self
            .burst
            .hold(is_locked, is_still, said_all, Instant::now());
        self.owner.hold(self.held);
    }

    /// Tells the owner what may have changed; whether anything has. None: the workspace is gone.
    fn look(&mut self) -> Result<Option<bool>, String> {
        let changes = match self.follower.changes() {
            Ok(changes) => changes,
            Err(error) => {
                // All is looked at until it can be followed again.
                self.reporter.trouble(&error.to_string());
                self.owner.touched_all();
                return Ok(Some(false));
            }
        };
        if changes.gone || !self.is_there() {
            return Ok(None);
        }
        let now = Instant::now();
        if changes.all {
            self.burst.much_changed(now);
            self.secrets.forget();
            self.owner.touched_all();
        }
        for (path, deep) in &changes.paths {
            self.secrets.changed(path);
            if let Ok(path) = RelPath::new(path) {
                self.owner.touched(path, *deep);
            }
        }
        // Nodes without a watch are among the changes each time.
        let any = changes.all || changes.paths.len() > self.follower.unwatched();
        if any {
            let paths = changes.paths.keys().map(Vec::as_slice);
            self.burst.changed(paths, now);
        }
        Ok(Some(any))
    }

    /// Whether the workspace is still the folder that is followed.
    fn is_there(&self) -> bool {
        self.follower.is_there()
    }

    /// Answers for everything that was complete before: results leave only behind the records of what they have done.
    fn run_calls(&mut self) {
        let Some(link) = &mut self.link else { return };
        if !self.owner.has_edits() {
            self.calls.begin(link.number);
        }
        if self.calls.are_done() {
            self.cut_burst();
        }
        let Some(link) = &mut self.link else { return };
        let stand = self.owner.stand();
        let said_all = self.owner.has_said_all();
        link.results
            .extend(self.calls.results(stand, said_all, Instant::now()));
    }

    /// What a call has done is its own, whoever else may change something at the same time.
    fn cut_burst(&mut self) {
        if self.held == Hold::Free {
            return;
        }
        match self.burst.is_locked() {
            true => self.owner.flush(),
            false => self.owner.hold(Hold::Free),
        }
        self.owner.hold(self.held);
    }

    /// What there is to be said to whoever looks.
    fn tell(&mut self) {
        let stalled = self.owner.stalled().map(str::to_owned);
        for (path, outcome) in self.owner.conflicts() {
            self.reporter.conflict(&path, &outcome);
        }
        let reporter = &mut self.reporter;
        reporter.update(|report| {
            let stand = self.owner.stand();
            report.connected = self.link.as_ref().is_some_and(|link| link.is_met);
            report.in_step = self.owner.is_in_step();
            report.acknowledged = self.owner.is_acknowledged();
            (report.epoch, report.sequence) = (stand.epoch, stand.sequence);
            report.sent_bytes = self.sent.load(std::sync::atomic::Ordering::Relaxed);
            report.received_bytes = self.received.load(std::sync::atomic::Ordering::Relaxed);
            report.owed = self.owner.owed();
            report.unwatched = self.follower.unwatched();
            report.stalled = stalled;
            report.calls_run = self.calls.run;
        });
        if reporter.is_due() {
            let counts = self.secrets.counts();
            reporter.show(counts.iter().map(|(why, count)| (why.text(), *count)));
        }
    }
}
