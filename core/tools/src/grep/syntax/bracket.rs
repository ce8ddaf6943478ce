//! Bracket expressions (POSIX 9.3.5), in the locale C.UTF-8: characters are ordered by their numbers.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::cases;
use crate::grep::ctype;
use crate::grep::errors::refuse;
use crate::Refusal;

/// What a list consists of.
enum Member {
    Character(char),
    Class(ClassUnicode),
}

/// Reads what stands behind `[`, up to its `]`: the set, and what comes after it.
pub(super) fn bracket(text: &[char], fold: bool) -> Result<(ClassUnicode, &[char]), Refusal> {
    let list = text.strip_prefix(&['^']).unwrap_or(text);
    let negated = list.len() < text.len();
    let (mut set, mut classes) = (ClassUnicode::empty(), ClassUnicode::empty());
    let mut rest = list;
    // A `]` that comes first is a member.
    while rest.len() == list.len() || !rest.starts_with(&[']']) {
        let (first, after) = member(rest, fold)?;
        rest = match after {
            ['-', next, ..] if *next != ']' => {
                let (last, after) = member(&after[1..], fold)?;
                set.union(&range(&first, &last, fold)?);
                // `[a-c-e]`
                if matches!(after, ['-', next, ..] if *next != ']') {
                    return refuse("a range that begins where another ends");
                }
                after
            }
            _ => {
                match first {
                    Member::Character(one) => set.push(ClassUnicodeRange::new(one, one)),
                    Member::Class(class) => classes.union(&class),
                }
                after
            }
        };
    }
    let inside = &text[..text.len() - rest.len()];
    if let [':', _, .., ':'] = inside {
        return refuse("[:class:] outside of a bracket expression");
    }
    // A class has all cases of its characters.
    if fold {
        cases::add_cases(&mut set, negated)?;
    }
    set.union(&classes);
    if negated {
        set.negate();
    }
    Ok((set, &rest[1..]))
}

/// The first member of a list, and what comes after it.
fn member(list: &[char], fold: bool) -> Result<(Member, &[char]), Refusal> {
    match list {
        [] => refuse("a bracket expression that is not closed"),
        ['[', ':', rest @ ..] => {
            let Some(end) = rest.windows(2).position(|two| two == [':', ']']) else {
                return refuse("a class that is not closed");
            };
            let name: String = rest[..end].iter().collect();
            // Without case, `[[:upper:]]` was seen to take every letter, those without any case too.
            let found = match name.as_str() {
                "upper" | "lower" if fold => ctype::class("alpha"),
                name => ctype::class(name),
            };
            match found {
                Some(class) => Ok((Member::Class(class), &rest[end + 2..])),
                None => refuse(format!("the class {name:?}")),
            }
        }
        ['[', '.' | '=', ..] => refuse("a collating symbol or an equivalence class"),
        [one, rest @ ..] => Ok((Member::Character(*one), rest)),
    }
}

fn range(first: &Member, last: &Member, fold: bool) -> Result<ClassUnicode, Refusal> {
    let (Member::Character(first), Member::Character(last)) = (first, last) else {
        return refuse("a range to or from a class");
    };
    if first > last || !last.is_ascii() {
        return refuse("a range that is empty, or ends beyond ASCII");
    }
    if fold && !ctype::folds_alike(*first, *last) {
        return refuse("a range whose letters depend on their case");
    }
    Ok(ClassUnicode::new([ClassUnicodeRange::new(*first, *last)]))
}
