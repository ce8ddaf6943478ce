//! What the allocator does with memory: a load builds large blocks once, answers build them again and again.
//!
//! Blocks of the load are mapped one by one, so that each is given back whole when it is done with, and leaves no hole
//! among what stays. Those of answers come from the heap and stay there, since mapping one costs a fault a page; when
//! nobody has asked for a while (`idle`), what is free goes back.

/// From this size on, blocks of the load are mapped.
const MAPPED_WHILE_LOADING: i32 = 256 << 10;
/// The most that the allocator takes for this: blocks of answers are not mapped.
const MAPPED_AFTERWARDS: i32 = 32 << 20;
/// So much may lie free at the end of the heap while answers are made …
const KEPT: i32 = 64 << 20;
/// … and so much when nobody asks.
const LEFT: i32 = 128 << 10;

/// The load begins.
pub(crate) fn loading() {
    set(parameters::MMAP_THRESHOLD, MAPPED_WHILE_LOADING);
}

/// The load is over: what it took is given back to the system.
pub(crate) fn loaded() {
    give_back(vec![Mark::new()]);
    set(parameters::MMAP_THRESHOLD, MAPPED_AFTERWARDS);
}

/// Gives back to the system what lies free: in between in all heaps, and at the end of the first, of those of the threads
/// that search, and of those that one of `marks` lies in.
pub(crate) fn give_back(mut marks: Vec<Mark>) {
    marks.extend(rayon::broadcast(|_| Mark::new()));
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; returns free memory of the allocator, which is safe at any time.
    unsafe {
        libc::malloc_trim(0)
    };
    // What is freed last in a heap gives back the end of it, if that is longer than this.
    set(parameters::TRIM_THRESHOLD, LEFT);
    drop(marks);
    set(parameters::TRIM_THRESHOLD, KEPT);
}

/// A block in the heap of the thread that made it. glibc is asked for the end of any heap but the first only by freeing a
/// block of 64 kB or more there.
pub(crate) struct Mark(#[allow(dead_code)] Vec<u8>);

impl Mark {
    pub(crate) fn new() -> Mark {
        Mark(Vec::with_capacity(128 << 10))
    }
}

/// The bytes of this process that are in memory; None where the kernel does not say.
pub(crate) fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: no pointers; asks for a constant.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * usize::try_from(page).ok()?)
}

/// Parameters of glibc's allocator, from malloc.h.
mod parameters {
    pub(super) const TRIM_THRESHOLD: i32 = -1;
    pub(super) const MMAP_THRESHOLD: i32 = -3;
}

fn set(parameter: i32, value: i32) {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; glibc takes its lock, and refuses what it does not know.
    unsafe {
        libc::mallopt(parameter, value)
    };
    #[cfg(not(target_env = "gnu"))]
    let _ = (parameter, value);
}
