//! What a session's threads share.
//!
//! Two locks, taken in this order: `gate` is held by whoever applies records alone, and by those who answer together, so that no
//! answer comes from the middle of a batch; `state` guards the rest, and is held for moments. The daemon's corpus has a
//! lock of its own and asks for `state` while it holds it: nobody who holds `state` may call the daemon.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use curserve_exec::Limits;
use curserve_mirror::{Beneath, FileLog, Replica, Stand};
use curserve_proto::Call;
use curserve_serve::Daemon;

use crate::facts::Facts;
use crate::line::Outbox;
use crate::waits::Waits;

/// What a session's threads share.
pub(super) struct Shared {
    pub(super) root: PathBuf,
    pub(super) limits: Limits,
    pub(super) state: Mutex<State>,
    /// Told whenever the state changes.
    pub(super) changed: Condvar,
    pub(super) gate: RwLock<()>,
    /// Held by who tells the daemon of folders in another order.
    pub(super) arranging: Mutex<()>,
    pub(super) sent: Arc<AtomicU64>,
    pub(super) received: Arc<AtomicU64>,
}

pub(super) struct State {
    pub(super) replica: Replica<Beneath, FileLog>,
    /// Why the copy is not to be used any more.
    pub(super) broken: Option<String>,
    pub(super) link: Option<Link>,
    /// How many connections there have been.
    pub(super) links: u64,
    pub(super) facts: Option<Facts>,
    pub(super) daemon: Option<Arc<Daemon>>,
    pub(super) calls: BTreeMap<u64, Sent>,
    pub(super) next_call: u64,
    /// What every call needs: up to here the client had come when the last result was made.
    pub(super) needs: Stand,
    /// How many edits have been made.
    pub(super) edits: u64,
    /// What the next answer has to say of edits.
    pub(super) notes: Vec<String>,
    pub(super) tally: Tally,
}

/// The connection that there is.
pub(super) struct Link {
    /// Which of all.
    pub(super) number: u64,
    pub(super) outbox: Outbox,
    pub(super) began: Instant,
    pub(super) end: Arc<dyn Fn() + Send + Sync>,
}

/// A call that has been sent home.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    pub(super) done: Option<Result<(), String>>,
}

/// What has been counted.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) here: u64,
    pub(super) home: u64,
    /// Why calls went home.
    pub(super) reasons: BTreeMap<String, u64>,
    pub(super) barrier: Waits,
    pub(super) way: Waits,
    /// Bytes over the wire when the last answer was given.
    pub(super) wire: u64,
    /// From the first connection to the first time in step.
    pub(super) fill: Option<Duration>,
}

impl Shared {
    pub(super) fn new(root: PathBuf, limits: Limits, replica: Replica<Beneath, FileLog>) -> Self {
        Shared {
            root,
            limits,
            state: Mutex::new(State {
                replica,
                broken: None,
                link: None,
                links: 0,
                facts: None,
                daemon: None,
                calls: BTreeMap::new(),
                next_call: 1,
                needs: Stand::default(),
                edits: 0,
                notes: Vec::new(),
                tally: Tally::default(),
            }),
            changed: Condvar::new(),
            gate: RwLock::new(()),
            arranging: Mutex::new(()),
            sent: Arc::default(),
            received: Arc::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            // Whoever panicked may have left the copy half-changed.
            let mut state = poisoned.into_inner();
            state
                .broken
                .get_or_insert_with(|| "a defect of the mirror's own".to_owned());
            state
        })
    }

    /// Waits for a change of the state, until `deadline` at the latest; None: it has passed.
    pub(super) fn wait<'s>(
        &self,
        state: MutexGuard<'s, State>,
        deadline: Instant,
    ) -> Option<MutexGuard<'s, State>> {
        let left = deadline.checked_duration_since(Instant::now())?;
        let waited = self.changed.wait_timeout(state, left);
        Some(waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Where commands see the workspace.
    pub(super) fn at(&self) -> String {
        let facts = self.lock().facts.clone();
        facts.map_or_else(
            || self.root.to_string_lossy().into_owned(),
            |facts| facts.at,
        )
    }

    pub(super) fn timeout(&self, call: &Call) -> Duration {
        call.timeout_ms
            .map_or(self.limits.timeout, Duration::from_millis)
    }
}
