//! The words of `find` into its expression: precedence; what find was seen to run in another order is refused.

use curserve_text::fnmatch::Pattern;

use super::expr::{Compare, Expr, Parsed};
use super::format::pieces;
use super::refuse::refuse;
use crate::Refusal;
use curserve_text::options::Number;

/// Gives the modification time of a file.
type Modified<'a> = dyn Fn(&[u8]) -> Result<(i64, i64), Refusal> + 'a;

struct Parser<'a> {
    words: &'a [&'a [u8]],
    at: usize,
    parsed: Parsed,
    has_action: bool,
    newer: &'a Modified<'a>,
    nested: usize,
}

/// Parses the words behind the starting points; `newer` gives the modification time of a file.
pub(super) fn parse(words: &[&[u8]], newer: &Modified<'_>) -> Result<Parsed, Refusal> {
    let parsed = Parsed {
        expr: Expr::True,
        min_depth: 0,
        max_depth: usize::MAX,
        depth_first: false,
        batches: 0,
    };
    let mut p = Parser {
        words,
        at: 0,
        parsed,
        has_action: false,
        newer,
        nested: 0,
    };
    if !words.is_empty() {
        p.parsed.expr = p.or()?;
        if p.at < words.len() {
            return refuse("something behind the expression");
        }
    }
    if !p.has_action {
        let expr = std::mem::replace(&mut p.parsed.expr, Expr::True);
        p.parsed.expr = match expr {
            Expr::True => Expr::Print,
            Expr::And(mut parts) => {
                parts.push(Expr::Print);
                Expr::And(parts)
            }
            expr => Expr::And(vec![expr, Expr::Print]),
        };
    }
    Ok(p.parsed)
}

