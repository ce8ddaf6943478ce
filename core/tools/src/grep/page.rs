//! How lines come out: prefixes, the whole line or, with `-o`, what matches in it. What comes out of one file depends on
//! its lines and the options alone.

use std::ops::Range;

use regex_automata::hybrid::dfa::Cache;

use super::matcher::Pattern;
use super::options::Options;
use crate::deadline::{Deadline, Watch};
use crate::decimal::push_number;
use crate::memory::{spent, Pool};
use crate::Refusal;

/// Between the fields of a selected line.
const SELECTED: u8 = b':';
/// Between the fields of a line of context.
const CONTEXT: u8 = b'-';

/// What was shown of one file.
pub(super) struct Page<'p> {
    bytes: &'p [u8],
    style: Style<'p>,
    pattern: &'p Pattern,
    pub(super) out: Vec<u8>,
    pool: &'p Pool,
    /// So many bytes of `out` are taken from the pool.
    taken: usize,
    /// A line was kept back, since it is not all characters.
    pub(super) kept_back: bool,
    counted: Counted,
    cache: Option<Cache>,
    watch: Watch,
}

/// How each line looks.
struct Style<'p> {
    name: Option<&'p [u8]>,
    /// What follows the name, if not what follows every field.
    after_name: Option<u8>,
    numbers: bool,
    offsets: bool,
    /// Show only what matches in a line.
    parts: bool,
    /// Selected lines are those in which nothing matches.
    invert: bool,
    /// Lines may be no characters, and are then kept back.
    checked: bool,
}

/// How many lines begin before a place.
#[derive(Default)]
struct Counted {
    at: usize,
    lines: u64,
}

impl<'p> Page<'p> {
    /// Of the file `bytes`, whose lines begin with `name` if there is one, and are kept back if they are no characters
    /// where `checked`.
    pub(super) fn new(
        bytes: &'p [u8],
        name: Option<&'p [u8]>,
        checked: bool,
        pattern: &'p Pattern,
        options: &'p Options,
        deadline: Deadline,
        pool: &'p Pool,
    ) -> Self {
        Page {
            bytes,
            style: Style {
                name,
                after_name: options.null_names.then_some(0),
                numbers: options.line_numbers,
                offsets: options.byte_offsets,
                parts: options.only_matching,
                invert: options.invert,
                checked,
            },
            pattern,
            out: Vec::new(),
            pool,
            taken: 0,
            kept_back: false,
            counted: Counted::default(),
            cache: None,
            watch: Watch::new(deadline),
        }
    }

    /// Shows whole lines, selected ones or context.
    pub(super) fn show(&mut self, lines: Range<usize>, selected: bool) -> Result<(), Refusal> {
        // `-o` shows parts of the lines that match: of those selected, or with `-v` of the others, which are context.
        if self.style.parts && selected == self.style.invert {
            return Ok(());
        }
        if self.style.is_plain() {
            self.watch.pass(lines.len())?;
            return self.line(&self.bytes[lines]);
        }
        let sign = if selected { SELECTED } else { CONTEXT };
        let mut start = lines.start;
        while start < lines.end {
            let end = match selected && !self.style.invert {
                true => lines.end, // one line
                false => memchr::memchr(b'\n', &self.bytes[start..lines.end])
                    .map_or(lines.end, |end| start + end + 1),
            };
            self.watch.pass(end - start)?;
            let line = self.bytes[start..end].strip_suffix(b"\n");
            let line = line.unwrap_or(&self.bytes[start..end]);
            if self.style.parts {
                self.parts(line, start, sign)?;
            } else if self.style.checked && std::str::from_utf8(line).is_err() {
                self.kept_back = true;
            } else {
                self.fields(start, start, sign);
                self.line(&self.bytes[start..end])?;
            }
            start = end;
        }
        Ok(())
    }

    /// Shows what matches in the line that begins at `start`; what is empty is not shown.
    fn parts(&mut self, line: &[u8], start: usize, sign: u8) -> Result<(), Refusal> {
        let mut from = 0;
        while from <= line.len() {
            let Some((begin, end)) = self.pattern.find_in(line, from, &mut self.cache)? else {
                break;
            };
            if begin < end {
                self.fields(start, start + begin, sign);
                self.line(&line[begin..end])?;
                self.watch.pass(end - begin)?;
            }
            from = end + usize::from(begin == end);
        }
        Ok(())
    }

    /// What stands before a line that begins at `start`, of which is shown what is at `offset`.
    fn fields(&mut self, start: usize, offset: usize, sign: u8) {
        if let Some(name) = self.style.name {
            self.out.extend_from_slice(name);
            self.out.push(self.style.after_name.unwrap_or(sign));
        }
        if self.style.numbers {
            push_number(&mut self.out, self.counted.up_to(start, self.bytes) + 1);
            self.out.push(sign);
        }
        if self.style.offsets {
            push_number(&mut self.out, offset as u64);
            self.out.push(sign);
        }
    }

    /// Text, and the newline that it may lack; what it takes is counted as it grows.
    fn line(&mut self, text: &[u8]) -> Result<(), Refusal> {
        self.out.extend_from_slice(text);
        if !text.ends_with(b"\n") {
            self.out.push(b'\n');
        }
        let grown = self.out.capacity() - self.taken;
        self.taken += grown;
        match grown == 0 || self.pool.take(grown) {
            true => Ok(()),
            false => Err(spent()),
        }
    }
}

impl Style<'_> {
    /// Lines come out as they are.
    fn is_plain(&self) -> bool {
        self.name.is_none() && !self.numbers && !self.offsets && !self.parts && !self.checked
    }
}

impl Counted {
    /// How many lines of `bytes` end before `at`, which is not before the last place asked for.
    fn up_to(&mut self, at: usize, bytes: &[u8]) -> u64 {
        self.lines += memchr::memchr_iter(b'\n', &bytes[self.at..at]).count() as u64;
        self.at = at;
        self.lines
    }
}
