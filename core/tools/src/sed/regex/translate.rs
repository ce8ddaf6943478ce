//! Translates a basic or extended expression, character by character, into the crate's syntax.

use super::bracket::bracket;
use super::writer::{refuse, Translation, Writer};
use crate::Refusal;

/// Translates `pattern`; `fold` ignores case.
pub fn translate(pattern: &str, extended: bool, fold: bool) -> Result<Translation, Refusal> {
    if pattern.is_empty() {
        return refuse("an empty expression");
    }
    let mut w = Writer::new(extended, fold);
    let chars: Vec<char> = pattern.chars().collect();
    let mut opens: Vec<usize> = Vec::new();
    let mut i = 0;
    // At the start of the expression, of a group or of an alternative, `*` and `^` mean something else.
    let mut at_start = true;
    while i < chars.len() {
        let c = chars[i];
        let next = chars.get(i + 1).copied();
        let escaped = c == '\\';
        let token = if escaped { next } else { Some(c) };
        i += 1 + usize::from(escaped);
        let Some(token) = token else {
            return refuse("a backslash at the end");
        };
        // `\(` is a group in a basic expression, `(` in an extended one.
        let special = escaped != extended;
        let was_start = std::mem::replace(&mut at_start, false);
        match token {
            '(' if special => {
                opens.push(w.done.text.len());
                w.done.groups += 1;
                w.assertion("(");
                at_start = true;
            }
            ')' if special => {
                let Some(open) = opens.pop() else {
                    return refuse("a parenthesis that closes nothing");
                };
                if was_start {
                    return refuse("an empty group or alternative");
                }
                w.close(open);
            }
            '|' if special => {
                if was_start {
                    return refuse("an empty alternative");
                }
                w.assertion("|");
                w.done.alternation = true;
                at_start = true;
            }
            '+' | '?' if special => {
                if was_start {
                    return refuse("a repetition at the start");
                }
                w.quantify(if token == '+' { "+" } else { "?" })?;
            }
            '{' if special => {
                if was_start {
                    return refuse("an interval at the start");
                }
                let (quantifier, used) = interval(&chars[i..], extended)?;
                w.quantify(&quantifier)?;
                i += used;
            }
            '}' if special && !extended => return refuse("an interval that closes nothing"),
            '*' if !escaped => {
                if !was_start {
                    w.quantify("*")?;
                } else if extended {
                    return refuse("a repetition at the start");
                } else {
                    w.char('*');
                }
            }
            '.' if !escaped => w.atom("."),
            '^' if !escaped => {
                // In a basic expression only the first of several is an anchor.
                if was_start && (extended || !w.done.text.ends_with('^')) {
                    w.assertion("^");
                    at_start = true;
                } else if extended {
                    return refuse("an anchor in the middle");
                } else {
                    w.char('^');
                }
            }
            '$' if !escaped => {
                let rest: String = chars[i..].iter().take(2).collect();
                let ends = if extended { [")", "|"] } else { ["\\)", "\\|"] };
                if rest.is_empty() || ends.iter().any(|e| rest.starts_with(e)) {
                    w.assertion("$");
                } else if extended {
                    return refuse("an anchor in the middle");
                } else {
                    w.char('$');
                }
            }
            '[' if !escaped => i += bracket(&chars[i..], &mut w)?,
            'n' if escaped => w.char('\n'),
            't' if escaped => w.char('\t'),
            'r' if escaped => w.char('\r'),
            'w' | 'W' | 's' | 'S' if escaped => {
                w.done.tables = true;
                w.atom(match token {
                    'w' => "[0-9A-Za-z_]",
                    'W' => "[^0-9A-Za-z_]",
                    's' => "[ \\t\\n\\x0b\\x0c\\r]",
                    _ => "[^ \\t\\n\\x0b\\x0c\\r]",
                });
            }
            'b' | 'B' | '<' | '>' if escaped => {
                w.done.tables = true;
                w.assertion(match token {
                    'b' => "\\b",
                    'B' => "\\B",
                    '<' => "\\b{start}",
                    _ => "\\b{end}",
                });
            }
            c if escaped && (c.is_alphanumeric() || c == '`' || c == '\'' || c == '\n') => {
                return refuse(&format!("the escape \\{c}"))
            }
            c => w.char(c),
        }
    }
    if !opens.is_empty() || (at_start && !w.done.text.ends_with('^')) {
        return refuse("a group or an alternative without end");
    }
    Ok(w.done)
}

/// Translates an interval after its brace: the quantifier, and how many characters it took.
fn interval(chars: &[char], extended: bool) -> Result<(String, usize), Refusal> {
    let close = if extended { "}" } else { "\\}" };
    let rest: String = chars.iter().collect();
    let Some(end) = rest.find(close) else {
        return refuse("an interval without end");
    };
    let body = &rest[..end];
    let fine = |s: &str| s.len() <= 3 && s.bytes().all(|b| b.is_ascii_digit());
    let (low, high) = body.split_once(',').unwrap_or((body, body));
    if !fine(low) || !fine(high) || (low.is_empty() && high.is_empty()) {
        return refuse("an interval not known here");
    }
    let low = if low.is_empty() { "0" } else { low };
    let quantifier = match body.contains(',') {
        true => format!("{{{low},{high}}}"),
        false => format!("{{{low}}}"),
    };
    Ok((quantifier, body.chars().count() + close.len()))
}
