//! What there is to be said of a session.

use std::sync::atomic::Ordering;

use curserve_proto::Handler;
use serde_json::{json, Value};

use super::shared::Shared;

impl Shared {
    /// What there is to be said of the session, as one object.
    pub(super) fn stats(&self) -> Value {
        let daemon = self.lock().daemon.clone();
        let daemon = daemon.map(|daemon| daemon.stats());
        let loaded = daemon.as_ref().is_some_and(|stats| stats["loaded"] == true);
        let state = self.lock();
        let stand = state.replica.stand();
        let tally = &state.tally;
        json!({
            "loaded": loaded && state.replica.is_in_step(),
            "connected": state.link.is_some(),
            "connections_of_the_client": state.links,
            "in_step": state.replica.is_in_step(),
            "epoch": stand.epoch,
            "sequence": stand.sequence,
            "edits_without_verdict": state.replica.pending(),
            "stalled": state.replica.stalled(),
            "broken": state.broken,
            "answered_here": tally.here,
            "answered_at_home": tally.home,
            "home_by_reason": tally.reasons,
            "barriers": tally.barrier.count(),
            "barrier_p50_ns": tally.barrier.quantile(0.5),
            "barrier_p99_ns": tally.barrier.quantile(0.99),
            "home_p50_ns": tally.way.quantile(0.5),
            "fill_ns": tally.fill.map(|fill| fill.as_nanos() as u64),
            "sent_bytes": self.sent.load(Ordering::Relaxed),
            "received_bytes": self.received.load(Ordering::Relaxed),
            "daemon": daemon,
        })
    }
}
