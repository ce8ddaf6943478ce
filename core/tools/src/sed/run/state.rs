//! What a running script works on: the pattern space, the hold space, the input and what is still to be printed.

use super::inputs::Inputs;
use crate::input::Content;
use crate::sed::regex::Matcher;
use crate::sed::How;
use crate::{Call, Refusal};

/// What the pattern space and the hold space may grow to.
pub const SPACE: usize = 16 << 20;

/// The state between two commands.
pub struct State<'a, 'c, 'd> {
    /// The call, for its output.
    pub call: &'c mut Call<'d>,
    /// What is still to be read.
    pub inputs: Inputs<'a>,
    /// `-n`: the end of a cycle prints nothing.
    pub quiet: bool,
    /// What ends a line.
    end: u8,
    /// The number of the line read last.
    pub line: u64,
    /// The pattern space.
    pub space: Vec<u8>,
    /// Room for the next pattern space.
    pub spare: Vec<u8>,
    /// The hold space.
    pub hold: Vec<u8>,
    /// Whether the pattern space ends in a newline when it is printed: as the last line read did.
    pub newline: bool,
    /// The same for the hold space; commands carry it along with the text.
    pub hold_newline: bool,
    /// The texts of `a` that the end of the cycle prints.
    pub after: Vec<&'a [u8]>,
    /// Whether an `s` has replaced something since the last line was read, for `t`.
    pub replaced: bool,
    /// A newline that the last output still owes, should anything follow.
    owed: bool,
    /// The expression used last, for `//`.
    last_regex: Option<&'a Matcher>,
}

impl<'a, 'c, 'd> State<'a, 'c, 'd> {
    /// Before the first line of `contents`.
    pub fn new(call: &'c mut Call<'d>, contents: &'a [Content<'a>], how: How) -> Self {
        State {
            call,
            inputs: Inputs::new(contents, how.end),
            quiet: how.quiet,
            end: how.end,
            line: 0,
            space: Vec::new(),
            spare: Vec::new(),
            hold: Vec::new(),
            newline: true,
            hold_newline: true,
            after: Vec::new(),
            replaced: false,
            owed: false,
            last_regex: None,
        }
    }

    /// Reads the next line into the pattern space; false where there is none.
    pub fn read(&mut self) -> bool {
        let Some((line, newline)) = self.inputs.next_line() else {
            return false;
        };
        self.space.clear();
        self.take(line, newline);
        true
    }

    /// Reads the next line behind what the pattern space holds; false where there is none.
    pub fn read_behind(&mut self) -> bool {
        let Some((line, newline)) = self.inputs.next_line() else {
            return false;
        };
        self.space.push(b'\n');
        self.take(line, newline);
        true
    }

    fn take(&mut self, line: &[u8], newline: bool) {
        self.space.extend_from_slice(line);
        self.newline = newline;
        self.replaced = false;
        self.line += 1;
    }

    /// Prints `text`, and a newline behind it now or, without `newline`, where anything follows.
    pub fn write(&mut self, text: &[u8], newline: bool) {
        if self.owed {
            self.call.out.write(&[self.end]);
        }
        self.call.out.write(text);
        if newline {
            self.call.out.write(&[self.end]);
        }
        self.owed = !newline;
    }

    /// Prints the newline that is owed, if one is.
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.owed) {
            self.call.out.write(&[self.end]);
        }
    }

    /// Prints the text of `a`, `i` or `c`.
    pub fn write_text(&mut self, text: &[u8]) {
        self.write(&text[..text.len() - 1], true);
    }

    /// Prints the pattern space.
    pub fn print_space(&mut self) {
        let space = std::mem::take(&mut self.space);
        self.write(&space, self.newline);
        self.space = space;
    }

    /// Leaves a text for the end of the cycle.
    ///
    /// # Errors
    /// Where there are too many of them.
    pub fn append(&mut self, text: &'a [u8]) -> Result<(), Refusal> {
        const MOST: usize = 1 << 20;
        self.after.push(text);
        match self.after.len() > MOST {
            true => Err(Refusal::new("a cycle of sed with very many texts")),
            false => Ok(()),
        }
    }

    /// Prints what `a` has left for the end of the cycle.
    pub fn flush_after(&mut self) {
        for text in std::mem::take(&mut self.after) {
            self.write_text(text);
        }
    }

    /// The expression that is meant, which is then the one used last; None means the one used last.
    ///
    /// # Errors
    /// Where none was used before.
    pub fn regex(&mut self, given: Option<&'a Matcher>) -> Result<&'a Matcher, Refusal> {
        self.last_regex = given.or(self.last_regex);
        self.last_regex
            .ok_or_else(|| Refusal::new("sed without an expression before //"))
    }
}
