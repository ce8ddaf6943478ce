//! What stands next in a pattern: operators, which basic and extended expressions write otherwise, and characters.

use regex_syntax::hir::Look;

use crate::grep::errors::refuse;
use crate::Refusal;

/// Repetition counts above this are refused, for the size of the automaton.
const MOST_REPEATS: u32 = 1000;

/// What stands next in the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    End,
    Or,
    Open,
    Close,
    Repeat(u32, Option<u32>),
    Start,
    Finish,
    Dot,
    Bracket,
    Word(bool),
    Space(bool),
    Look(Look),
    Literal(char),
}

/// A pattern, and how far it has been read.
pub(super) struct Tokens {
    pub(super) text: Vec<char>,
    pub(super) at: usize,
    /// It is an extended expression.
    pub(super) extended: bool,
    /// Letters of both cases match.
    pub(super) ignore_case: bool,
    /// How many groups are open.
    pub(super) depth: usize,
}

impl Tokens {
    /// Before the first character of `pattern`.
    pub(super) fn new(pattern: &str, extended: bool, ignore_case: bool) -> Self {
        Tokens {
            text: pattern.chars().collect(),
            at: 0,
            extended,
            ignore_case,
            depth: 0,
        }
    }

    /// Whether all has been read.
    pub(super) fn at_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Reads the next token. `first`: nothing of the branch has been read.
    pub(super) fn take(&mut self, first: bool) -> Result<Token, Refusal> {
        let (token, len) = self.peek(first)?;
        self.at += len;
        Ok(token)
    }

    /// The next token and its length. `first`: nothing of the branch has been read.
    pub(super) fn peek(&self, first: bool) -> Result<(Token, usize), Refusal> {
        let Some(&character) = self.text.get(self.at) else {
            return Ok((Token::End, 0));
        };
        let next = self.text.get(self.at + 1).copied();
        let plain = |token| Ok((token, 1));
        match character {
            '\\' => self.escape(next),
            '^' if self.extended || first => plain(Token::Start),
            '$' if self.extended || self.ends_branch(self.at + 1) => plain(Token::Finish),
            '*' => plain(Token::Repeat(0, None)),
            '.' => plain(Token::Dot),
            '[' => plain(Token::Bracket),
            '+' if self.extended => plain(Token::Repeat(1, None)),
            '?' if self.extended => plain(Token::Repeat(0, Some(1))),
            '|' if self.extended => plain(Token::Or),
            '(' if self.extended => plain(Token::Open),
            ')' if self.extended => plain(Token::Close),
            '{' if self.extended => match self.interval(self.at + 1)? {
                Some((min, max, end)) => Ok((Token::Repeat(min, max), end - self.at)),
                None => plain(Token::Literal('{')),
            },
            other => plain(Token::Literal(other)),
        }
    }

    fn escape(&self, next: Option<char>) -> Result<(Token, usize), Refusal> {
        let Some(next) = next else {
            return refuse("a trailing backslash");
        };
        let basic = !self.extended;
        let token = match next {
            '1'..='9' => return refuse("a back-reference"),
            '`' | '\'' => return refuse("a buffer anchor"),
            'w' => Token::Word(true),
            'W' => Token::Word(false),
            's' => Token::Space(true),
            'S' => Token::Space(false),
            'b' => Token::Look(Look::WordUnicode),
            'B' => Token::Look(Look::WordUnicodeNegate),
            '<' => Token::Look(Look::WordStartUnicode),
            '>' => Token::Look(Look::WordEndUnicode),
            '|' if basic => Token::Or,
            '(' if basic => Token::Open,
            ')' if basic && self.depth == 0 => return refuse("an unmatched \\)"),
            ')' if basic => Token::Close,
            '+' if basic => Token::Repeat(1, None),
            '?' if basic => Token::Repeat(0, Some(1)),
            '{' if basic => match self.interval(self.at + 2)? {
                Some((min, max, end)) => return Ok((Token::Repeat(min, max), end - self.at)),
                None => return refuse("an invalid interval"),
            },
            // Next to a negated bracket, real grep leaves such a letter without its other case, and itself.
            other if self.ignore_case && other.is_alphanumeric() => {
                return refuse("a stray backslash before a letter, with -i");
            }
            other => Token::Literal(other),
        };
        Ok((token, 2))
    }

    /// Whether a basic `$` before position `at` is an anchor.
    fn ends_branch(&self, at: usize) -> bool {
        matches!(self.text[at..], [] | ['\\', ')' | '|', ..])
    }

    /// Reads an interval after its brace: (min, max, position after it); None where it is none.
    fn interval(&self, start: usize) -> Result<Option<(u32, Option<u32>, usize)>, Refusal> {
        let mut at = start;
        let number = |at: &mut usize| {
            let from = *at;
            while self.text.get(*at).is_some_and(char::is_ascii_digit) {
                *at += 1;
            }
            let digits: String = self.text[from..*at].iter().collect();
            (!digits.is_empty()).then(|| digits.parse::<u32>().unwrap_or(u32::MAX))
        };
        let low = number(&mut at);
        let (min, max) = if self.text.get(at) == Some(&',') {
            at += 1;
            (Some(low.unwrap_or(0)), number(&mut at))
        } else {
            (low, low)
        };
        if !self.extended {
            if self.text.get(at) != Some(&'\\') {
                return Ok(None);
            }
            at += 1;
        }
        let Some(min) = min else { return Ok(None) };
        if self.text.get(at) != Some(&'}') || max.is_some_and(|max| max < min) {
            return Ok(None);
        }
        if min.max(max.unwrap_or(0)) > MOST_REPEATS {
            return refuse("a huge repetition");
        }
        Ok(Some((min, max, at + 1)))
    }
}
