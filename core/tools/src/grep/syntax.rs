//! Translates GNU's basic and extended regular expressions, as grep 3.8's dfa.c reads them, into regex-syntax's HIR.
//!
//! No string goes through another regex syntax, so nothing can be escaped wrongly. What cannot be said exactly
//! (back-references, equivalence classes, whatever grep warns or complains about) is refused.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Dot, Hir, Look, Repetition};

use super::ctype;
use super::options::{refuse, Matcher};
use crate::Refusal;

/// Repetition counts above this are refused, for the size of the automaton.
const MOST_REPEATS: u32 = 1000;
/// Groups nested deeper than this are refused, for the stack.
const DEEPEST: usize = 100;

/// A translated pattern.
#[derive(Clone, Debug)]
pub(super) struct Translation {
    pub(super) hir: Hir,
    /// It asks about word boundaries, on which the C library and Unicode disagree for some characters.
    pub(super) asks_words: bool,
    /// It has `^`, `$`, or a word boundary.
    pub(super) has_looks: bool,
    /// An extended `{` begins a branch: an ordinary character to dfa.c, nothing at all to glibc's matcher.
    pub(super) opens_with_brace: bool,
}

/// Translates one pattern (without a newline).
pub(super) fn translate(
    pattern: &str,
    matcher: Matcher,
    ignore_case: bool,
) -> Result<Translation, Refusal> {
    let mut parser = Parser {
        text: pattern.chars().collect(),
        at: 0,
        extended: matcher == Matcher::Extended,
        ignore_case,
        depth: 0,
        asks_words: false,
        has_looks: false,
        opens_with_brace: false,
    };
    let hir = match matcher {
        Matcher::Fixed => {
            let literals: Result<Vec<Hir>, Refusal> = pattern
                .chars()
                .map(|character| parser.literal(character))
                .collect();
            Hir::concat(literals?)
        }
        Matcher::Basic | Matcher::Extended => parser.alternation()?,
    };
    if matcher != Matcher::Fixed && parser.at < parser.text.len() {
        return refuse("an unmatched )");
    }
    Ok(Translation {
        hir,
        asks_words: parser.asks_words,
        has_looks: parser.has_looks,
        opens_with_brace: parser.opens_with_brace,
    })
}

struct Parser {
    text: Vec<char>,
    at: usize,
    extended: bool,
    ignore_case: bool,
    depth: usize,
    asks_words: bool,
    has_looks: bool,
    opens_with_brace: bool,
}

/// What stands next in the pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
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

impl Parser {
    fn alternation(&mut self) -> Result<Hir, Refusal> {
        let mut branches = vec![self.branch()?];
        while self.peek(true)?.0 == Token::Or {
            self.take(true)?;
            branches.push(self.branch()?);
        }
        Ok(Hir::alternation(branches))
    }

    fn branch(&mut self) -> Result<Hir, Refusal> {
        let mut pieces: Vec<Hir> = Vec::new();
        // dfa.c's `laststart`: nothing but anchors so far, so a basic star is an ordinary character.
        let mut at_start = true;
        // dfa.c's `lasttok`: only directly after a beginning is a basic `^` an anchor.
        let mut first = true;
        loop {
            let (token, _) = self.peek(first)?;
            match token {
                Token::End | Token::Or => return Ok(Hir::concat(pieces)),
                Token::Close if self.depth > 0 => return Ok(Hir::concat(pieces)),
                _ => {}
            }
            self.take(first)?;
            match token {
                Token::Repeat(..) if at_start && self.extended => {
                    return refuse("a repetition of nothing")
                }
                Token::Repeat(0, None) if at_start && self.text[self.at - 1] == '*' => {
                    pieces.push(self.literal('*')?);
                    at_start = false;
                }
                Token::Repeat(..) if at_start => return refuse("a repetition of nothing"),
                // glibc is not sure about anchors that repeat.
                Token::Repeat(..)
                    if pieces
                        .last()
                        .is_some_and(|sub| !sub.properties().look_set().is_empty()) =>
                {
                    return refuse("a repeated anchor");
                }
                Token::Repeat(min, max) => {
                    let sub = pieces
                        .pop()
                        .expect("something precedes, for this is not the start");
                    pieces.push(repeat(sub, min, max));
                }
                token => {
                    self.opens_with_brace |= at_start
                        && self.extended
                        && token == Token::Literal('{')
                        && (self.at < 2 || self.text[self.at - 2] != '\\');
                    pieces.push(self.atom(token)?);
                    at_start &= matches!(token, Token::Start | Token::Finish);
                }
            }
            first = false;
        }
    }

