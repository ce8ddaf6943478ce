//! The expression under way in the crate's syntax, and what is noted of it on the way.

use crate::Refusal;

/// Refuses the expression that has, or lacks, `what`.
pub fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!(
        "in a regular expression of sed: {what}"
    )))
}

/// An expression in the crate's syntax.
pub struct Translation {
    /// The expression.
    pub text: String,
    /// The one string that it means, where it means nothing else.
    pub literal: Option<Vec<u8>>,
    /// It consults tables of characters.
    pub tables: bool,
    /// A group is repeated.
    pub quantified_group: bool,
    /// It has alternatives.
    pub alternation: bool,
    /// How many repetitions there are.
    pub quantifiers: usize,
    /// How many groups there are.
    pub groups: usize,
}

/// The state of a translation: what has been written, and where the last atom starts.
pub struct Writer {
    /// What has been written.
    pub done: Translation,
    /// Letters of both cases match; ranges are then looked at closely.
    pub fold: bool,
    basic: bool,
    /// Where the last atom starts, which a repetition repeats.
    atom: Option<usize>,
    /// Where the last repetition ended.
    repeated: Option<usize>,
}

impl Writer {
    /// Before the first character.
    pub fn new(extended: bool, fold: bool) -> Self {
        Writer {
            done: Translation {
                text: String::new(),
                literal: Some(Vec::new()),
                tables: false,
                quantified_group: false,
                alternation: false,
                quantifiers: 0,
                groups: 0,
            },
            fold,
            basic: !extended,
            atom: None,
            repeated: None,
        }
    }

    /// A character that means itself.
    pub fn char(&mut self, c: char) {
        self.atom = Some(self.done.text.len());
        let mut buffer = [0; 4];
        if let Some(l) = &mut self.done.literal {
            l.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
        regex_syntax::escape_into(c.encode_utf8(&mut buffer), &mut self.done.text);
    }

    /// Anything else that takes one character.
    pub fn atom(&mut self, text: &str) {
        self.done.literal = None;
        self.atom = Some(self.done.text.len());
        self.done.text.push_str(text);
    }

    /// What takes no character, and cannot be repeated.
    pub fn assertion(&mut self, text: &str) {
        self.done.literal = None;
        self.atom = None;
        self.done.text.push_str(text);
    }

    /// The end of the group that began at `open`: the whole of it is an atom.
    pub fn close(&mut self, open: usize) {
        self.done.literal = None;
        self.done.text.push(')');
        self.atom = Some(open);
    }

    /// Repeats the last atom by the quantifier `q`.
    pub fn quantify(&mut self, q: &str) -> Result<(), Refusal> {
        self.done.literal = None;
        let Some(atom) = self.atom else {
            return refuse("a repetition of nothing");
        };
        let text = &mut self.done.text;
        if self.basic && self.repeated == Some(text.len()) {
            return refuse("a repetition of a repetition");
        }
        self.done.quantified_group |= text[atom..].starts_with('(');
        self.done.quantifiers += 1;
        text.insert_str(atom, "(?:");
        text.push(')');
        text.push_str(q);
        self.repeated = Some(text.len());
        Ok(())
    }
}
