//! What a client holds.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::Arc;

use curserve_corpus::Follower;
use curserve_mirror::{Beneath, FileLog, Hold, Owner};

use super::burst::Burst;
use super::calls::Calls;
use super::connection::{Link, Retry};
use super::events::Events;
use super::report::Reporter;
use super::secrets::Secrets;
use crate::facts::Facts;

/// A client: one workspace, and one connection at a time.
pub struct Client {
    pub(super) root: PathBuf,
    pub(super) owner: Owner<Beneath, FileLog>,
    pub(super) follower: Follower,
    pub(super) burst: Burst,
    pub(super) held: Hold,
    pub(super) secrets: Secrets,
    pub(super) facts: Facts,
    pub(super) events: Events,
    pub(super) calls: Calls,
    pub(super) link: Option<Link>,
    pub(super) links: u64,
    pub(super) retry: Retry,
    pub(super) reporter: Reporter,
    pub(super) sent: Arc<AtomicU64>,
    pub(super) received: Arc<AtomicU64>,
}
