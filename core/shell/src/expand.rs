//! From words to fields: braces, tilde, `$…`, splitting, globs, quotes, in bash's order.

use brush_parser::word::{TildeExpr, WordPiece, WordPieceWithSource};

use curserve_tools::{Memory, Watch};

use crate::state::{Shell, Within};
use crate::streams::Io;
use crate::{braces, syntax, Refusal};

/// A word on its way to a field.
#[derive(Default, Debug)]
struct Field {
    text: Vec<u8>,
    /// The same as a pattern: quoted characters that mean something stand behind backslashes.
    pattern: Vec<u8>,
    /// An unquoted `*`, `?` or `[` occurs.
    magic: bool,
    /// Something quoted occurs, so that the field stays even when it is empty.
    quoted: bool,
}

impl Field {
    fn push(&mut self, bytes: &[u8], quoted: bool) {
        self.text.extend_from_slice(bytes);
        for &b in bytes {
            let meaning = matches!(b, b'*' | b'?' | b'[' | b']' | b'\\' | b'-' | b'!' | b'^');
            if meaning && quoted {
                self.pattern.push(b'\\');
            }
            self.magic |= !quoted && matches!(b, b'*' | b'?' | b'[');
            self.pattern.push(b);
        }
    }
}

/// What a word becomes.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    /// Fields of a command.
    Fields,
    /// One value: no splitting, no globs (assignments, here-strings, redirections).
    Single,
}

struct Fields {
    mode: Mode,
    done: Vec<Field>,
    open: Option<Field>,
    /// Where the memory is taken from, and how much has been: a field is held twice, as text and as pattern.
    memory: Memory,
    taken: usize,
    watch: Watch,
}

impl Fields {
    fn push(&mut self, bytes: &[u8], quoted: bool) -> Result<(), Refusal> {
        let taken = 4 * bytes.len() + size_of::<Field>();
        self.memory.take(taken)?;
        self.taken += taken;
        self.watch.pass(taken)?;
        let field = self.open.get_or_insert_default();
        field.quoted |= quoted;
        field.push(bytes, quoted);
        Ok(())
    }

    /// The result of an expansion: split where it is not quoted.
    fn expansion(&mut self, bytes: &[u8], quoted: bool) -> Result<(), Refusal> {
        if quoted || self.mode == Mode::Single {
            return self.push(bytes, quoted);
        }
        if bytes.contains(&b'\\') && bytes.iter().any(|b| matches!(b, b'*' | b'?' | b'[')) {
            return Err(Refusal::new("a glob with backslashes from a variable"));
        }
        let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\n');
        if bytes.first().is_some_and(blank) {
            self.done.extend(self.open.take());
        }
        let mut words = bytes
            .split(|b| blank(b))
            .filter(|w| !w.is_empty())
            .peekable();
        while let Some(word) = words.next() {
            self.push(word, false)?;
            if words.peek().is_some() {
                self.done.extend(self.open.take());
            }
        }
        if bytes.last().is_some_and(blank) {
            self.done.extend(self.open.take());
        }
        Ok(())
    }
}

/// Bytes of which a word may consist that no expansion looks at.
fn is_plain(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(
            b,
            b'_' | b'-' | b'.' | b'/' | b',' | b':' | b'=' | b'@' | b'%' | b'+'
        )
        || b >= 0x80
}

/// The value of a word that needs no expansion: plain, or in one pair of quotes.
fn plain_value(word: &str) -> Option<&str> {
    let bytes = word.as_bytes();
    if bytes.iter().all(|&b| is_plain(b)) {
        return Some(word);
    }
    let inner = |quote: char| {
        let inner = word.strip_prefix(quote)?.strip_suffix(quote)?;
        (bytes.len() >= 2 && !inner.contains(quote)).then_some(inner)
    };
    if let Some(inner) = inner('\'') {
        return Some(inner);
    }
    inner('"').filter(|i| !i.contains(['$', '`', '\\']))
}

