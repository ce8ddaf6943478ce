//! What the server's machine holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::entry::Hash;
use crate::limits::Limits;
use crate::message::{Message, Op, Outcome, Proposal, Stand};
use crate::path::RelPath;
use crate::tree::Tree;

/// An edit that waits for its verdict.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) proposal: Proposal,
    /// A record has overridden it on the disk.
    pub(super) is_shadowed: bool,
    /// What the file held before, to make out deltas that the client sends meanwhile.
    pub(super) before: Option<Arc<[u8]>>,
}

/// A connection to the client.
#[derive(Debug)]
pub(super) struct Link {
    /// None until the client has said hello.
    pub(super) epoch: Option<u64>,
    pub(super) received: u64,
    pub(super) applied: u64,
    /// Up to where the client knows that records were applied.
    pub(super) reported: u64,
    pub(super) in_step: bool,
    /// Records that wait for a content, or for the end of their batch, with their numbers.
    pub(super) queue: VecDeque<(u64, Op)>,
    /// Contents of which the rest is on its way, by the number of their record.
    pub(super) bulk: BTreeMap<u64, Vec<u8>>,
    /// How many of them are part of a batch that is whole.
    pub(super) whole: usize,
    pub(super) in_batch: bool,
    pub(super) batch_bytes: usize,
    /// A part of a batch has been applied, the rest has not.
    pub(super) is_between: bool,
    /// Questions, each with the record before it.
    pub(super) asks: VecDeque<(u64, u64, RelPath)>,
}

/// What becomes of a call that needs a stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It may be answered.
    Now,
    /// What it needs is on its way.
    Wait,
    /// It cannot be answered here: the copy is not whole, and nothing on its way makes it so.
    Home,
}

/// The machine of the server's side.
#[derive(Debug)]
pub struct Replica<D, L> {
    /// The workspace.
    pub disk: D,
    pub(super) log: L,
    pub(super) session: [u8; 16],
    pub(super) base: Tree,
    pub(super) nodes: usize,
    pub(super) pending: BTreeMap<u64, Pending>,
    pub(super) next_edit: u64,
    pub(super) last: Stand,
    pub(super) link: Option<Link>,
    pub(super) partial: HashMap<Hash, Vec<u8>>,
    pub(super) holes: BTreeMap<u64, RelPath>,
    pub(super) next_hole: u64,
    /// What the client has said of edits since somebody asked.
    pub(super) outcomes: Vec<(u64, RelPath, Outcome)>,
    /// Why the last record could not be applied.
    pub(super) stalled: Option<String>,
    /// A record was applied in part, and its rest is lost: nobody but the disk says what is there.
    pub(super) is_doubtful: bool,
    /// Folders whose time could not be set.
    pub(super) late: BTreeSet<RelPath>,
    /// Where edits were made since there was last none without a verdict.
    pub(super) edited: BTreeSet<RelPath>,
    /// Folders whose names may have come to lie in another order since somebody asked.
    pub(super) rearranged: BTreeSet<RelPath>,
    pub(super) limits: Limits,
    pub(super) out: VecDeque<Message>,
}
