//! Notices that nobody has asked for a while, and gives back then what answers took.
//!
//! After each answer it would cost the next one a fault a page: half the speed of dense answers. A call that follows
//! within a moment finds the memory of the one before; so does one after less than [`WORTH`] has come together.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::Thread;
use std::time::Duration;

use crate::memory::{self, Mark};

/// No call for so long, or for up to twice as long, is idleness: longer than a fast model takes for a turn.
const QUIET: Duration = Duration::from_secs(2);
/// Less than this is left alone: sparse answers take little, and would have to fault it in again.
const WORTH: usize = 2 << 20;

/// Told of each call; a thread of its own sleeps without waking up until there is one.
pub(crate) struct Idle {
    calls: Arc<Calls>,
    thread: Thread,
}

#[derive(Default)]
struct Calls {
    begun: AtomicU64,
    ended: AtomicU64,
    /// The thread looks whether calls go on.
    looking: AtomicBool,
    /// The daemon is gone.
    over: AtomicBool,
    /// How often memory was given back, from 1 on.
    round: AtomicU64,
    /// One of each thread that answered since.
    marks: Mutex<Vec<Mark>>,
}

thread_local! {
    /// The last round in which this thread left a mark.
    static MARKED: Cell<u64> = const { Cell::new(0) };
}

impl Idle {
    /// Begins to look out.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(crate) fn start() -> std::io::Result<Idle> {
        let calls = Arc::new(Calls {
            round: AtomicU64::new(1),
            ..Calls::default()
        });
        let told = Arc::clone(&calls);
        let thread = std::thread::Builder::new()
            .name("idle".into())
            .spawn(move || run(&told))?;
        Ok(Idle {
            calls,
            thread: thread.thread().clone(),
        })
    }

    /// A call runs until what this returns is dropped.
    pub(crate) fn call(&self) -> impl Drop + '_ {
        let calls = &*self.calls;
        calls.begun.fetch_add(1, Ordering::SeqCst);
        // Of a series of calls only the first wakes anybody.
        if !calls.looking.load(Ordering::SeqCst) && !calls.looking.swap(true, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(calls)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        self.calls.over.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

struct Running<'c>(&'c Calls);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.mark();
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

impl Calls {
    /// Remembers which heap this thread's answers lie in.
    fn mark(&self) {
        let round = self.round.load(Ordering::Relaxed);
        if MARKED.replace(round) != round {
            if let Ok(mut marks) = self.marks.lock() {
                marks.push(Mark::new());
            }
        }
    }

    fn give_back(&self) {
        let marks = self.marks.lock().map_or_else(
            |_| Vec::new(), // a mark less costs nothing but memory
            |mut marks| std::mem::take(&mut *marks),
        );
        self.round.fetch_add(1, Ordering::Relaxed);
        memory::give_back(marks);
    }

    /// How many there have been, if none is running.
    fn at_rest(&self) -> Option<u64> {
        let ended = self.ended.load(Ordering::SeqCst);
        (self.begun.load(Ordering::SeqCst) == ended).then_some(ended)
    }
}

fn run(calls: &Calls) {
    // What was resident when memory was last given back; None: not known, so that it is worth a try.
    let mut least: Option<usize> = None;
    loop {
        while !calls.looking.load(Ordering::SeqCst) {
            if calls.over.load(Ordering::SeqCst) {
                return;
            }
            std::thread::park();
        }
        let mut before = None;
        loop {
            // Not parked: a call that came late may have left an unpark behind, which would end this at once.
            std::thread::sleep(QUIET);
            if calls.over.load(Ordering::SeqCst) {
                return;
            }
            let now = calls.at_rest();
            if now.is_some() && now == before {
                break;
            }
            before = now;
        }
        calls.looking.store(false, Ordering::SeqCst);
        // A call that began just before this has woken nobody.
        if calls.at_rest() != before {
            calls.looking.store(true, Ordering::SeqCst);
            continue;
        }
        let grown = memory::resident().zip(least);
        if grown.is_none_or(|(now, least)| now > least + WORTH) {
            calls.give_back();
            least = memory::resident();
        }
    }
}
