//! The grammar: alternatives of branches of repeated atoms, as dfa.c parses them.

use regex_syntax::hir::{Dot, Hir, Look, Repetition};

use super::bracket::bracket;
use super::pieces::Pieces;
use super::sets;
use super::tokens::{Token, Tokens};
use crate::grep::ctype;
use crate::grep::errors::refuse;
use crate::Refusal;

/// Groups nested deeper than this are refused, for the stack.
const DEEPEST: usize = 100;

/// A pattern under way, and what is noted of it on the way.
pub(super) struct Parser {
    pub(super) tokens: Tokens,
    pub(super) asks_words: bool,
    pub(super) has_looks: bool,
    pub(super) opens_with_brace: bool,
}

impl Parser {
    /// Before the first of `tokens`.
    pub(super) fn new(tokens: Tokens) -> Self {
        Parser {
            tokens,
            asks_words: false,
            has_looks: false,
            opens_with_brace: false,
        }
    }

    /// Reads alternatives, up to the end or a closing parenthesis.
    pub(super) fn alternation(&mut self) -> Result<Hir, Refusal> {
        let mut branches = vec![self.branch()?];
        while self.tokens.peek(true)?.0 == Token::Or {
            self.tokens.take(true)?;
            branches.push(self.branch()?);
        }
        Ok(Hir::alternation(branches))
    }

    fn branch(&mut self) -> Result<Hir, Refusal> {
        let mut pieces = Pieces::default();
        // dfa.c's `laststart`: nothing but anchors so far, so a basic star is an ordinary character.
        let mut at_start = true;
        // dfa.c's `lasttok`: only directly after a beginning is a basic `^` an anchor.
        let mut first = true;
        loop {
            let (token, _) = self.tokens.peek(first)?;
            match token {
                Token::End | Token::Or => return Ok(pieces.concat()),
                Token::Close if self.tokens.depth > 0 => return Ok(pieces.concat()),
                _ => {}
            }
            self.tokens.take(first)?;
            match token {
                Token::Repeat(..) if at_start && self.tokens.extended => {
                    return refuse("a repetition of nothing")
                }
                Token::Repeat(0, None)
                    if at_start && self.tokens.text[self.tokens.at - 1] == '*' =>
                {
                    pieces.push(self.literal('*')?);
                    at_start = false;
                }
                Token::Repeat(..) if at_start => return refuse("a repetition of nothing"),
                // glibc is not sure about anchors that repeat.
                Token::Repeat(..) if pieces.end_in_look() => {
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
                        && self.tokens.extended
                        && token == Token::Literal('{')
                        && (self.tokens.at < 2 || self.tokens.text[self.tokens.at - 2] != '\\');
                    match token {
                        Token::Literal(character) if !self.tokens.ignore_case => {
                            pieces.push_character(character);
                        }
                        _ => pieces.push(self.atom(token)?),
                    }
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
            Token::Word(positive) => sets::class(ctype::word(), positive)?,
            Token::Space(positive) => sets::class(ctype::class("space"), positive)?,
            Token::Bracket => bracket(&mut self.tokens)?,
            Token::Close => self.literal(')')?,
            Token::Open => {
                self.tokens.depth += 1;
                if self.tokens.depth > DEEPEST {
                    return refuse("groups nested too deep");
                }
                let inner = self.alternation()?;
                if self.tokens.peek(false)?.0 != Token::Close {
                    return refuse("an unmatched (");
                }
                self.tokens.take(false)?;
                self.tokens.depth -= 1;
                inner
            }
            Token::End | Token::Or | Token::Repeat(..) => unreachable!("handled by branch"),
        })
    }

    fn literal(&self, character: char) -> Result<Hir, Refusal> {
        sets::literal(character, self.tokens.ignore_case)
    }
}

fn repeat(sub: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition {
        min,
        max,
        greedy: true,
        sub: Box::new(sub),
    })
}
