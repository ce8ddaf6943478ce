//! What the allocator does with memory: a load builds large blocks once, answers build them again and again.
//!
//! Blocks of the load are mapped one by one, so that each is given back whole when it is done with, and leaves no hole
//! among what stays. Those of answers come from the heap and stay there, since mapping one costs a fault a page.

/// From this size on, blocks of the load are mapped.
const MAPPED_WHILE_LOADING: i32 = 256 << 10;
/// The most that the allocator takes for this: blocks of answers are not mapped.
const MAPPED_AFTERWARDS: i32 = 32 << 20;
/// So much may lie free at the end of the heap.
const KEPT: i32 = 64 << 20;

/// The load begins.
pub(crate) fn loading() {
    set(parameters::MMAP_THRESHOLD, MAPPED_WHILE_LOADING);
}

/// The load is over: what it took is given back to the system.
pub(crate) fn loaded() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no pointers; returns free memory of the allocator, which is safe at any time.
    unsafe {
        libc::malloc_trim(0)
    };
    set(parameters::MMAP_THRESHOLD, MAPPED_AFTERWARDS);
    set(parameters::TRIM_THRESHOLD, KEPT);
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
