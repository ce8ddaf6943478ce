//! The threads of a connection that have nothing to do: they wait to be roused.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who waits.
#[derive(Default)]
pub(crate) struct Crew {
    state: Mutex<State>,
    changed: Condvar,
}

/// How a rest ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rested {
    /// Somebody is to go on.
    Wanted,
    /// Nobody was wanted for as long as that.
    InVain,
    /// It is the end.
    Ended,
}

#[derive(Default)]
struct State {
    resting: usize,
    /// One of them is to go on; or, where nobody rests, whoever is about to.
    wanted: bool,
    ended: bool,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is to go on; false where nobody rests, and whoever does next will go on at once.
    pub(crate) fn rouse(&self) -> bool {
        let mut state = self.lock();
        state.wanted = true;
        self.changed.notify_one();
        state.resting > 0
    }

    /// Waits to be roused, for `patience` at most.
    pub(crate) fn rest(&self, patience: Duration) -> Rested {
        let mut state = self.lock();
        state.resting += 1;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, patience, |state| !state.wanted && !state.ended)
            .unwrap_or_else(PoisonError::into_inner);
        state.resting -= 1;
        // Whoever was roused goes on, also where its time was over at the same moment: nobody else was.
        match (state.ended, std::mem::take(&mut state.wanted)) {
            (true, _) => Rested::Ended,
            (false, true) => Rested::Wanted,
            (false, false) => Rested::InVain,
        }
    }

    /// Nobody rests any more, now or later.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn one_is_roused_at_a_time_and_all_at_the_end() {
        let crew = Arc::new(Crew::default());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let crew = Arc::clone(&crew);
                std::thread::spawn(move || {
                    (0..)
                        .take_while(|_| crew.rest(LONG) == Rested::Wanted)
                        .count()
                })
            })
            .collect();
        for _ in 0..200 {
            while !crew.rouse() {
                std::thread::yield_now();
            }
            while crew.lock().wanted {
                std::thread::yield_now();
            }
        }
        crew.end();
        let roused: usize = threads.into_iter().map(|one| one.join().unwrap()).sum();
        assert!(roused >= 200, "{roused}");
        assert_eq!(crew.rest(LONG), Rested::Ended, "it stays the end");
    }

    #[test]
    fn who_was_wanted_before_resting_goes_on_at_once() {
        let crew = Crew::default();
        assert!(!crew.rouse());
        assert_eq!(crew.rest(LONG), Rested::Wanted);
    }

    #[test]
    fn who_is_not_wanted_is_told_so() {
        let crew = Crew::default();
        assert_eq!(crew.rest(Duration::from_millis(1)), Rested::InVain);
        assert!(!crew.rouse(), "nobody rests any more");
    }
}
