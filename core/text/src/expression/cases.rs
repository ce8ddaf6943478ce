//! What `-i` takes for the same character: what towupper(3) makes the same one of, in C.UTF-8.
//!
//! Found by experiment: each of the 2,927 characters that have another case, searched for with `grep -i` among all of
//! them (as itself, in brackets, with `-F` and with `-o`), matched just those with its own upper case, but for nine old
//! Cyrillic letters (U+1C80 to U+1C88), which only a negated bracket expression takes for their modern forms.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir};

use super::refuse;
use crate::ctype::Pinned;
use crate::Refusal;

extern "C" {
    fn towupper_l(character: libc::c_uint, locale: libc::locale_t) -> libc::c_uint;
}

/// The letters without a rule of their own.
const OLD_CYRILLIC: std::ops::RangeInclusive<char> = '\u{1c80}'..='\u{1c88}';
/// Beyond this no character has another case.
const LAST: char = '\u{1ffff}';

/// `character` in any case.
pub(super) fn any_case(character: char) -> Result<Hir, Refusal> {
    if OLD_CYRILLIC.contains(&character) {
        return refuse("-i with an old Cyrillic letter");
    }
    let mut others = [character; 2];
    let others = match cases(character, &mut others)? {
        [] => return Ok(literal(character)),
        others => others,
    };
    let all = others.iter().chain([&character]);
    let ranges = all
        .filter(|c| !OLD_CYRILLIC.contains(c))
        .map(|c| ClassUnicodeRange::new(*c, *c));
    Ok(Hir::class(Class::Unicode(ClassUnicode::new(ranges))))
}

/// Adds the other cases of the characters of a set, before it is `negated` or not. Its ranges end in ASCII.
pub(super) fn add_cases(set: &mut ClassUnicode, negated: bool) -> Result<(), Refusal> {
    let mut missing = Vec::new();
    for character in set.iter().flat_map(|range| range.start()..=range.end()) {
        for &other in cases(character, &mut [character; 2])? {
            match OLD_CYRILLIC.contains(&other) {
                true if negated => return refuse("-i with letters that have old forms"),
                true => {}
                false => missing.push(ClassUnicodeRange::new(other, other)),
            }
        }
    }
    set.union(&ClassUnicode::new(missing));
    Ok(())
}

/// The characters that `character` is the same as, perhaps with itself; of ASCII in `room`, without a look at a table.
fn cases(character: char, room: &mut [char; 2]) -> Result<&[char], Refusal> {
    if !character.is_ascii() {
        let group = groups()?.iter().find(|group| group.contains(&character));
        return Ok(group.map_or(&[], Vec::as_slice));
    }
    let other = match character.is_ascii_lowercase() {
        true => character.to_ascii_uppercase(),
        false => character.to_ascii_lowercase(),
    };
    *room = [other, other];
    Ok(match character {
        'i' | 'I' => {
            room[1] = 'ı';
            room
        }
        's' | 'S' => {
            room[1] = 'ſ';
            room
        }
        'a'..='z' | 'A'..='Z' => &room[..1],
        _ => &[],
    })
}

fn literal(character: char) -> Hir {
    Hir::literal(character.encode_utf8(&mut [0; 4]).as_bytes())
}

/// All characters that have another case, those with one upper case together.
fn groups() -> Result<&'static [Vec<char>], Refusal> {
    static GROUPS: OnceLock<Option<Vec<Vec<char>>>> = OnceLock::new();
    match GROUPS.get_or_init(table) {
        Some(groups) => Ok(groups),
        None => refuse("no cases of characters on this machine"),
    }
}

fn table() -> Option<Vec<Vec<char>>> {
    let locale = Pinned::new()?;
    let mut groups = std::collections::BTreeMap::new();
    for character in '\0'..=LAST {
        // SAFETY: any value of wint_t may be asked about, and `locale` was just made.
        let upper = unsafe { towupper_l(u32::from(character), locale.0) };
        let upper = char::from_u32(upper).unwrap_or(character);
        if upper != character {
            groups
                .entry(upper)
                .or_insert_with(|| vec![upper])
                .push(character);
        }
    }
    Some(groups.into_values().collect())
}
