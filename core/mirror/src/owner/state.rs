//! What the client's machine holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use crate::cache::Cache;
use crate::error::Error;
use crate::limits::Limits;
use crate::message::Outcome;
use crate::path::RelPath;
use crate::tree::Tree;

use super::hold::Hold;
use super::lanes::Outgoing;
use super::link::Link;

/// The machine of the client's side.
#[derive(Debug)]
pub struct Owner<D, L> {
    /// The workspace.
    pub disk: D,
    pub(super) log: L,
    pub(super) client: [u8; 16],
    pub(super) local: Tree,
    /// Paths to be looked at, and whether all below as well.
    pub(super) due: BTreeMap<RelPath, bool>,
    /// Folders whose order is to be compared with the disk's in the next look.
    pub(super) unsorted: BTreeSet<RelPath>,
    pub(super) link: Option<Link>,
    pub(super) epoch: u64,
    pub(super) session: Option<[u8; 16]>,
    pub(super) intents: BTreeSet<u64>,
    pub(super) done: BTreeMap<u64, Outcome>,
    pub(super) conflicts: Vec<(RelPath, Outcome)>,
    pub(super) stalled: Option<String>,
    pub(super) limits: Limits,
    pub(super) cache: Cache,
    pub(super) out: Outgoing,
    pub(super) hold: Hold,
}

impl<D, L> Owner<D, L> {
    /// An error that passes is noted, and what it hit is tried again; another ends the machine.
    pub(super) fn put_off(&mut self, error: io::Error) -> Result<(), Error> {
        match error.kind() {
            io::ErrorKind::ConnectionAborted => Err(error.into()),
            _ => {
                self.stalled = Some(error.to_string());
                Ok(())
            }
        }
    }
}
