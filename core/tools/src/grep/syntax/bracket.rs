//! Bracket expressions.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir};

use super::sets::{fold, newline};
use super::tokens::Tokens;
use crate::grep::ctype;
use crate::grep::errors::refuse;
use crate::Refusal;

/// Reads a bracket expression after its `[`.
pub(super) fn bracket(tokens: &mut Tokens) -> Result<Hir, Refusal> {
    let begin = tokens.at;
    let negated = tokens.text.get(tokens.at) == Some(&'^');
    tokens.at += usize::from(negated);
    let start = tokens.at;
    let mut set = ClassUnicode::empty();
    loop {
        let Some(&low) = tokens.text.get(tokens.at) else {
            return refuse("an unmatched [");
        };
        if low == ']' && tokens.at > start {
            break;
        }
        match (low, tokens.text.get(tokens.at + 1)) {
            ('[', Some(':')) => {
                set.union(&named_class(tokens)?);
                continue;
            }
            ('[', Some('.' | '=')) => return refuse("a collating element"),
            _ => tokens.at += 1,
        }
        if tokens.ignore_case && !low.is_ascii() {
            return refuse("-i with a character beyond ASCII");
        }
        let is_range = tokens.text.get(tokens.at) == Some(&'-')
            && tokens
                .text
                .get(tokens.at + 1)
                .is_some_and(|&high| high != ']');
        if !is_range {
            set.push(ClassUnicodeRange::new(low, low));
            continue;
        }
        let high = tokens.text[tokens.at + 1];
        if high == '[' && matches!(tokens.text.get(tokens.at + 2), Some('.' | '=' | ':')) {
            return refuse("a collating element");
        }
        if !low.is_ascii() || !high.is_ascii() {
            // glibc calls this an error since C.UTF-8 has no collation rules (2.35), and matched it before.
            return refuse("a range that ends beyond ASCII");
        }
        if high < low {
            return refuse("an invalid range");
        }
        if tokens.ignore_case && !ctype::folds_alike(low, high) {
            return refuse("-i with a range whose ends fold apart");
        }
        tokens.at += 2;
        set.push(ClassUnicodeRange::new(low, high));
    }
    let content = &tokens.text[begin..tokens.at];
    if content.len() > 1 && content[0] == ':' && content[content.len() - 1] == ':' {
        return refuse("a character class without its brackets");
    }
    tokens.at += 1;
    if tokens.ignore_case {
        fold(&mut set);
    }
    if negated {
        set.union(&newline());
        set.negate();
    } else {
        set.difference(&newline());
    }
    Ok(Hir::class(Class::Unicode(set)))
}

/// Reads `[:name:]`.
fn named_class(tokens: &mut Tokens) -> Result<ClassUnicode, Refusal> {
    let rest = &tokens.text[tokens.at + 2..];
    let Some(len) = rest.windows(2).position(|pair| pair == [':', ']']) else {
        return refuse("an unfinished character class");
    };
    let mut name: String = rest[..len].iter().collect();
    if tokens.ignore_case && (name == "upper" || name == "lower") {
        name = "alpha".into();
    }
    tokens.at += len + 4;
    ctype::class(&name).map_or_else(|| refuse(format!("the character class {name}")), Ok)
}
