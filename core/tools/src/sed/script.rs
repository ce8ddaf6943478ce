//! The script of `sed`: addresses, commands, blocks.

use super::regex::Matcher;
use crate::Refusal;

/// Where a command applies.
pub enum Address {
    /// This line.
    Line(u64),
    /// The last line of the input.
    Last,
    /// Lines that match.
    Regex(Matcher),
    /// Lines that match the expression used last: `//`.
    LastRegex,
    /// `first~step`.
    Step(u64, u64),
    /// `0` as the first address of `0,/re/`.
    Zero,
}

/// How a range ends.
pub enum End {
    /// At an address.
    At(Address),
    /// So many lines later.
    Plus(u64),
    /// At the next line that is a multiple.
    Multiple(u64),
}

/// A part of the replacement of `s`.
pub enum Part {
    /// These bytes.
    Text(Vec<u8>),
    /// The group of this number; 0 is the whole match.
    Group(usize),
}

/// `s/…/…/`.
pub struct Substitute {
    /// What is sought; `None` is the expression used last: `s//…/`.
    pub matcher: Option<Matcher>,
    /// What replaces it.
    pub parts: Vec<Part>,
    /// Every match from `number` on.
    pub global: bool,
    /// Print if replaced.
    pub print: bool,
    /// The first match that is replaced.
    pub number: usize,
}

/// What a command does; `usize` is the index of a command to go to.
pub enum Action {
    /// `{`: goes on behind the block where the address does not match.
    Block(usize),
    /// `p`, `P`.
    Print,
    PrintFirst,
    /// `d`, `D`.
    Delete,
    DeleteFirst,
    /// `q`, `Q` with the exit status.
    Quit(i32),
    QuitSilently(i32),
    /// `=`.
    Number,
    /// `n`, `N`.
    Next,
    Append,
    /// `h H g G x`.
    Hold,
    HoldAppend,
    Get,
    GetAppend,
    Exchange,
    /// `s`.
    Substitute(Substitute),
    /// `y`.
    Map(Box<[u8; 256]>),
    /// `a`, `i`, `c` with their text and newline.
    After(Vec<u8>),
    Before(Vec<u8>),
    Change(Vec<u8>),
    /// `b`, `t`, `T` and where to; past the end ends the cycle.
    Branch(usize),
    BranchIf(usize),
    BranchUnless(usize),
    /// `}` and `:label`.
    Nothing,
}

/// One command.
pub struct Command {
    /// The first address.
    pub start: Option<Address>,
    /// How a range ends.
    pub end: Option<End>,
    /// `!`.
    pub negated: bool,
    /// What it does.
    pub action: Action,
}

fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!("in a script of sed: {what}")))
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    extended: bool,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let b = self.peek();
        self.at += usize::from(b.is_some());
        b
    }

    fn spaces(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    fn number(&mut self) -> Result<Option<u64>, Refusal> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if start == self.at {
            return Ok(None);
        }
        crate::opts::number(&self.text[start..self.at]).map(Some)
    }

    /// The text up to `delimiter`, which is taken; `\` before it makes it plain.
    fn delimited(&mut self, delimiter: u8, regex: bool) -> Result<Vec<u8>, Refusal> {
        let mut text = Vec::new();
        loop {
            match self.take() {
                None => return refuse("a command without end"),
                Some(b) if b == delimiter => return Ok(text),
                Some(b'\n') if regex => return refuse("a newline in an expression"),
                Some(b'[') if regex && delimiter != b'/' => {
                    return refuse("brackets between unusual delimiters")
                }
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
                // Within brackets a slash ends the expression too, as GNU sed reads it.
                Some(b) => text.push(b),
            }
        }
    }

    fn address(&mut self) -> Result<Option<Address>, Refusal> {
        let delimiter = match self.peek() {
            Some(b'0'..=b'9') => {
                let first = self.number()?.unwrap_or(0);
                self.spaces();
                if self.peek() == Some(b'~') {
                    self.at += 1;
                    let step = self.number()?.unwrap_or(0);
                    if (first, step) == (0, 0) {
                        return refuse("line 0");
                    }
                    return Ok(Some(Address::Step(first, step)));
                }
                return Ok(Some(if first == 0 {
                    Address::Zero
                } else {
                    Address::Line(first)
                }));
            }
            Some(b'$') => {
                self.at += 1;
                return Ok(Some(Address::Last));
            }
            Some(b'/') => b'/',
            Some(b'\\') => {
                self.at += 1;
                match self.peek() {
                    Some(b) if b.is_ascii_punctuation() && b != b'\\' => b,
                    _ => return refuse("an unusual delimiter"),
                }
            }
            _ => return Ok(None),
        };
        self.at += 1;
        let pattern = self.delimited(delimiter, true)?;
        let mut fold = false;
        while self.peek() == Some(b'I') {
            fold = true;
            self.at += 1;
        }
        if self.peek() == Some(b'M') {
            return refuse("the flag M");
        }
        if pattern.is_empty() && !fold {
            return Ok(Some(Address::LastRegex));
        }
        Ok(Some(Address::Regex(Matcher::new(
            &pattern,
            self.extended,
            fold,
        )?)))
    }

    fn end(&mut self) -> Result<End, Refusal> {
        self.spaces();
        let relative = self.peek();
        if let Some(b'+' | b'~') = relative {
            self.at += 1;
            let Some(n) = self.number()? else {
                return refuse("a range without end");
            };
            return Ok(if relative == Some(b'+') {
                End::Plus(n)
            } else {
                End::Multiple(n)
            });
        }
        match self.address()? {
            Some(Address::Step(..)) => refuse("a step as the end of a range"),
            Some(a) => Ok(End::At(a)),
            None => refuse("a range without end"),
        }
    }

    /// After a command: the end of the script, a newline, `;`, or what closes a block.
    fn finish(&mut self) -> Result<(), Refusal> {
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

    fn label(&mut self) -> Vec<u8> {
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
    fn text(&mut self) -> Result<Vec<u8>, Refusal> {
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

    fn substitute(&mut self) -> Result<Substitute, Refusal> {
        let delimiter = match self.take() {
            Some(b) if b.is_ascii_punctuation() && b != b'\\' => b,
            _ => return refuse("an unusual delimiter"),
        };
        let pattern = self.delimited(delimiter, true)?;
        let replacement = self.delimited(delimiter, false)?;
        let (mut global, mut print, mut number, mut fold) = (false, false, None, false);
        loop {
            match self.peek() {
                Some(b'g') if !global => global = true,
                Some(b'p') if !print => print = true,
                Some(b'i' | b'I') => fold = true,
                Some(b'1'..=b'9') if number.is_none() => {
                    number = self.number()?;
                    continue;
                }
                Some(b) if b.is_ascii_alphanumeric() => {
                    return refuse("a flag of s not known here")
                }
                _ => break,
            }
            self.at += 1;
        }
        let matcher = match pattern.is_empty() && !fold {
            true => None,
            false => Some(Matcher::new(&pattern, self.extended, fold)?),
        };
        let parts = parts(&replacement)?;
        let used = parts
            .iter()
            .filter_map(|p| {
                if let Part::Group(n) = p {
                    Some(*n)
                } else {
                    None
                }
            })
            .max()
            .unwrap_or(0);
        let (groups, doubtful) = match &matcher {
            None | Some(Matcher::Literal(_)) => (0, false),
            Some(Matcher::Regex(r)) => (r.groups, r.doubtful_groups),
        };
        if used > groups || (used > 0 && doubtful) {
            return refuse("a reference to a group that is not sure");
        }
        let number = number.unwrap_or(1) as usize;
        Ok(Substitute {
            matcher,
            parts,
            global,
            print,
            number,
        })
    }
}

fn parts(text: &[u8]) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    let mut bytes = text.iter();
    while let Some(&b) = bytes.next() {
        let group = match b {
            b'&' => 0,
            b'\\' => match bytes.next() {
                Some(d @ b'0'..=b'9') => usize::from(d - b'0'),
                Some(b'n') => {
                    plain.push(b'\n');
                    continue;
                }
                Some(b't') => {
                    plain.push(b'\t');
                    continue;
                }
                Some(&b) if !b.is_ascii_alphanumeric() => {
                    plain.push(b);
                    continue;
                }
                _ => return refuse("an escape in the replacement"),
            },
            b'\n' => return refuse("a bare newline in the replacement"),
            _ => {
                plain.push(b);
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Group(group));
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// Parses a script; the pieces given with several `-e` are joined with newlines.
pub fn parse(text: &[u8], extended: bool) -> Result<Vec<Command>, Refusal> {
    let mut p = Parser {
        text,
        at: 0,
        extended,
    };
    let mut commands: Vec<Command> = Vec::new();
    let mut blocks = Vec::new();
    let mut labels: Vec<(Vec<u8>, usize)> = Vec::new();
    let mut jumps: Vec<(usize, Vec<u8>)> = Vec::new();
    if text.starts_with(b"#n\n") || text == b"#n" {
        return refuse("#n in the first line");
    }
    loop {
        while matches!(p.peek(), Some(b' ' | b'\t' | b'\n' | b';')) {
            p.at += 1;
        }
        if p.peek().is_none() {
            break;
        }
        if p.peek() == Some(b'#') {
            while p.peek().is_some_and(|b| b != b'\n') {
                p.at += 1;
            }
            continue;
        }
        let start = p.address()?;
        p.spaces();
        let mut end = None;
        if start.is_some() && p.peek() == Some(b',') {
            p.at += 1;
            end = Some(p.end()?);
        }
        if matches!(end, Some(End::At(Address::Zero)))
            || matches!(start, Some(Address::Zero))
                && !matches!(end, Some(End::At(Address::Regex(_) | Address::LastRegex)))
        {
            return refuse("line 0");
        }
        p.spaces();
        let mut negated = false;
        while p.peek() == Some(b'!') {
            negated = true;
            p.at += 1;
            p.spaces();
        }
        let Some(letter) = p.take() else {
            return refuse("a missing command");
        };
        let action = match letter {
            b'{' => {
                blocks.push(commands.len());
                commands.push(Command {
                    start,
                    end,
                    negated,
                    action: Action::Block(0),
                });
                continue;
            }
            b'}' => {
                let Some(open) = blocks.pop() else {
                    return refuse("a block that was not opened");
                };
                if start.is_some() {
                    return refuse("an address before a brace");
                }
                commands[open].action = Action::Block(commands.len());
                Action::Nothing
            }
            b':' => {
                let name = p.label();
                if start.is_some() || name.is_empty() {
                    return refuse("a label not known here");
                }
                labels.push((name, commands.len()));
                Action::Nothing
            }
            b'b' | b't' | b'T' => {
                jumps.push((commands.len(), p.label()));
                match letter {
                    b'b' => Action::Branch(usize::MAX),
                    b't' => Action::BranchIf(usize::MAX),
                    _ => Action::BranchUnless(usize::MAX),
                }
            }
            b'q' | b'Q' => {
                if end.is_some() {
                    return refuse("q with a range");
                }
                p.spaces();
                let status = p.number()?.unwrap_or(0);
                let status = i32::try_from(status).ok().filter(|s| *s < 256);
                let Some(status) = status else {
                    return refuse("an exit status");
                };
                if letter == b'q' {
                    Action::Quit(status)
                } else {
                    Action::QuitSilently(status)
                }
            }
            b'a' => Action::After(p.text()?),
            b'i' => Action::Before(p.text()?),
            b'c' if !negated => Action::Change(p.text()?),
            b's' => Action::Substitute(p.substitute()?),
            b'y' => {
                let Some(delimiter) = p.take().filter(|b| b.is_ascii_punctuation() && *b != b'\\')
                else {
                    return refuse("an unusual delimiter");
                };
                let from = p.delimited(delimiter, false)?;
                let to = p.delimited(delimiter, false)?;
                if from.len() != to.len()
                    || from.iter().chain(&to).any(|b| !b.is_ascii() || *b == b'\\')
                {
                    return refuse("a map of y not known here");
                }
                let mut map: [u8; 256] = std::array::from_fn(|i| i as u8);
                let mut set = [false; 256];
                for (&f, &t) in from.iter().zip(&to) {
                    if !std::mem::replace(&mut set[f as usize], true) {
                        map[f as usize] = t;
                    }
                }
                Action::Map(Box::new(map))
            }
            b'p' => Action::Print,
            b'P' => Action::PrintFirst,
            b'd' => Action::Delete,
            b'D' => Action::DeleteFirst,
            b'=' => Action::Number,
            b'n' => Action::Next,
            b'N' => Action::Append,
            b'h' => Action::Hold,
            b'H' => Action::HoldAppend,
            b'g' => Action::Get,
            b'G' => Action::GetAppend,
            b'x' => Action::Exchange,
            _ => return refuse("a command not known here"),
        };
        let own_line = matches!(
            action,
            Action::After(_) | Action::Before(_) | Action::Change(_)
        );
        commands.push(Command {
            start,
            end,
            negated,
            action,
        });
        if !own_line {
            p.finish()?;
        }
    }
    if !blocks.is_empty() {
        return refuse("a block without end");
    }
    for (from, name) in jumps {
        let to = match labels
            .iter()
            .filter(|l| l.0 == name)
            .map(|l| l.1)
            .collect::<Vec<_>>()
            .as_slice()
        {
            _ if name.is_empty() => commands.len(),
            [one] => *one,
            _ => return refuse("a label that is missing or double"),
        };
        if let Action::Branch(t) | Action::BranchIf(t) | Action::BranchUnless(t) =
            &mut commands[from].action
        {
            *t = to;
        }
    }
    Ok(commands)
}
