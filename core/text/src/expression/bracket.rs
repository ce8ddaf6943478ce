//! Bracket expressions (POSIX 9.3.5), in the locale C.UTF-8: characters are ordered by their numbers.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::{cases, refuse, Dialect};
use crate::ctype;
use crate::Refusal;

/// A bracket expression.
pub(super) struct Bracket<'t> {
    pub(super) set: ClassUnicode,
    /// What comes after it.
    pub(super) rest: &'t [char],
    /// Only its part within ASCII is known.
    pub(super) only_ascii: bool,
}

/// What a list consists of.
enum Member {
    Character(char),
    Class(ClassUnicode),
}

/// Reads what stands behind `[`, up to its `]`.
pub(super) fn bracket(text: &[char], dialect: Dialect) -> Result<Bracket<'_>, Refusal> {
    let list = text.strip_prefix(&['^']).unwrap_or(text);
    let negated = list.len() < text.len();
    let (mut set, mut classes) = (ClassUnicode::empty(), ClassUnicode::empty());
    let mut rest = list;
    // A `]` that comes first is a member.
    while rest.len() == list.len() || !rest.starts_with(&[']']) {
        let (first, after) = member(rest, dialect)?;
        rest = match after {
            ['-', next, ..] if *next != ']' => {
                let (last, after) = member(&after[1..], dialect)?;
                set.union(&range(&first, &last, dialect.fold)?);
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
    let inside = &list[..list.len() - rest.len()];
    if let [':', _, .., ':'] = inside {
        return refuse("[:class:] outside of a bracket expression");
    }
    // A class has all cases of its characters.
    if dialect.fold {
        cases::add_cases(&mut set, negated)?;
    }
    let only_ascii = dialect.is_sed() && !classes.ranges().is_empty();
    set.union(&classes);
    if negated {
        set.negate();
    }
    Ok(Bracket {
        set,
        rest: &rest[1..],
        only_ascii,
    })
}

/// The first member of a list, and what comes after it.
fn member(list: &[char], dialect: Dialect) -> Result<(Member, &[char]), Refusal> {
    match list {
        [] => refuse("a bracket expression that is not closed"),
        ['[', ':', rest @ ..] => {
            let Some(end) = rest.windows(2).position(|two| two == [':', ']']) else {
                return refuse("a class that is not closed");
            };
            let name: String = rest[..end].iter().collect();
            // Without case, `[[:upper:]]` was seen to take every letter, those without any case too.
            let name = match name.as_str() {
                "upper" | "lower" if dialect.fold => "alpha",
                name => name,
            };
            let class = match dialect.is_sed() {
                true => ctype::ascii(name),
                false => ctype::class(name),
            };
            match class {
                Some(class) => Ok((Member::Class(class), &rest[end + 2..])),
                None => refuse(format_args!("the class {name:?}")),
            }
        }
        ['[', '.' | '=', ..] => refuse("a collating symbol or an equivalence class"),
        // Seen: `[\\n]` holds a backslash and an n, `[\n]` a newline.
        ['\\', '\\', rest @ ..] if dialect.is_sed() => Ok((Member::Character('\\'), rest)),
        ['\\', letter, rest @ ..] if dialect.is_sed() => match control(*letter) {
            Some(control) => Ok((Member::Character(control), rest)),
            None if letter.is_alphanumeric() => refuse("an escape in brackets"),
            None => Ok((Member::Character('\\'), &list[1..])),
        },
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

/// The control character that a letter behind a backslash means to sed.
pub(super) fn control(letter: char) -> Option<char> {
    match letter {
        'n' => Some('\n'),
        't' => Some('\t'),
        'r' => Some('\r'),
        _ => None,
    }
}