impl Parser<'_> {
    fn peek(&self) -> Option<&[u8]> {
        self.words.get(self.at).copied()
    }

    fn value(&mut self) -> Result<&[u8], Refusal> {
        let Some(word) = self.words.get(self.at) else {
            return refuse("a missing value");
        };
        self.at += 1;
        Ok(word)
    }

    fn or(&mut self) -> Result<Expr, Refusal> {
        let mut left = self.and()?;
        while matches!(self.peek(), Some(b"-o" | b"-or")) {
            if holds_always(&left) {
                return refuse("a part that always holds before -o, around which find reorders");
            }
            self.at += 1;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Refusal> {
        let mut parts = vec![self.not()?];
        loop {
            match self.peek() {
                Some(b"-a" | b"-and") => self.at += 1,
                None | Some(b"-o" | b"-or" | b")") => {
                    return Ok(match parts.len() {
                        1 => parts.remove(0),
                        _ => Expr::And(parts),
                    })
                }
                Some(b",") => return refuse("a comma"),
                Some(_) => {}
            }
            parts.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Expr, Refusal> {
        self.nested += 1;
        if self.nested > 200 {
            return refuse("too many parts");
        }
        match self.peek() {
            Some(b"!" | b"-not") => {
                self.at += 1;
                Ok(Expr::Not(Box::new(self.not()?)))
            }
            Some(b"(") => {
                self.at += 1;
                if self.peek() == Some(b")") {
                    return refuse("empty parentheses");
                }
                let inner = self.or()?;
                if self.peek() != Some(b")") {
                    return refuse("a parenthesis without end");
                }
                self.at += 1;
                Ok(inner)
            }
            None => refuse("an operator without its right side"),
            Some(_) => self.primary(),
        }
    }

    fn primary(&mut self) -> Result<Expr, Refusal> {
        let word = self.value()?.to_vec();
        let is_global = matches!(word.as_slice(), b"-maxdepth" | b"-mindepth" | b"-depth");
        if is_global && self.has_action {
            // Seen: find 4.9 may not run the action of such an expression.
            return refuse("a global option behind an action");
        }
        Ok(match word.as_slice() {
            b"-true" | b"-noleaf" | b"-nowarn" | b"-ignore_readdir_race" | b"-mount" | b"-xdev" => {
                if matches!(word.as_slice(), b"-mount" | b"-xdev") {
                    return refuse("file system boundaries");
                }
                Expr::True
            }
            b"-false" => Expr::False,
            b"-name" | b"-iname" => {
                let pattern = self.value()?;
                if pattern.contains(&b'/') {
                    return refuse("a name with a slash");
                }
                Expr::Name(Pattern::new(pattern, word == b"-iname")?)
            }
            b"-path" | b"-wholename" | b"-ipath" | b"-iwholename" => {
                let pattern = self.value()?;
                if pattern.ends_with(b"/") {
                    return refuse("a path that ends in a slash");
                }
                Expr::Path(Pattern::new(pattern, word[1] == b'i')?)
            }
            b"-lname" => Expr::LinkName(Pattern::new(self.value()?, false)?),
            b"-type" => {
                let letters = self.value()?;
                let list: Vec<u8> = letters.iter().step_by(2).copied().collect();
                let commas = letters.iter().skip(1).step_by(2).all(|&b| b == b',');
                if letters.len() % 2 == 0 || !commas || !list.iter().all(|b| b"fdlpsbc".contains(b))
                {
                    return refuse("a type");
                }
                if (1..list.len()).any(|at| list[..at].contains(&list[at])) {
                    return refuse("a type that is named twice");
                }
                Expr::Type(list)
            }
            b"-empty" => Expr::Empty,
            b"-size" => {
                let text = self.value()?;
                let (number, unit) = match text.split_last() {
                    Some((b'c', n)) => (n, 1),
                    Some((b'w', n)) => (n, 2),
                    Some((b'b', n)) => (n, 512),
                    Some((b'k', n)) => (n, 1 << 10),
                    Some((b'M', n)) => (n, 1 << 20),
                    Some((b'G', n)) => (n, 1 << 30),
                    _ => (text, 512),
                };
                Expr::Size(Compare::parse(number)?, unit)
            }
            b"-readable" => Expr::Access(4),
            b"-writable" => Expr::Access(2),
            b"-executable" => Expr::Access(1),
            b"-links" => Expr::Links(Compare::parse(self.value()?)?),
            b"-newer" => {
                let newer = self.newer;
                Expr::Newer(newer(self.value()?)?)
            }
            b"-perm" => {
                let text = self.value()?;
                let (how, digits) = match text.split_first() {
                    Some((&h @ (b'-' | b'/'), rest)) => (h, rest),
                    _ => (b'=', text),
                };
                if digits.is_empty()
                    || digits.len() > 4
                    || !digits.iter().all(|b| (b'0'..=b'7').contains(b))
                {
                    return refuse("a mode in letters");
                }
                if how == b'/' && digits.iter().all(|digit| *digit == b'0') {
                    return refuse("-perm /0, which find warns of");
                }
                Expr::Perm(
                    how,
                    digits.iter().fold(0, |n, b| n * 8 + u32::from(b - b'0')),
                )
            }
            b"-maxdepth" => {
                self.parsed.max_depth = depth(self.value()?)?;
                Expr::True
            }
            b"-mindepth" => {
                self.parsed.min_depth = depth(self.value()?)?;
                Expr::True
            }
            b"-depth" => {
                self.parsed.depth_first = true;
                Expr::True
            }
            b"-prune" => Expr::Prune,
            b"-quit" => Expr::Quit,
            b"-print" => self.action(Expr::Print),
            b"-print0" => self.action(Expr::Print0),
            b"-printf" => {
                let format = self.value()?.to_vec();
                self.action(Expr::Printf(pieces(&format)?))
            }
            b"-exec" => self.exec()?,
            _ => return refuse(word),
        })
    }

    fn action(&mut self, action: Expr) -> Expr {
        self.has_action = true;
        action
    }

    fn exec(&mut self) -> Result<Expr, Refusal> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        loop {
            let word = self.value()?.to_vec();
            if word == b";" {
                break;
            }
            if word == b"+"
                && words
                    .last()
                    .is_some_and(|w| w != b"{}" && memchr::memmem::find(w, b"{}").is_some())
            {
                return refuse("-exec + behind more than {}");
            }
            if word == b"+" && words.last().is_some_and(|w| w == b"{}") {
                words.pop();
                if words.is_empty()
                    || words
                        .iter()
                        .any(|w| memchr::memmem::find(w, b"{}").is_some())
                {
                    return refuse("-exec + with {} twice");
                }
                let batch = self.parsed.batches;
                self.parsed.batches += 1;
                return Ok(self.action(Expr::ExecPlus(words, batch)));
            }
            words.push(word);
        }
        if words.is_empty() {
            return refuse("-exec without a command");
        }
        Ok(self.action(Expr::Exec(words)))
    }
}

/// A number of levels; find complains of one beyond an `int`.
fn depth(text: &[u8]) -> Result<usize, Refusal> {
    const DEPTH: Number = Number::between(0, i32::MAX as u64);
    Ok(DEPTH.read(text)?.number as usize)
}

/// Whether a part that always holds stands behind another one. Seen: with a name behind `-o`, actions are lost
/// then.
fn holds_always(expr: &Expr) -> bool {
    match expr {
        Expr::And(parts) => {
            parts[1..].iter().any(|part| matches!(part, Expr::True)) || holds_always(&parts[0])
        }
        _ => false,
    }
}
