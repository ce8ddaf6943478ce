//! `xargs`: command lines from standard input.

use crate::{batch, input, Call, Refusal, Stdin};
use curserve_text::options::{both, letter, other, Number, Style, Table, Takes};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Null,
    Delimiter,
    Replace,
    Most,
    NoRunIfEmpty,
}

/// How many items a command line may have; xargs complains of none.
const ITEMS: Number = Number::between(1, i32::MAX as u64);

/// The options of `xargs`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::GnuFirst,
    &[
        both(Key::Null, '0', "null", Takes::Nothing),
        both(Key::Delimiter, 'd', "delimiter", Takes::Text),
        letter(Key::Replace, 'I', Takes::Text),
        both(Key::Most, 'n', "max-args", Takes::Number(&ITEMS)),
        both(Key::NoRunIfEmpty, 'r', "no-run-if-empty", Takes::Nothing),
        other('a', "arg-file", Takes::Text),
        other('E', "", Takes::Text),
        other('e', "eof", Takes::Attached),
        other('i', "replace", Takes::Attached),
        other('L', "max-lines", Takes::Text),
        other('l', "", Takes::Attached),
        other('o', "open-tty", Takes::Nothing),
        other('P', "max-procs", Takes::Text),
        other('p', "interactive", Takes::Nothing),
        other(' ', "process-slot-var", Takes::Text),
        other('s', "max-chars", Takes::Text),
        other(' ', "show-limits", Takes::Nothing),
        other('t', "verbose", Takes::Nothing),
        other('x', "exit", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// Runs `xargs` with one process at a time.
///
/// # Errors
/// Where an option is not done here, the input has quotes that are not closed, or a command refuses.
pub fn xargs(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let (mut delimiter, mut most, mut replace, mut keep_empty) = (None, usize::MAX, None, true);
    for given in &parsed.options {
        match (given.key, given.text()) {
            (Key::Null, _) | (Key::Delimiter, b"\\0") => delimiter = Some(0),
            (Key::Delimiter, b"\\n") => delimiter = Some(b'\n'),
            (Key::Delimiter, [d]) if *d != b'\\' => delimiter = Some(*d),
            (Key::Replace, text) if !text.is_empty() => replace = Some(text),
            (Key::Most, _) => most = given.number() as usize,
            (Key::NoRunIfEmpty, _) => keep_empty = false,
            _ => return Err(Refusal::new("an option of xargs not known here")),
        }
    }
    if most != usize::MAX && replace.is_some() {
        return Err(Refusal::new("xargs with both -n and -I"));
    }
    let mut command: Vec<Vec<u8>> = parsed.operands.iter().map(|o| o.to_vec()).collect();
    if command.is_empty() {
        command.push(b"echo".to_vec());
    }
    let text = input::stdin(call);
    let _held = call.memory.hold(items_take(text))?;
    let items = match (delimiter, replace) {
        (Some(d), _) => split_plain(text, d),
        (None, None) => split_words(text)?,
        (None, Some(_)) => split_lines(text)?,
    };
    call.deadline.check()?;
    let mut status = 0;
    if let Some(pattern) = replace {
        for item in items {
            let replaced = |word: &Vec<u8>| {
                let places = memchr::memmem::find_iter(word, pattern).count();
                word.len() + places * item.len()
            };
            if command.iter().map(replaced).sum::<usize>() > batch::SIZE {
                return Err(Refusal::new("a command of xargs that is too long"));
            }
            let words: Vec<Vec<u8>> = command
                .iter()
                .enumerate()
                .map(|(i, w)| {
                    if i == 0 {
                        w.clone()
                    } else {
                        substitute(w, pattern, &item)
                    }
                })
                .collect();
            if batch::size(&words) > batch::SIZE
                || memchr::memmem::find(&command[0], pattern).is_some()
            {
                return Err(Refusal::new(
                    "a command of xargs that is too long or takes its name from the input",
                ));
            }
            if run(call, &words, &mut status)? {
                break;
            }
        }
        return Ok(status);
    }
    if items.is_empty() {
        if keep_empty {
            run(call, &command, &mut status)?;
        }
        return Ok(status);
    }
    let too_long = || Refusal::new("an item of xargs that does not fit");
    let lines = batch::split(batch::size(&command), &items, most).ok_or_else(too_long)?;
    let lengths: Vec<usize> = lines.iter().map(|line| line.len()).collect();
    let mut items = items.into_iter();
    for length in lengths {
        let line = items.by_ref().take(length);
        let words: Vec<Vec<u8>> = command.iter().cloned().chain(line).collect();
        if run(call, &words, &mut status)? {
            break;
        }
    }
    Ok(status)
}

/// What the items of `text` take at most: a vector each, with room of its own.
fn items_take(text: &[u8]) -> usize {
    const ITEM: usize = size_of::<Vec<u8>>() + 24;
    /// Less than this is not worth a look.
    const LITTLE: usize = 64 << 10;
    if text.len() < LITTLE {
        return 0;
    }
    let ends = text.iter().filter(|&&b| !b.is_ascii_graphic()).count();
    3 * text.len() + ITEM * (ends + 1)
}

/// Runs one command line; true when no more are to run.
fn run(call: &mut Call, words: &[Vec<u8>], status: &mut i32) -> Result<bool, Refusal> {
    match batch::run(call, words, Stdin::DevNull)? {
        0 => {}
        1..=125 => *status = 123,
        _ => {
            return Err(Refusal::new(
                "a command of xargs that fails in an unusual way",
            ))
        }
    }
    Ok(call.out.full())
}

fn substitute(word: &[u8], pattern: &[u8], item: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut from = 0;
    for at in memchr::memmem::find_iter(word, pattern) {
        out.extend_from_slice(&word[from..at]);
        out.extend_from_slice(item);
        from = at + pattern.len();
    }
    out.extend_from_slice(&word[from..]);
    out
}

fn split_plain(text: &[u8], delimiter: u8) -> Vec<Vec<u8>> {
    if text.is_empty() {
        return Vec::new();
    }
    let body = text.strip_suffix(&[delimiter]).unwrap_or(text);
    body.split(|&b| b == delimiter)
        .map(<[u8]>::to_vec)
        .collect()
}

/// What does not stand for itself in the input of `xargs`, or is refused there.
fn is_special(b: u8) -> bool {
    matches!(b, b'\'' | b'"' | b'\\' | 0 | 11 | 12 | 13)
}

/// Words between blanks and newlines, with quotes and backslashes as `xargs` reads them.
fn split_words(text: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    if !text.iter().any(|&b| is_special(b)) {
        let words = text.split(|b| matches!(b, b' ' | b'\t' | b'\n'));
        return Ok(words
            .filter(|word| !word.is_empty())
            .map(<[u8]>::to_vec)
            .collect());
    }
    let mut items = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut bytes = text.iter().copied();
    while let Some(b) = bytes.next() {
        match b {
            b' ' | b'\t' | b'\n' => items.extend(word.take()),
            b'\'' | b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    match bytes.next() {
                        Some(q) if q == b => break,
                        None | Some(b'\n') => {
                            return Err(Refusal::new("an unmatched quote in the input of xargs"))
                        }
                        Some(c) => word.push(c),
                    }
                }
            }
            b'\\' => match bytes.next() {
                Some(c) if c != b'\n' => word.get_or_insert_default().push(c),
                _ => return Err(Refusal::new("a backslash at the end of a line of xargs")),
            },
            _ if is_special(b) => {
                return Err(Refusal::new("control characters in the input of xargs"))
            }
            _ => word.get_or_insert_default().push(b),
        }
    }
    items.extend(word);
    Ok(items)
}

/// Lines, for `-I`: leading blanks go, empty lines are skipped.
fn split_lines(text: &[u8]) -> Result<Vec<Vec<u8>>, Refusal> {
    let mut items = Vec::new();
    for line in input::lines(text) {
        let start = line
            .iter()
            .position(|b| !matches!(b, b' ' | b'\t'))
            .unwrap_or(line.len());
        let line = &line[start..];
        if line
            .iter()
            .any(|b| matches!(b, b'\'' | b'"' | b'\\' | 0 | 11 | 12 | 13))
        {
            return Err(Refusal::new("quotes in the input of xargs -I"));
        }
        if !line.is_empty() {
            items.push(line.to_vec());
        }
    }
    Ok(items)
}
