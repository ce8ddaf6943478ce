//! The commands of `-exec`.

use crate::{batch, Call, Refusal, Stdin};

/// Runs the command of an `-exec … ;` on one path.
///
/// # Errors
/// Where the command is too long, and as [`run`].
pub fn run_with(call: &mut Call<'_>, words: &[Vec<u8>], path: &[u8]) -> Result<i32, Refusal> {
    let places = |word: &Vec<u8>| memchr::memmem::find_iter(word, b"{}").count();
    let length: usize = words
        .iter()
        .map(|word| word.len() + places(word) * path.len())
        .sum();
    if length > batch::SIZE {
        return Err(Refusal::new("a command of find -exec that is too long"));
    }
    let words: Vec<Vec<u8>> = words.iter().map(|word| replace(word, path)).collect();
    run(call, &words)
}

/// Runs a command, whose standard input is empty.
///
/// # Errors
/// Where standard input is not empty, or the command refuses.
pub fn run(call: &mut Call<'_>, words: &[Vec<u8>]) -> Result<i32, Refusal> {
    if !matches!(call.stdin, Stdin::DevNull) {
        return Err(Refusal::new("find -exec where standard input is not empty"));
    }
    batch::run(call, words, Stdin::DevNull)
}

fn replace(word: &[u8], path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len() + path.len());
    let mut from = 0;
    for at in memchr::memmem::find_iter(word, b"{}") {
        out.extend_from_slice(&word[from..at]);
        out.extend_from_slice(path);
        from = at + 2;
    }
    out.extend_from_slice(&word[from..]);
    out
}
