//! Searching one buffer and printing what is selected: a port of grep 3.8's `grep`, `prtext` and `prline`, with the
//! whole file as one buffer.

use curserve_corpus::Content;

use super::matcher::{Line, Pattern};
use super::options::{refuse, Binary, List, Options};
use crate::Refusal;

/// grep reads this much first; a NUL within it makes the file binary before anything is printed.
const FIRST_BUFFER: usize = 96 * 1024;

/// What one file gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) out: Vec<u8>,
    /// Lines selected.
    pub(super) lines: u64,
    /// `grep: NAME: binary file matches` is due.
    pub(super) binary_message: bool,
    /// A group separator comes before `out` if an earlier file had a group.
    pub(super) wants_separator: bool,
    /// A group was seen.
    pub(super) used: bool,
}

/// Searches `content`, known as `name`; `with_name`: lines are prefixed with it.
pub(super) fn search(
    pattern: &Pattern,
    options: &Options,
    content: &Content,
    name: &[u8],
    with_name: bool,
    into: Vec<u8>,
) -> Result<Found, Refusal> {
    let facts = content.facts();
    let only_first = options.quiet || options.list != List::Nothing;
    let globally_quiet = options.count || only_first;
    let mut printer = Printer {
        pattern,
        options,
        name: with_name.then_some(name),
        bytes: content,
        check_encoding: !facts.is_utf8 && options.binary != Binary::Text,
        encoding_error: false,
        quiet: globally_quiet,
        stop_at_match: only_first,
        last_out: None,
        pending: 0,
        left: options.max_count,
        counted: 0,
        newlines: 0,
        cache: None,
        found: Found {
            out: into,
            ..Found::default()
        },
    };
    pattern.check(content, facts.is_ascii)?;
    if options.only_matching {
        pattern.check_only_matching(content)?;
    }
    let mut zapped = Vec::new();
    let is_binary = facts.has_nul && options.binary != Binary::Text;
    if is_binary {
        let first = memchr::memchr(0, content).unwrap_or(0);
        if options.binary == Binary::WithoutMatch {
            return if first < FIRST_BUFFER {
                Ok(printer.found)
            } else {
                refuse("-I with a NUL late in a file")
            };
        }
        zapped = content.to_vec();
        zapped
            .iter_mut()
            .filter(|byte| **byte == 0)
            .for_each(|byte| *byte = b'\n');
        printer.quiet |= !options.count;
        printer.stop_at_match |= !options.count;
        printer.bytes = &zapped;
        printer.run()?;
        if first >= FIRST_BUFFER && printer.found.lines > 0 && !globally_quiet {
            return refuse("a match in a file with a NUL late in it");
        }
    } else {
        printer.run()?;
    }
    // Which context lines and separators it still prints hangs on where its buffers end.
    if printer.encoding_error && options.groups() {
        return refuse("context in a file with encoding errors");
    }
    let Printer {
        mut found,
        encoding_error,
        ..
    } = printer;
    found.binary_message = options.binary == Binary::Message
        && !globally_quiet
        && (encoding_error || is_binary && found.lines > 0);
    drop(zapped);
    Ok(found)
}

struct Printer<'p> {
    pattern: &'p Pattern,
    options: &'p Options,
    name: Option<&'p [u8]>,
    bytes: &'p [u8],
    check_encoding: bool,
    encoding_error: bool,
    quiet: bool,
    stop_at_match: bool,
    /// The end of the last line printed.
    last_out: Option<usize>,
    /// Lines of trailing context still due.
    pending: u64,
    /// Lines that may still be selected.
    left: u64,
    /// Newlines before this position have been counted.
    counted: usize,
    newlines: u64,
    cache: Option<regex_automata::hybrid::dfa::Cache>,
    found: Found,
}

