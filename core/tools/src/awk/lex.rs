//! Words of a program: names, numbers, strings, expressions between slashes, operators.

use super::refuse::refuse;
use crate::Refusal;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(Vec<u8>),
    /// What stands between slashes.
    Pattern(Vec<u8>),
    Name(String),
    /// A name with a parenthesis right behind it, which is not part of the word.
    Function(String),
    Operator(&'static str),
    Newline,
}

/// Longer ones first.
const OPERATORS: [&str; 36] = [
    "&&", "||", "==", "!=", "<=", ">=", "!~", "++", "--", "+=", "-=", "*=", "/=", "%=", "^=", "{",
    "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", ">", "<", "|", "?", ":",
    "=",
];

/// Reads all words of `program`.
pub(super) fn tokens(program: &[u8]) -> Result<Vec<Token>, Refusal> {
    let Ok(text) = std::str::from_utf8(program) else {
        return refuse("bytes that are not UTF-8");
    };
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.bytes().next() {
        let (token, after) = match first {
            b' ' | b'\t' => (None, &rest[1..]),
            b'\n' => (Some(Token::Newline), &rest[1..]),
            b'#' => (None, &rest[rest.find('\n').unwrap_or(rest.len())..]),
            b'"' => string(&rest[1..])?,
            b'/' if !is_operand(found.last()) => slashes(&rest[1..])?,
            b'0'..=b'9' | b'.' => number(rest)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => name(rest),
            _ => operator(rest)?,
        };
        found.extend(token);
        rest = after;
    }
    Ok(found)
}

/// Whether a `/` behind `token` divides.
fn is_operand(token: Option<&Token>) -> bool {
    match token {
        Some(Token::Number(_) | Token::Text(_) | Token::Pattern(_) | Token::Name(_)) => true,
        Some(Token::Operator(operator)) => matches!(*operator, ")" | "]" | "++" | "--" | "$"),
        Some(Token::Function(_) | Token::Newline) | None => false,
    }
}

type Read<'t> = (Option<Token>, &'t str);

/// What stands behind a quote, up to the next.
fn string(text: &str) -> Result<Read<'_>, Refusal> {
    let mut value = Vec::new();
    let mut bytes = text.bytes().enumerate();
    while let Some((at, b)) = bytes.next() {
        match b {
            b'"' => return Ok((Some(Token::Text(value)), &text[at + 1..])),
            b'\n' => break,
            b'\\' => value.push(match bytes.next() {
                Some((_, b'n')) => b'\n',
                Some((_, b't')) => b'\t',
                Some((_, other @ (b'\\' | b'"' | b'/'))) => other,
                _ => return refuse("an escape in a string"),
            }),
            other => value.push(other),
        }
    }
    refuse("a string without its end")
}

/// What stands behind a slash, up to the next.
fn slashes(text: &str) -> Result<Read<'_>, Refusal> {
    let mut bytes = text.bytes().enumerate();
    let mut bracket = false;
    while let Some((at, b)) = bytes.next() {
        match b {
            b'\\' if !matches!(bytes.next(), None | Some((_, b'\n'))) => {}
            b'/' if bracket => return refuse("a slash in brackets"),
            b'/' => {
                return Ok((
                    Some(Token::Pattern(text.as_bytes()[..at].to_vec())),
                    &text[at + 1..],
                ))
            }
            b'[' => bracket = true,
            b']' => bracket = false,
            b'\n' | b'\\' => break,
            _ => {}
        }
    }
    refuse("an expression without its end")
}

/// A decimal number.
fn number(text: &str) -> Result<Read<'_>, Refusal> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    if text[end..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || end > 15 {
        return refuse("a number of another kind");
    }
    match text[..end].parse() {
        Ok(number) => Ok((Some(Token::Number(number)), &text[end..])),
        Err(_) => refuse("a number of another kind"),
    }
}

fn name(text: &str) -> Read<'_> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let token = match rest.starts_with('(')
        && !matches!(name, "if" | "while" | "for" | "print" | "printf" | "exit")
    {
        true => Token::Function(name.to_owned()),
        false => Token::Name(name.to_owned()),
    };
    (Some(token), rest)
}

fn operator(text: &str) -> Result<Read<'_>, Refusal> {
    if text.starts_with(['$', '~']) {
        let operator = if text.starts_with('$') { "$" } else { "~" };
        return Ok((Some(Token::Operator(operator)), &text[1..]));
    }
    match OPERATORS
        .iter()
        .find(|operator| text.starts_with(**operator))
    {
        Some(operator) => Ok((Some(Token::Operator(operator)), &text[operator.len()..])),
        None => refuse("a character"),
    }
}
