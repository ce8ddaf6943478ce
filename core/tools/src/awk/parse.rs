//! Rules and statements.

use super::lex::{tokens, Token};
use super::program::{Expression, Program, Rule, Statement, When};
use super::refuse::refuse;
use crate::Refusal;

/// Whatever walks the program calls itself for each level.
const MOST_NESTED: usize = 60;

/// Parses `program`.
pub(super) fn parse(program: &[u8]) -> Result<Program, Refusal> {
    let tokens = tokens(program)?;
    let mut parser = Parser {
        rest: &tokens,
        program: Program::default(),
        depth: 0,
        printing: false,
    };
    parser.skip_ends();
    while !parser.rest.is_empty() {
        let rule = parser.rule()?;
        parser.program.rules.push(rule);
        parser.skip_ends();
    }
    match parser.program.rules.is_empty() {
        true => refuse("no rule"),
        false => Ok(parser.program),
    }
}

pub(super) struct Parser<'t> {
    pub(super) rest: &'t [Token],
    pub(super) program: Program,
    pub(super) depth: usize,
    /// In a list of `print` outside of parentheses, where `>` redirects.
    pub(super) printing: bool,
}

impl Parser<'_> {
    fn rule(&mut self) -> Result<Rule, Refusal> {
        let when = match self.rest {
            [Token::Name(name), Token::Operator("{"), ..] if name == "BEGIN" || name == "END" => {
                let begins = name == "BEGIN";
                self.rest = &self.rest[1..];
                if begins {
                    When::Begin
                } else {
                    When::End
                }
            }
            [Token::Operator("{"), ..] => When::Always,
            _ => {
                let first = self.expression()?;
                match self.takes(",") {
                    true => {
                        self.skip_newlines();
                        When::Range(first, self.expression()?)
                    }
                    false => When::Is(first),
                }
            }
        };
        let action = match self.rest {
            [Token::Operator("{"), ..] => self.block()?,
            [] | [Token::Newline | Token::Operator(";"), ..] => vec![Statement::Print(Vec::new())],
            _ => return refuse("something behind a pattern"),
        };
        Ok(Rule { when, action })
    }

    /// `{ … }`.
    fn block(&mut self) -> Result<Vec<Statement>, Refusal> {
        self.expect("{")?;
        let mut statements = Vec::new();
        loop {
            self.skip_ends();
            if self.takes("}") {
                return Ok(statements);
            }
            statements.push(self.statement()?);
        }
    }

    /// A statement and what ends it.
    fn statement(&mut self) -> Result<Statement, Refusal> {
        self.deeper()?;
        let statement = match self.rest {
            [Token::Name(name), ..] => match name.as_str() {
                "if" => self.condition(),
                "while" => self.repetition(),
                "for" => self.counting(),
                _ => self.simple_to_its_end(),
            },
            _ => self.simple_to_its_end(),
        };
        self.depth -= 1;
        statement
    }

    /// What an `if` or a loop does: a block or one statement.
    fn body(&mut self) -> Result<Vec<Statement>, Refusal> {
        self.skip_newlines();
        match self.rest {
            [Token::Operator("{"), ..] => self.block(),
            _ => Ok(vec![self.statement()?]),
        }
    }

    fn condition(&mut self) -> Result<Statement, Refusal> {
        self.rest = &self.rest[1..];
        let condition = self.in_parentheses()?;
        let then = self.body()?;
        let before = self.rest;
        self.skip_ends();
        let otherwise = match self.rest {
            [Token::Name(name), ..] if name == "else" => {
                self.rest = &self.rest[1..];
                self.body()?
            }
            _ => {
                self.rest = before;
                Vec::new()
            }
        };
        Ok(Statement::If(condition, then, otherwise))
    }

    fn repetition(&mut self) -> Result<Statement, Refusal> {
        self.rest = &self.rest[1..];
        let condition = self.in_parentheses()?;
        Ok(Statement::While(condition, self.body()?, None))
    }

    /// `for (a; b; c)`, as a block of `a` and a loop.
    fn counting(&mut self) -> Result<Statement, Refusal> {
        self.rest = &self.rest[1..];
        self.expect("(")?;
        let first = self.expression()?;
        self.expect(";")?;
        let condition = self.expression()?;
        self.expect(";")?;
        let step = self.expression()?;
        self.expect(")")?;
        let body = self.body()?;
        let always = Expression::Number(1.0);
        let both = vec![
            Statement::Do(first),
            Statement::While(condition, body, Some(step)),
        ];
        Ok(Statement::If(always, both, Vec::new()))
    }

    fn simple_to_its_end(&mut self) -> Result<Statement, Refusal> {
        let simple = self.simple()?;
        match self.rest {
            [Token::Operator("}"), ..] => Ok(simple),
            [Token::Newline | Token::Operator(";"), rest @ ..] => {
                self.rest = rest;
                Ok(simple)
            }
            _ => refuse("something behind a statement"),
        }
    }

    fn simple(&mut self) -> Result<Statement, Refusal> {
        let [Token::Name(name), rest @ ..] = self.rest else {
            return Ok(Statement::Do(self.expression()?));
        };
        let ends = matches!(rest, [Token::Newline | Token::Operator(";" | "}"), ..]);
        match name.as_str() {
            "print" => {
                self.rest = rest;
                let list = if ends { Vec::new() } else { self.list()? };
                Ok(Statement::Print(list))
            }
            "printf" => {
                self.rest = rest;
                let mut list = self.list()?.into_iter();
                match list.next() {
                    Some(Expression::Text(format)) => Ok(Statement::Format(format, list.collect())),
                    _ => refuse("a format that is not written out"),
                }
            }
            "next" if ends => {
                self.rest = rest;
                Ok(Statement::Next)
            }
            "exit" => {
                self.rest = rest;
                let status = if ends { None } else { Some(self.expression()?) };
                Ok(Statement::Exit(status))
            }
            _ => Ok(Statement::Do(self.expression()?)),
        }
    }

    /// What is printed: a list, or one in parentheses.
    fn list(&mut self) -> Result<Vec<Expression>, Refusal> {
        let enclosed = match self.rest {
            [Token::Operator("("), rest @ ..] => encloses_all(rest),
            _ => false,
        };
        self.rest = if enclosed { &self.rest[1..] } else { self.rest };
        self.printing = !enclosed;
        let mut list = vec![self.expression()?];
        while self.takes(",") {
            self.skip_newlines();
            list.push(self.expression()?);
        }
        self.printing = false;
        if enclosed {
            self.expect(")")?;
        }
        Ok(list)
    }

    pub(super) fn deeper(&mut self) -> Result<(), Refusal> {
        self.depth += 1;
        match self.depth > MOST_NESTED {
            true => refuse("parts nested too deep"),
            false => Ok(()),
        }
    }

    pub(super) fn takes(&mut self, operator: &str) -> bool {
        let taken = matches!(self.rest, [Token::Operator(first), ..] if *first == operator);
        self.rest = if taken { &self.rest[1..] } else { self.rest };
        taken
    }

    pub(super) fn expect(&mut self, operator: &str) -> Result<(), Refusal> {
        match self.takes(operator) {
            true => Ok(()),
            false => refuse(format_args!("no {operator} where one belongs")),
        }
    }

    pub(super) fn skip_newlines(&mut self) {
        while let [Token::Newline, rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    pub(super) fn skip_ends(&mut self) {
        while let [Token::Newline | Token::Operator(";"), rest @ ..] = self.rest {
            self.rest = rest;
        }
    }
}

/// Whether a parenthesis that has been opened closes where the statement ends.
fn encloses_all(tokens: &[Token]) -> bool {
    let mut open = 1;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Operator("(") => open += 1,
            Token::Operator(")") => open -= 1,
            _ => {}
        }
        if open == 0 {
            let behind = &tokens[at + 1..];
            return matches!(
                behind,
                [] | [Token::Newline | Token::Operator(";" | "}"), ..]
            );
        }
    }
    false
}
