//! Sets of characters, and the other case of their members.

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir};

use crate::grep::errors::refuse;
use crate::Refusal;

/// One character, or with `ignore_case` its cases.
pub(super) fn literal(character: char, ignore_case: bool) -> Result<Hir, Refusal> {
    if !ignore_case {
        return Ok(Hir::literal(
            character.encode_utf8(&mut [0; 4]).as_bytes().to_vec(),
        ));
    }
    if !character.is_ascii() {
        return refuse("-i with a character beyond ASCII");
    }
    let mut set = one(character);
    fold(&mut set);
    Ok(Hir::class(Class::Unicode(set)))
}

/// The characters of a class, or all others; None: the class is not known on this system.
pub(super) fn class(class: Option<ClassUnicode>, positive: bool) -> Result<Hir, Refusal> {
    let Some(mut class) = class else {
        return refuse("no locale C.UTF-8 on this system");
    };
    if !positive {
        class.negate();
    }
    class.difference(&newline());
    Ok(Hir::class(Class::Unicode(class)))
}

/// The newline, which no set matches.
pub(super) fn newline() -> ClassUnicode {
    one('\n')
}

fn one(character: char) -> ClassUnicode {
    ClassUnicode::new([ClassUnicodeRange::new(character, character)])
}

/// Adds the other cases of a set's characters, as dfa.c's `case_folded_counterparts` gives them: for ASCII letters the
/// other case, dotless `ı` for `i`, and long `ſ` for `s`. Letters beyond ASCII come only from ctype's classes here, which
/// hold both cases.
pub(super) fn fold(set: &mut ClassUnicode) {
    let mut more = Vec::new();
    for range in set.ranges() {
        let (low, high) = (range.start(), range.end());
        for byte in (low.min('\u{7f}') as u8)..=(high.min('\u{7f}') as u8) {
            if byte.is_ascii_alphabetic() {
                more.push(char::from(byte ^ 0x20));
                match byte.to_ascii_lowercase() {
                    b'i' => more.push('ı'),
                    b's' => more.push('ſ'),
                    _ => {}
                }
            }
        }
    }
    for character in more {
        set.push(ClassUnicodeRange::new(character, character));
    }
}