    fn atom(&mut self, token: Token) -> Result<Hir, Refusal> {
        self.has_looks |= matches!(token, Token::Start | Token::Finish | Token::Look(_));
        self.asks_words |= matches!(token, Token::Look(_));
        Ok(match token {
            Token::Start => Hir::look(Look::StartLF),
            Token::Finish => Hir::look(Look::EndLF),
            Token::Look(look) => Hir::look(look),
            Token::Dot => Hir::dot(Dot::AnyCharExceptLF),
            Token::Literal(character) => self.literal(character)?,
            Token::Word(positive) => set(ctype::word(), positive)?,
            Token::Space(positive) => set(ctype::class("space"), positive)?,
            Token::Bracket => self.bracket()?,
            Token::Close => self.literal(')')?,
            Token::Open => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return refuse("groups nested too deep");
                }
                let inner = self.alternation()?;
                if self.peek(false)?.0 != Token::Close {
                    return refuse("an unmatched (");
                }
                self.take(false)?;
                self.depth -= 1;
                inner
            }
            Token::End | Token::Or | Token::Repeat(..) => unreachable!("handled by branch"),
        })
    }

    fn take(&mut self, first: bool) -> Result<Token, Refusal> {
        let (token, len) = self.peek(first)?;
        self.at += len;
        Ok(token)
    }

    /// The next token and its length. `first`: nothing of the branch has been read.
    fn peek(&self, first: bool) -> Result<(Token, usize), Refusal> {
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

    fn literal(&self, character: char) -> Result<Hir, Refusal> {
        if !self.ignore_case {
            return Ok(Hir::literal(
                character.encode_utf8(&mut [0; 4]).as_bytes().to_vec(),
            ));
        }
        if !character.is_ascii() {
            return refuse("-i with a character beyond ASCII");
        }
        let mut set = ClassUnicode::new([ClassUnicodeRange::new(character, character)]);
        fold(&mut set);
        Ok(Hir::class(Class::Unicode(set)))
    }

    /// Reads a bracket expression after its `[`.
    fn bracket(&mut self) -> Result<Hir, Refusal> {
        let begin = self.at;
        let negated = self.text.get(self.at) == Some(&'^');
        self.at += usize::from(negated);
        let start = self.at;
        let mut set = ClassUnicode::empty();
        loop {
            let Some(&low) = self.text.get(self.at) else {
                return refuse("an unmatched [");
            };
            if low == ']' && self.at > start {
                break;
            }
            match (low, self.text.get(self.at + 1)) {
                ('[', Some(':')) => {
                    set.union(&self.named_class()?);
                    continue;
                }
                ('[', Some('.' | '=')) => return refuse("a collating element"),
                _ => self.at += 1,
            }
            if self.ignore_case && !low.is_ascii() {
                return refuse("-i with a character beyond ASCII");
            }
            let is_range = self.text.get(self.at) == Some(&'-')
                && self.text.get(self.at + 1).is_some_and(|&high| high != ']');
            if !is_range {
                set.push(ClassUnicodeRange::new(low, low));
                continue;
            }
            let high = self.text[self.at + 1];
            if high == '[' && matches!(self.text.get(self.at + 2), Some('.' | '=' | ':')) {
                return refuse("a collating element");
            }
            if self.ignore_case && !high.is_ascii() {
                return refuse("-i with a character beyond ASCII");
            }
            if high < low {
                return refuse("an invalid range");
            }
            if self.ignore_case && !ctype::folds_alike(low, high) {
                return refuse("-i with a range whose ends fold apart");
            }
            self.at += 2;
            set.push(ClassUnicodeRange::new(low, high));
        }
        let content = &self.text[begin..self.at];
        if content.len() > 1 && content[0] == ':' && content[content.len() - 1] == ':' {
            return refuse("a character class without its brackets");
        }
        self.at += 1;
        if self.ignore_case {
            fold(&mut set);
        }
        if negated {
            set.push(ClassUnicodeRange::new('\n', '\n'));
            set.negate();
        } else {
            set.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
        }
        Ok(Hir::class(Class::Unicode(set)))
    }

    fn named_class(&mut self) -> Result<ClassUnicode, Refusal> {
        let rest = &self.text[self.at + 2..];
        let Some(len) = rest.windows(2).position(|pair| pair == [':', ']']) else {
            return refuse("an unfinished character class");
        };
        let mut name: String = rest[..len].iter().collect();
        if self.ignore_case && (name == "upper" || name == "lower") {
            name = "alpha".into();
        }
        self.at += len + 4;
        ctype::class(&name).map_or_else(|| refuse(format!("the character class {name}")), Ok)
    }
}

fn set(class: Option<ClassUnicode>, positive: bool) -> Result<Hir, Refusal> {
    let Some(mut class) = class else {
        return refuse("no locale C.UTF-8 on this system");
    };
    let newline = ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]);
    if !positive {
        class.negate();
    }
    class.difference(&newline);
    Ok(Hir::class(Class::Unicode(class)))
}

fn repeat(sub: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition {
        min,
        max,
        greedy: true,
        sub: Box::new(sub),
    })
}

/// Adds the other cases of a set's characters, as dfa.c's `case_folded_counterparts` gives them: for ASCII letters the
/// other case, dotless `ı` for `i`, and long `ſ` for `s`. Letters beyond ASCII come only from ctype's classes here, which
/// hold both cases.
fn fold(set: &mut ClassUnicode) {
    let mut more = Vec::new();
    for range in set.ranges() {
        let (low, high) = (range.start(), range.end());
        for byte in (low.min('\u{7f}') as u8)..=(high.min('\u{7f}') as u8) {
            if byte.is_ascii_alphabetic() {
                more.push(char::from(byte ^ 0x20));
                match byte.to_ascii_lowercase() {
                    b'i' => more.push('ı'),
                    b's' => more.push('ſ'),
                    _ => {}
                }
            }
        }
    }
    for character in more {
        set.push(ClassUnicodeRange::new(character, character));
    }
}
