//! The lines of all operands, read as one text.

use crate::input::Content;

/// How far the operands have been read.
pub struct Inputs<'a> {
    contents: &'a [Content<'a>],
    file: usize,
    at: usize,
    /// What ends a line.
    end: u8,
}

impl<'a> Inputs<'a> {
    /// Before the first line of `contents`.
    pub fn new(contents: &'a [Content<'a>], end: u8) -> Self {
        Inputs {
            contents,
            file: 0,
            at: 0,
            end,
        }
    }

    /// The next line and whether a newline ended it.
    pub fn next_line(&mut self) -> Option<(&'a [u8], bool)> {
        loop {
            let content = self.contents.get(self.file)?;
            let rest: &'a [u8] = &content[self.at..];
            if rest.is_empty() {
                self.file += 1;
                self.at = 0;
                continue;
            }
            let end = memchr::memchr(self.end, rest);
            let line = &rest[..end.unwrap_or(rest.len())];
            self.at += line.len() + usize::from(end.is_some());
            return Some((line, end.is_some()));
        }
    }

    /// Whether no line follows.
    pub fn at_end(&self) -> bool {
        match self.contents.get(self.file) {
            None => true,
            Some(c) => {
                self.at == c.len() && self.contents[self.file + 1..].iter().all(|c| c.is_empty())
            }
        }
    }
}
