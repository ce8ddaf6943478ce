//! The letters of a script, one after another: numbers, labels and texts, and what a delimiter or the end of a line closes.

use crate::Refusal;
use curserve_text::options::ANY;

/// Refuses the script that has, or lacks, `what`.
///
/// # Errors
/// Always.
pub fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!("in a script of sed: {what}")))
}

/// A script, and how far it has been read.
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Expressions are extended ones (`-E`).
    pub extended: bool,
}

impl<'a> Reader<'a> {
    /// Before the first letter of `text`.
    pub fn new(text: &'a [u8], extended: bool) -> Self {
        Reader {
            text,
            at: 0,
            extended,
        }
    }

    /// The next letter.
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next letter, which is then behind.
    pub fn take(&mut self) -> Option<u8> {
        let b = self.peek();
        self.at += usize::from(b.is_some());
        b
    }

    /// Goes past the letter that was peeked at.
    pub fn skip(&mut self) {
        self.at += 1;
    }

    /// Goes past blanks.
    pub fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// The decimal number that stands next, if one does.
    ///
    /// # Errors
    /// Where it does not fit.
    pub fn number(&mut self) -> Result<Option<u64>, Refusal> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if start == self.at {
            return Ok(None);
        }
        Ok(Some(ANY.read(&self.text[start..self.at])?.number))
    }

    /// The text up to `delimiter`, which is taken; `\` before it makes it plain.
    ///
    /// # Errors
    /// Where it is not closed, or holds what is not done here.
    pub fn delimited(&mut self, delimiter: u8, regex: bool) -> Result<Vec<u8>, Refusal> {
        let mut text = Vec::new();
        loop {
            match self.take() {
                None => return refuse("a command without end"),
                Some(b) if b == delimiter => return Ok(text),
                Some(b'\n') if regex => return refuse("a newline in an expression"),
                Some(b'[') if regex => self.bracket(&mut text)?,
                Some(b'\\') => match self.take() {
                    None => return refuse("a command without end"),
                    Some(b) if b == delimiter => {
                        if regex && b"|+?(){}.*[]^$n<>".contains(&b)
                            || !regex && b == b'&'
                            || b.is_ascii_alphanumeric()
                        {
                            return refuse("a delimiter that also means something");
                        }
                        text.push(b);
                    }
                    Some(b) => text.extend_from_slice(&[b'\\', b]),
                },
                Some(b) => text.push(b),
            }
        }
    }

    /// A bracket expression, behind its `[`, as it stands: seen, the delimiter is a member of it, and so is a backslash
    /// before that.
    fn bracket(&mut self, text: &mut Vec<u8>) -> Result<(), Refusal> {
        text.push(b'[');
        for first in [b'^', b']'] {
            if self.peek() == Some(first) {
                text.push(first);
                self.skip();
            }
        }
        loop {
            match (self.take(), self.peek()) {
                (None | Some(b'\n'), _) => return refuse("brackets without end"),
                (Some(b']'), _) => {
                    text.push(b']');
                    return Ok(());
                }
                (Some(b'['), Some(kind @ (b':' | b'.' | b'='))) => {
                    let rest = &self.text[self.at..];
                    let Some(end) = memchr::memmem::find(&rest[1..], &[kind, b']']) else {
                        return refuse("a class without end");
                    };
                    text.push(b'[');
                    text.extend_from_slice(&rest[..end + 3]);
                    self.at += end + 3;
                }
                (Some(b), _) => text.push(b),
            }
        }
    }

    /// After a command: the end of the script, a newline, `;`, or what closes a block.
    ///
    /// # Errors
    /// Where something else stands there.
    pub fn finish(&mut self) -> Result<(), Refusal> {
        self.spaces();
        match self.peek() {
            None | Some(b'}' | b'#') => Ok(()),
            Some(b'\n' | b';') => {
                self.at += 1;
                Ok(())
            }
            Some(_) => refuse("something behind a command"),
        }
    }

    /// The name of a label, which may be empty.
    pub fn label(&mut self) -> Vec<u8> {
        self.spaces();
        let start = self.at;
        while self
            .peek()
            .is_some_and(|b| !matches!(b, b'\n' | b';' | b'}' | b' '))
        {
            self.at += 1;
        }
        self.text[start..self.at].to_vec()
    }

    /// The text of `a`, `i` or `c`: from the next line behind a backslash, or in one line (GNU), on to a newline that no
    /// backslash stands before.
    ///
    /// # Errors
    /// Where there is none, or its backslashes are not done here.
    pub fn text(&mut self) -> Result<Vec<u8>, Refusal> {
        self.spaces();
        if self.peek() == Some(b'\\') {
            self.at += 1;
            match self.peek() {
                Some(b'\n') => self.at += 1,
                Some(b'\\') => return refuse("two backslashes before a text"),
                // The backslash keeps blanks that follow it; a line of nothing else is an error.
                Some(_) if self.rest_is_blank() => return refuse("blanks behind a backslash"),
                Some(_) => {}
                None => return refuse("text that is missing"),
            }
        } else if matches!(self.peek(), None | Some(b'\n')) {
            return refuse("text that is missing");
        }
        let mut text = Vec::new();
        loop {
            match self.take() {
                None | Some(b'\n') => break,
                Some(b'\\') => text.push(match self.take() {
                    Some(b'n') => b'\n',
                    Some(b't') => b'\t',
                    Some(b'r') => b'\r',
                    Some(b'a' | b'f' | b'v' | b'c' | b'd' | b'o' | b'x') | None => {
                        return refuse("an escape in a text")
                    }
                    Some(b) => b,
                }),
                Some(b) => text.push(b),
            }
        }
        text.push(b'\n');
        Ok(text)
    }

    fn rest_is_blank(&self) -> bool {
        let rest = &self.text[self.at..];
        memchr::memchr(b'\n', rest)
            .is_some_and(|end| rest[..end].iter().all(|b| matches!(b, b' ' | b'\t')))
    }
}