impl Printer<'_> {
    fn run(&mut self) -> Result<(), Refusal> {
        let mut at = 0;
        while at < self.bytes.len() && self.left > 0 {
            let line = self.pattern.find(self.bytes, at);
            if self.options.invert {
                let end = line.map_or(self.bytes.len(), |line| line.start);
                if at < end {
                    self.text(at, end)?;
                    if self.left == 0 || self.stop_at_match {
                        break;
                    }
                }
            } else if let Some(Line { start, end }) = line {
                self.text(start, end)?;
                if self.left == 0 || self.stop_at_match {
                    break;
                }
            }
            match line {
                Some(line) => at = line.end,
                None => break,
            }
        }
        if self.pending > 0 {
            self.pending_context(self.bytes.len())?;
        }
        Ok(())
    }

    /// `prtext`: the lines from `start` to `end` are selected.
    fn text(&mut self, start: usize, end: usize) -> Result<(), Refusal> {
        if !self.quiet {
            if self.pending > 0 {
                self.pending_context(start)?;
            }
            let mut at = start;
            let bound = self.last_out.unwrap_or(0);
            for _ in 0..self.options.before.unwrap_or(0) {
                if at <= bound {
                    break;
                }
                at = memchr::memrchr(b'\n', &self.bytes[..at - 1]).map_or(0, |before| before + 1);
            }
            self.separator(at);
            while at < start {
                let next = self.line_end(at);
                self.line(at, next, b'-')?;
                at = next;
            }
        }
        let mut selected = 0;
        if self.options.invert {
            let mut at = start;
            while at < end && selected < self.left {
                let next = self.line_end(at);
                if !self.quiet {
                    self.line(at, next, b':')?;
                }
                at = next;
                selected += 1;
                if self.stop_at_match {
                    break;
                }
            }
        } else {
            if !self.quiet {
                self.line(start, end, b':')?;
            }
            selected = 1;
        }
        self.pending = if self.quiet {
            0
        } else {
            self.options.after.unwrap_or(0)
        };
        self.found.used = true;
        self.left -= selected;
        self.found.lines += selected;
        Ok(())
    }

    fn separator(&mut self, at: usize) {
        let Some(separator) = self
            .options
            .separator
            .as_ref()
            .filter(|_| self.options.groups())
        else {
            return;
        };
        if !self.found.used {
            self.found.wants_separator = true;
        } else if self.last_out != Some(at) {
            self.found.out.extend_from_slice(separator);
            self.found.out.push(b'\n');
        }
    }

    /// `prpending`: trailing context before `limit`.
    fn pending_context(&mut self, limit: usize) -> Result<(), Refusal> {
        let mut at = *self.last_out.get_or_insert(0);
        while self.pending > 0 && at < limit {
            let next = self.line_end(at);
            self.line(at, next, b'-')?;
            self.pending -= 1;
            at = self.last_out.unwrap_or(0);
        }
        Ok(())
    }

    fn line_end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |len| at + len + 1)
    }

    /// `prline`: one line, as selected (`:`) or as context (`-`). A line with an encoding error is not printed.
    fn line(&mut self, start: usize, end: usize, sign: u8) -> Result<(), Refusal> {
        let bytes = self.bytes;
        let text = bytes[start..end]
            .strip_suffix(b"\n")
            .unwrap_or(&bytes[start..end]);
        if self.options.only_matching {
            let is_match = (sign == b':') != self.options.invert;
            if is_match && !self.matches(text, start, sign)? {
                return Ok(());
            }
        } else {
            if !self.head(text, start, sign) {
                return Ok(());
            }
            self.found.out.extend_from_slice(text);
            self.found.out.push(b'\n');
        }
        self.last_out = Some(end);
        Ok(())
    }

    /// `print_line_middle` for `-o`: every match that is not empty, on a line of its own.
    fn matches(&mut self, text: &[u8], start: usize, sign: u8) -> Result<bool, Refusal> {
        let mut at = 0;
        let pattern = self.pattern;
        while at < text.len() {
            let Some((from, to)) = pattern.find_in(text, at, &mut self.cache)? else {
                break;
            };
            if from == text.len() {
                break;
            }
            if from == to {
                at = from + 1;
                continue;
            }
            if !self.head(&text[from..to], start, sign) {
                return Ok(false);
            }
            self.found.out.extend_from_slice(&text[from..to]);
            self.found.out.push(b'\n');
            at = to;
        }
        Ok(true)
    }

    /// `print_line_head`: name and number; false where `text` has an encoding error.
    fn head(&mut self, text: &[u8], start: usize, sign: u8) -> bool {
        if self.check_encoding && std::str::from_utf8(text).is_err() {
            self.encoding_error = true;
            return false;
        }
        if let Some(name) = self.name {
            self.found.out.extend_from_slice(name);
            self.found
                .out
                .push(if self.options.null_names { 0 } else { sign });
        }
        if self.options.line_numbers {
            if self.counted <= start {
                self.newlines +=
                    memchr::memchr_iter(b'\n', &self.bytes[self.counted..start]).count() as u64;
            } else {
                self.newlines -=
                    memchr::memchr_iter(b'\n', &self.bytes[start..self.counted]).count() as u64;
            }
            self.counted = start;
            push_number(&mut self.found.out, self.newlines + 1);
            self.found.out.push(sign);
        }
        true
    }
}

/// Appends `number` in decimal.
pub(crate) fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