impl Shell<'_> {
    /// The fields of a command's word.
    ///
    /// # Errors
    /// Where an expansion of it is not known here, or its words are beyond the memory of the call.
    pub fn fields(
        &mut self,
        word: &str,
        io: &Io,
        fields: &mut Vec<Vec<u8>>,
    ) -> Result<(), Refusal> {
        if let Some(value) = plain_value(word) {
            fields.push(value.as_bytes().to_vec());
            return Ok(());
        }
        for word in braces::expand(word)? {
            self.watch.pass(word.len())?;
            let mut f = self.no_fields(Mode::Fields);
            let pieces = syntax::pieces(&word)?;
            self.pieces(&pieces, false, &mut f, io)?;
            self.held += f.taken;
            f.done.extend(f.open.take());
            for field in f.done {
                if field.magic {
                    let matches = self.glob(&field.pattern)?;
                    if !matches.is_empty() {
                        fields.extend(matches);
                        continue;
                    }
                }
                if !field.text.is_empty() || field.quoted {
                    fields.push(field.text);
                }
            }
        }
        Ok(())
    }

    /// No fields yet.
    fn no_fields(&self, mode: Mode) -> Fields {
        Fields {
            mode,
            done: Vec::new(),
            open: None,
            memory: self.memory.clone(),
            taken: 0,
            watch: self.watch,
        }
    }

    /// The one value of a word that is neither split nor globbed.
    ///
    /// # Errors
    /// As [`Shell::fields`].
    pub fn single(&mut self, word: &str, io: &Io) -> Result<Vec<u8>, Refusal> {
        if let Some(value) = plain_value(word) {
            return Ok(value.as_bytes().to_vec());
        }
        Ok(self.one(word, io)?.text)
    }

    /// A word as a pattern: quoted characters that mean something stand behind backslashes.
    ///
    /// # Errors
    /// As [`Shell::fields`].
    pub fn pattern(&mut self, word: &str, io: &Io) -> Result<Vec<u8>, Refusal> {
        let field = self.one(word, io)?;
        // An unquoted backslash that an expansion brought in would quote; which one it is has been lost.
        Ok(field.pattern)
    }

    fn one(&mut self, word: &str, io: &Io) -> Result<Field, Refusal> {
        let pieces = syntax::pieces(word)?;
        let mut f = self.no_fields(Mode::Single);
        self.pieces(&pieces, false, &mut f, io)?;
        self.held += f.taken;
        Ok(f.open.unwrap_or_default())
    }

    /// The body of a here-document.
    ///
    /// # Errors
    /// As [`Shell::fields`].
    pub fn heredoc(&mut self, text: &str, io: &Io) -> Result<Vec<u8>, Refusal> {
        let pieces = syntax::heredoc(text)?;
        let mut f = self.no_fields(Mode::Single);
        self.pieces(&pieces, true, &mut f, io)?;
        self.held += f.taken;
        Ok(f.open.unwrap_or_default().text)
    }

    fn pieces(
        &mut self,
        pieces: &[WordPieceWithSource],
        quoted: bool,
        f: &mut Fields,
        io: &Io,
    ) -> Result<(), Refusal> {
        if unparsed_brace(pieces) {
            return Err(Refusal::new("an expansion that the parser does not know"));
        }
        if f.mode == Mode::Fields && !quoted && odd_dollar(pieces) {
            return Err(Refusal::new("a bare dollar beside an expansion"));
        }
        for (i, piece) in pieces.iter().enumerate() {
            match &piece.piece {
                WordPiece::Text(text) if quoted => {
                    f.push(text.replace("\\\n", "").as_bytes(), true)?
                }
                WordPiece::Text(text) => {
                    if f.mode == Mode::Fields && text.contains(['(', ')', '<', '>', '&', '|', ';'])
                    {
                        return Err(Refusal::new("an operator within a word"));
                    }
                    // In what looks like an assignment bash expands these too.
                    if text.contains("=~") || text.contains(":~") {
                        return Err(Refusal::new("a tilde within a word"));
                    }
                    f.push(text.as_bytes(), false)?
                }
                WordPiece::SingleQuotedText(text) => f.push(text.as_bytes(), true)?,
                WordPiece::AnsiCQuotedText(text) => f.push(&ansi_c(text)?, true)?,
                WordPiece::DoubleQuotedSequence(inner) => {
                    f.push(b"", true)?;
                    self.pieces(inner, true, f, io)?;
                }
                WordPiece::EscapeSequence(text) => match text.as_bytes() {
                    [b'\\', b'\n'] => {}
                    [b'\\', rest @ ..] => f.push(rest, true)?,
                    _ => return Err(Refusal::new("an escape that is none")),
                },
                WordPiece::TildeExpansion(TildeExpr::Home) => {
                    // The name of a user goes on to the next slash, and `}` is a name to bash.
                    let ended = match pieces.get(i + 1).map(|p| &p.piece) {
                        None => true,
                        Some(WordPiece::Text(text)) => text.starts_with('/'),
                        Some(_) => false,
                    };
                    if !ended {
                        return Err(Refusal::new("a tilde with a name"));
                    }
                    let home = self.get("HOME")?;
                    f.push(home.as_deref().unwrap_or_default(), true)?;
                }
                WordPiece::TildeExpansion(_) => return Err(Refusal::new("a tilde with a name")),
                WordPiece::ParameterExpansion(expr) => {
                    if let Some(value) = self.parameter(expr, io)? {
                        f.expansion(&value, quoted)?;
                    }
                }
                WordPiece::CommandSubstitution(text) => {
                    let value = self.substitute(text, io)?;
                    f.expansion(&value, quoted)?;
                }
                WordPiece::BackquotedCommandSubstitution(text) => {
                    if quoted && text.contains('"') || text.contains('\\') {
                        return Err(Refusal::new("backquotes with quotes within"));
                    }
                    let value = self.substitute(text, io)?;
                    f.expansion(&value, quoted)?;
                }
                WordPiece::ArithmeticExpression(expr) => {
                    let text = self.arithmetic_text(&expr.value, io)?;
                    let value = self.arithmetic(&text)?;
                    f.expansion(value.to_string().as_bytes(), quoted)?;
                }
                WordPiece::GettextDoubleQuotedSequence(_) => {
                    return Err(Refusal::new("translated strings"))
                }
            }
        }
        Ok(())
    }

    /// An arithmetic expression with its `$…` expanded.
    ///
    /// # Errors
    /// As [`Shell::fields`].
    pub fn arithmetic_text(&mut self, text: &str, io: &Io) -> Result<String, Refusal> {
        if !text.contains(['$', '`']) {
            return Ok(text.to_string());
        }
        if text.contains(['\'', '"', '\\']) {
            return Err(Refusal::new("quotes in arithmetic"));
        }
        let expanded = self.heredoc(text, io)?;
        String::from_utf8(expanded).map_err(|_| Refusal::new("arithmetic that is not UTF-8"))
    }

    /// `$(…)`: what the commands print, without the newlines at its end.
    fn substitute(&mut self, text: &str, io: &Io) -> Result<Vec<u8>, Refusal> {
        self.depth += 1;
        if self.depth > 20 {
            return Err(Refusal::new("substitutions nested too deeply"));
        }
        let program = syntax::parse_unchecked(text)?;
        // Messages of the shell count lines from where the substitution stands; over several lines they miscount.
        let outer = (self.line, self.substitution);
        // So do they behind a compound command, which bash lays out over lines of its own there.
        let laid_out = ["if", "for", "while", "until", "case", "select"];
        let over_lines = text.contains('\n') || laid_out.iter().any(|word| text.contains(word));
        self.substitution = match over_lines || self.substitution == Within::Lines {
            true => Within::Lines,
            false => Within::Line,
        };
        let (mut output, status) = self.capture(&program, io)?;
        (self.line, self.substitution) = outer;
        self.depth -= 1;
        if output.contains(&0) {
            return Err(Refusal::new("a substitution with NULs"));
        }
        while output.last() == Some(&b'\n') {
            output.pop();
        }
        self.substituted = Some(status);
        self.vars.status = status; // for a `$?` that follows
        Ok(output)
    }
}

