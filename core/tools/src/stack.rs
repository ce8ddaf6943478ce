//! The stack: what nests as its input does asks here whether it may go one deeper.

use crate::Refusal;

/// So much must be left for what does not ask: the largest tool, and the libraries below it.
const RESERVE: usize = 256 << 10;

/// So much has a line that is nested deeply: a thread's own would do for most, and not for all that are read here.
const LONG: usize = 64 << 20;

/// How much of this thread's stack is left; nothing where the system does not say.
#[inline]
pub fn left() -> usize {
    stacker::remaining_stack().unwrap_or(0)
}

/// Goes on, unless too little of this thread's stack is left.
///
/// # Errors
/// Where it is.
#[inline]
pub fn check() -> Result<(), Refusal> {
    match left() < RESERVE {
        true => Err(Refusal::TooLarge("commands nested too deeply".into())),
        false => Ok(()),
    }
}

/// Runs `work` on a long stack, made for it; its pages cost only where they are used.
pub fn on_a_long_one<T>(work: impl FnOnce() -> T) -> T {
    stacker::grow(LONG, work)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dive(depth: u64) -> Result<u64, Refusal> {
        check()?;
        let room = std::hint::black_box([depth; 64]);
        Ok(dive(room[0] + 1)? + std::hint::black_box(room)[1])
    }

    #[test]
    fn whoever_asks_never_overflows() {
        let small = std::thread::Builder::new().stack_size(512 << 10);
        let dived = small.spawn(|| dive(0)).unwrap().join().unwrap();
        assert!(dived.is_err());
        assert!(on_a_long_one(|| dive(0)).is_err());
    }
}
