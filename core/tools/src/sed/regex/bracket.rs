//! Bracket expressions: sets, ranges and classes.

use super::writer::{refuse, Writer};
use crate::Refusal;

/// The classes that both sides know by these names.
const CLASSES: &[&str] = &[
    "alpha", "digit", "alnum", "upper", "lower", "punct", "space", "blank", "xdigit", "cntrl",
];

/// Translates after `[`; returns how many characters it took.
pub fn bracket(chars: &[char], w: &mut Writer) -> Result<usize, Refusal> {
    let mut set = String::from("[");
    let mut i = 0;
    if chars.first() == Some(&'^') {
        set.push('^');
        i += 1;
    }
    let first = i;
    loop {
        let Some(&c) = chars.get(i) else {
            return refuse("a bracket without end");
        };
        if c == ']' && i > first {
            break;
        }
        if c == '[' && matches!(chars.get(i + 1), Some(':' | '.' | '=')) {
            let rest: String = chars[i + 1..].iter().collect();
            let Some(end) = rest[1..].find(":]").filter(|_| rest.starts_with(':')) else {
                return refuse("a collating element");
            };
            let name = &rest[1..1 + end];
            if !CLASSES.contains(&name) {
                return refuse("a class not known here");
            }
            set.push_str(&format!("[:{name}:]"));
            w.done.tables = true;
            i += end + 4;
            continue;
        }
        let (c, used) = match (c, chars.get(i + 1)) {
            ('\\', Some('n')) => ('\n', 2),
            ('\\', Some('t')) => ('\t', 2),
            ('\\', Some('r')) => ('\r', 2),
            ('\\', Some(n)) if n.is_ascii_alphabetic() => return refuse("an escape in brackets"),
            _ => (c, 1),
        };
        i += used;
        push_escaped(&mut set, c);
        if chars.get(i) == Some(&'-') && chars.get(i + 1).is_some_and(|&c| c != ']') {
            let high = chars[i + 1];
            if !c.is_ascii() || !high.is_ascii() {
                // An error or a match, as glibc's version has it.
                return refuse("a range that ends beyond ASCII");
            }
            if high < c || matches!(high, '[' | '\\') {
                return refuse("a range not known here");
            }
            if w.fold && !crate::grep::folds_alike(c, high) {
                return refuse("a range whose ends fold apart");
            }
            set.push('-');
            push_escaped(&mut set, high);
            i += 2;
        }
    }
    set.push(']');
    w.atom(&set);
    Ok(i + 1)
}

fn push_escaped(set: &mut String, c: char) {
    if c.is_ascii_punctuation() {
        set.push('\\');
    }
    set.push(c);
}
