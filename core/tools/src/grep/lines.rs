//! How one line comes out: its name and number before it, all of it or, with `-o`, what matches in it; a port of grep
//! 3.8's `prline`.

use regex_automata::hybrid::dfa::Cache;

use super::matcher::Pattern;
use super::options::Options;
use crate::decimal::push_number;
use crate::Refusal;

/// Lines of one buffer on their way out.
pub(super) struct Lines<'p> {
    pattern: &'p Pattern,
    options: &'p Options,
    /// What comes before each line, if anything does.
    name: Option<&'p [u8]>,
    bytes: &'p [u8],
    /// Lines are checked for encoding errors, and not printed where they have one.
    pub(super) check_encoding: bool,
    /// A line was not printed for that.
    pub(super) encoding_error: bool,
    /// The end of the last line printed.
    pub(super) last: Option<usize>,
    /// What has been printed.
    pub(super) out: Vec<u8>,
    /// Newlines before this position have been counted.
    counted: usize,
    newlines: u64,
    cache: Option<Cache>,
}

impl<'p> Lines<'p> {
    /// Before the first line of `bytes`; lines are prefixed with `name`.
    pub(super) fn new(
        pattern: &'p Pattern,
        options: &'p Options,
        name: Option<&'p [u8]>,
        bytes: &'p [u8],
    ) -> Self {
        Lines {
            pattern,
            options,
            name,
            bytes,
            check_encoding: false,
            encoding_error: false,
            last: None,
            out: Vec::new(),
            counted: 0,
            newlines: 0,
            cache: None,
        }
    }

    /// Where the line ends that `at` is in, behind its newline.
    pub(super) fn end(&self, at: usize) -> usize {
        memchr::memchr(b'\n', &self.bytes[at..]).map_or(self.bytes.len(), |len| at + len + 1)
    }

    /// `prline`: one line, as selected (`:`) or as context (`-`). A line with an encoding error is not printed.
    pub(super) fn print(&mut self, start: usize, end: usize, sign: u8) -> Result<(), Refusal> {
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
            if !self.head(text, start, start, sign) {
                return Ok(());
            }
            self.out.extend_from_slice(text);
            self.out.push(b'\n');
        }
        self.last = Some(end);
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
            if !self.head(&text[from..to], start, start + from, sign) {
                return Ok(false);
            }
            self.out.extend_from_slice(&text[from..to]);
            self.out.push(b'\n');
            at = to;
        }
        Ok(true)
    }

    /// `print_line_head`: name, number of the line that starts at `start`, and offset of `text`, which starts at `at`;
    /// false where `text` has an encoding error.
    fn head(&mut self, text: &[u8], start: usize, at: usize, sign: u8) -> bool {
        if self.check_encoding && std::str::from_utf8(text).is_err() {
            self.encoding_error = true;
            return false;
        }
        if let Some(name) = self.name {
            self.out.extend_from_slice(name);
            self.out
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
            push_number(&mut self.out, self.newlines + 1);
            self.out.push(sign);
        }
        if self.options.byte_offsets {
            push_number(&mut self.out, at as u64);
            self.out.push(sign);
        }
        true
    }
}
