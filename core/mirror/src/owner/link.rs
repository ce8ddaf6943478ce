//! What is known of the connection to the server.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::entry::Hash;
use crate::message::Proposal;
use crate::path::RelPath;
use crate::tree::Listed;

/// What is known of the connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// 0 until the server has said welcome.
    pub(super) epoch: u64,
    pub(super) sequence: u64,
    pub(super) applied: u64,
    pub(super) root_said: bool,
    pub(super) in_step: bool,
    /// Folders that the server was asked about, and what it has said so far.
    pub(super) asks: BTreeMap<u64, (RelPath, Vec<Listed>)>,
    pub(super) next_ask: u64,
    /// What the server lacks, with what it has there instead; and in which order it gets them.
    pub(super) owed: BTreeMap<RelPath, Option<Hash>>,
    pub(super) order: VecDeque<RelPath>,
    /// Folders whose names come to lie in another order there.
    pub(super) shuffled: BTreeSet<RelPath>,
    /// Of which contents the server has how many bytes.
    pub(super) partial: HashMap<Hash, u64>,
    /// What the server has lost.
    pub(super) lost: VecDeque<(u64, RelPath)>,
    /// Edits of the server, in order, and contents that come in pieces.
    pub(super) edits: VecDeque<Proposal>,
    pub(super) parts: BTreeMap<u64, Vec<u8>>,
    pub(super) last_edit: u64,
    /// The edit that the server was asked to send whole.
    pub(super) again: Option<u64>,
}