/// `${` that the parser took for text, in one piece or at the seam of two: to bash it is an expansion, or an error.
pub fn unparsed_brace(pieces: &[WordPieceWithSource]) -> bool {
    let mut dollar = false;
    pieces.iter().any(|p| {
        let WordPiece::Text(text) = &p.piece else {
            dollar = false;
            return false;
        };
        let found = text.contains("${") || dollar && text.starts_with('{');
        dollar = text.ends_with('$');
        found
    })
}

/// A `$` that stands for itself in a word with an expansion: bash then does not split the expansion.
fn odd_dollar(pieces: &[WordPieceWithSource]) -> bool {
    let bare = |p: &WordPieceWithSource| matches!(&p.piece, WordPiece::Text(t) if t.contains('$'));
    let expands = |p: &WordPieceWithSource| {
        matches!(
            p.piece,
            WordPiece::ParameterExpansion(_)
                | WordPiece::CommandSubstitution(_)
                | WordPiece::BackquotedCommandSubstitution(_)
                | WordPiece::ArithmeticExpression(_)
        )
    };
    pieces.iter().any(bare) && pieces.iter().any(expands)
}

/// `$'…'`.
fn ansi_c(text: &str) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(b) = bytes.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        out.push(match bytes.next() {
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'r') => b'\r',
            Some(b'a') => 7,
            Some(b'b') => 8,
            Some(b'e' | b'E') => 27,
            Some(b'f') => 12,
            Some(b'v') => 11,
            Some(c @ (b'\\' | b'\'' | b'"' | b'?')) => c,
            _ => return Err(Refusal::new("an escape of $'…' not known here")),
        });
    }
    Ok(out)
}
