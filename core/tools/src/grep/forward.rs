//! An automaton that only reads forwards, to tell where the first match ends: all that finding lines asks for.
//!
//! A [`Regex`](regex_automata::meta::Regex) also knows where matches begin, what its groups hold, and how to search in
//! half a dozen ways; making one takes ten times as long as making this, and longer than most searches. A few short
//! lines are searched before even states pay.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use regex_automata::hybrid::dfa::{self, Cache, DFA};
use regex_automata::nfa::thompson::backtrack::{self, BoundedBacktracker};
use regex_automata::nfa::thompson::{Compiler, Config, WhichCaptures, NFA};
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::Hir;

use super::errors::refuse;
use crate::Refusal;

/// Automata may grow to this size; larger patterns are refused.
pub(super) const SIZE_LIMIT: usize = 64 << 20;
/// So many lines are searched without states.
const FIRST_LINES: u32 = 4;
/// What backtracking may remember of a line, in bytes: more takes longer to clear than states to make.
const MEMORY: usize = 8 << 10;

/// The automaton, made when a text first asks for it.
pub(super) struct Forward {
    hir: Hir,
    nfa: OnceLock<Result<NFA, Refusal>>,
    dfa: OnceLock<Result<Box<DFA>, Refusal>>,
    /// Lines searched without states.
    lines: AtomicU32,
    /// States that are not in use.
    idle: Mutex<Vec<Cache>>,
}

impl Forward {
    /// Of this expression.
    pub(super) fn new(hir: Hir) -> Self {
        Forward {
            hir,
            nfa: OnceLock::new(),
            dfa: OnceLock::new(),
            lines: AtomicU32::new(0),
            idle: Mutex::default(),
        }
    }

    /// Whether a line matches, if it is one of the first and that can be told without states.
    pub(super) fn is_match(&self, line: &Input<'_>) -> Result<Option<bool>, Refusal> {
        if self.lines.fetch_add(1, Ordering::Relaxed) >= FIRST_LINES {
            return Ok(None);
        }
        let backtracker = BoundedBacktracker::builder()
            .configure(backtrack::Config::new().visited_capacity(MEMORY))
            .build_from_nfa(self.nfa()?.clone())
            .or_else(too_large)?;
        let found = backtracker.try_search_slots(&mut backtracker.create_cache(), line, &mut []);
        Ok(found.ok().map(|found| found.is_some()))
    }

    /// Ready to search one text after another.
    pub(super) fn searcher(&self) -> Result<Searcher<'_>, Refusal> {
        let make = || self.nfa().and_then(|nfa| deterministic(nfa.clone()));
        let dfa = match self.dfa.get_or_init(|| make().map(Box::new)) {
            Ok(dfa) => dfa,
            Err(refusal) => return Err(refusal.clone()),
        };
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        Ok(Searcher {
            dfa,
            idle: &self.idle,
            cache: Some(idle.unwrap_or_else(|| dfa.create_cache())),
        })
    }

    fn nfa(&self) -> Result<&NFA, Refusal> {
        match self.nfa.get_or_init(|| nondeterministic(&self.hir)) {
            Ok(nfa) => Ok(nfa),
            Err(refusal) => Err(refusal.clone()),
        }
    }
}

/// The automaton with states of its own, which go back when this is dropped.
pub(super) struct Searcher<'f> {
    dfa: &'f DFA,
    idle: &'f Mutex<Vec<Cache>>,
    cache: Option<Cache>,
}

impl Searcher<'_> {
    /// Where the first match ends; Err: it cannot say, for a word may end at a character beyond ASCII, or there are too
    /// many states.
    pub(super) fn end(&mut self, input: &Input<'_>) -> Result<Option<usize>, ()> {
        let cache = self.cache.as_mut().expect("there until this is dropped");
        match self.dfa.try_search_fwd(cache, input) {
            Ok(found) => Ok(found.map(|half| half.offset())),
            Err(_) => Err(()),
        }
    }
}

impl Drop for Searcher<'_> {
    fn drop(&mut self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.cache.take());
    }
}

fn nondeterministic(hir: &Hir) -> Result<NFA, Refusal> {
    let config = Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(SIZE_LIMIT));
    Compiler::new()
        .configure(config)
        .build_from_hir(hir)
        .or_else(too_large)
}

fn deterministic(nfa: NFA) -> Result<DFA, Refusal> {
    // It gives up where it makes a state for every few bytes, as a `Regex` does.
    let config = dfa::Config::new()
        .match_kind(MatchKind::LeftmostFirst)
        .unicode_word_boundary(true)
        .skip_cache_capacity_check(true)
        .minimum_cache_clear_count(Some(3))
        .minimum_bytes_per_state(Some(10));
    dfa::Builder::new()
        .configure(config)
        .build_from_nfa(nfa)
        .or_else(too_large)
}

/// Refuses a pattern that no automaton could be made of.
pub(super) fn too_large<T>(error: impl std::fmt::Display) -> Result<T, Refusal> {
    refuse(format!("a pattern too large: {error}"))
}
