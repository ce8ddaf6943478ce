//! Memory that the allocator would keep: after the load, and after answers that took much of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// An answer of so many bytes leaves enough behind to be worth giving back …
const LARGE: usize = 256 << 10;
/// … when no call has come for so long: a dense search right after another needs the same memory again.
const QUIET: Duration = Duration::from_millis(50);

/// Loads with large blocks mapped one by one, so that what building the index took is given back to the system and
/// leaves no holes among what stays; small ones are as ever. Afterwards answers come from the heap again: mapping
/// would cost a dense one a page fault a page.
pub(crate) fn loading<T>(load: impl FnOnce() -> T) -> T {
    map_from(64 << 10);
    let loaded = load();
    map_from(32 << 20);
    give_back();
    loaded
}

/// Blocks of at least so many bytes are mapped by themselves; twice as much may lie free at the end of a heap, which is
/// how the allocator goes by itself.
#[cfg(target_env = "gnu")]
fn map_from(bytes: i32) {
    // SAFETY: no pointers; sets two numbers of the allocator, which is safe at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, bytes);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * bytes);
    }
}

#[cfg(target_env = "gnu")]
fn give_back() {
    // SAFETY: no pointers; returns free memory of the allocator, which is safe at any time.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(target_env = "gnu"))]
fn map_from(_: i32) {}

#[cfg(not(target_env = "gnu"))]
fn give_back() {}

/// Gives memory back once things are quiet after a large answer; ends with its owner.
pub(crate) struct Trimmer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    calls: AtomicU64,
    state: Mutex<State>,
    told: Condvar,
}

#[derive(Default)]
struct State {
    large: bool,
    ended: bool,
}

impl Shared {
    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(|e| e.into_inner()));
        self.told.notify_one();
    }

    /// Waits for a large answer; false when there will be no more.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let idle = |state: &mut State| !state.large && !state.ended;
        let waited = self.told.wait_while(state, idle);
        let mut state = waited.unwrap_or_else(|e| e.into_inner());
        state.large = false;
        !state.ended
    }

    fn run(&self) {
        while self.wait() {
            let mut calls = None;
            while calls.replace(self.calls.load(Ordering::Relaxed))
                != Some(self.calls.load(Ordering::Relaxed))
            {
                std::thread::sleep(QUIET);
            }
            give_back();
        }
    }
}

impl Trimmer {
    pub(crate) fn start() -> std::io::Result<Trimmer> {
        let shared = Arc::new(Shared::default());
        let known = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("trim".into())
            .stack_size(64 << 10)
            .spawn(move || known.run())?;
        Ok(Trimmer(shared))
    }

    /// A call was answered with so many bytes.
    pub(crate) fn answered(&self, bytes: usize) {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        if bytes >= LARGE {
            self.0.tell(|state| state.large = true);
        }
    }
}

impl Drop for Trimmer {
    fn drop(&mut self) {
        self.0.tell(|state| state.ended = true);
    }
}
