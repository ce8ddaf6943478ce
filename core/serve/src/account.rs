//! What the answers and refusals came to, for whoever asks `stats`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use curserve_proto::Answer;
use serde_json::{json, Value};

/// So many reasons are counted apart; what comes later counts in its kind alone.
const MOST: usize = 256;
/// Reasons may end in names of files.
const LONGEST: usize = 120;

#[derive(Default)]
pub(crate) struct Account {
    answered: AtomicU64,
    answered_ns: AtomicU64,
    refused: Mutex<Refused>,
}

#[derive(Default)]
struct Refused {
    kinds: BTreeMap<&'static str, u64>,
    reasons: BTreeMap<String, u64>,
}

impl Account {
    /// Counts an answer that took `ns`.
    pub(crate) fn add(&self, answer: &Answer, ns: u64) {
        let Some(refusal) = &answer.refused else {
            self.answered.fetch_add(1, Ordering::Relaxed);
            self.answered_ns.fetch_add(ns, Ordering::Relaxed);
            return;
        };
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        *refused.kinds.entry(refusal.kind()).or_default() += 1;
        let reason: String = refusal.to_string().chars().take(LONGEST).collect();
        if refused.reasons.len() < MOST || refused.reasons.contains_key(&reason) {
            *refused.reasons.entry(reason).or_default() += 1;
        }
    }

    /// All of it, as `stats` gives it.
    pub(crate) fn show(&self) -> Value {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        json!({
            "answered": self.answered.load(Ordering::Relaxed),
            "answered_ns": self.answered_ns.load(Ordering::Relaxed),
            "refused_by_kind": refused.kinds,
            "refused_by_reason": refused.reasons,
        })
    }
}
