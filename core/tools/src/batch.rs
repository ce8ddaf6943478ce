//! Command lines built from many arguments, as `xargs` and `find -exec … +` build them, and running them.

use crate::{Call, Refusal, Stdin};

/// What findutils lets a command line hold: every word and its NUL (measured: exactly 131,072 fits).
pub const SIZE: usize = 128 * 1024;

/// What the kernel takes of one word, with its NUL (MAX_ARG_STRLEN).
const WORD: usize = 128 << 10;
/// What it takes of all words and the environment depends on the limit of the stack; never less than this.
const WORDS: usize = 1 << 20;

/// Refuses a command line that the kernel might not start a program with.
///
/// # Errors
/// Where a word, or all of them, may be longer than the kernel takes.
pub fn fits(words: &[Vec<u8>]) -> Result<(), Refusal> {
    let pointers = words.len() * size_of::<usize>();
    match words.iter().any(|word| word.len() >= WORD) || size(words) + pointers > WORDS {
        true => Err(Refusal::TooLarge(
            "an argument list that may be too long".into(),
        )),
        false => Ok(()),
    }
}

/// Runs `args` as a tool of its own with this call's output; standard input is `stdin`.
///
/// # Errors
/// Where there is no name, the words may be too long for the kernel, or the tool refuses.
pub fn run(call: &mut Call, args: &[Vec<u8>], stdin: Stdin) -> Result<i32, Refusal> {
    let Some(name) = args.first() else {
        return Err(Refusal::new("a command without a name"));
    };
    fits(args)?;
    let start = call.out.as_bytes().len();
    let again = call.again();
    let mut inner = Call {
        args,
        stdin,
        cwd: again.cwd,
        snapshot: again.snapshot,
        world: again.world,
        out: again.out,
        err: again.err,
        writes: again.writes,
        deadline: again.deadline,
        memory: again.memory,
    };
    let status = crate::run(name, &mut inner)?;
    call.out.span(start, name);
    Ok(status)
}

/// Splits `items` into command lines that begin with `initial`: at most `most` items, at most [`SIZE`] bytes.
/// `None` where a single item does not fit.
pub fn split(initial: usize, items: &[Vec<u8>], most: usize) -> Option<Vec<&[Vec<u8>]>> {
    let mut lines = Vec::new();
    let (mut start, mut size) = (0, initial);
    for (i, item) in items.iter().enumerate() {
        let len = item.len() + 1;
        if size + len > SIZE {
            if i == start {
                return None;
            }
            lines.push(&items[start..i]);
            (start, size) = (i, initial);
        }
        size += len;
        if size > SIZE {
            return None;
        }
        if i + 1 - start == most {
            lines.push(&items[start..=i]);
            (start, size) = (i + 1, initial);
        }
    }
    if start < items.len() {
        lines.push(&items[start..]);
    }
    Some(lines)
}

/// The bytes that the words of a command line take.
pub fn size(words: &[Vec<u8>]) -> usize {
    words.iter().map(|w| w.len() + 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_what_findutils_lets_them_hold() {
        let items = vec![b"a".to_vec(); 100_000];
        let lens = |initial: &[&[u8]]| {
            let words: Vec<Vec<u8>> = initial.iter().map(|w| w.to_vec()).collect();
            split(size(&words), &items, usize::MAX)
                .map(|l| l.iter().map(|l| l.len()).collect::<Vec<_>>())
        };
        assert_eq!(lens(&[b"echo"]), Some(vec![65_533, 34_467]));
        assert_eq!(lens(&[b"echo", b"b"]), Some(vec![65_532, 34_468]));
        assert_eq!(lens(&[b"echo", b"bb"]), Some(vec![65_532, 34_468]));
    }
}
