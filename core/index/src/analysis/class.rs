//! One character of a class: what it may be, or begin with.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange};

use super::part::{Part, Strings};
use crate::grams::fold;
use crate::segment::Within;

/// A class of more characters than this may be anything.
const MOST_CHARACTERS: usize = 12;

/// One character of a class: its folded encodings where they are few, else what they begin with.
pub(super) fn one_of_class(class: &Class, within: Within) -> Part {
    // Such as any character but a newline, which most classes are; cases of a letter are one first byte.
    if first_bytes(class) > 2 * MOST_CHARACTERS + 1 {
        return Part::anything();
    }
    // As ranges of code points, or of bytes.
    let ranges: Vec<(u32, u32)> = match class {
        Class::Unicode(class) => {
            let mut class = class.clone();
            if within == Within::Line {
                class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            }
            let ranges = class.iter();
            ranges.map(|r| (r.start().into(), r.end().into())).collect()
        }
        Class::Bytes(class) => {
            let mut class = class.clone();
            if within == Within::Line {
                class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
            }
            let ranges = class.iter();
            ranges.map(|r| (r.start().into(), r.end().into())).collect()
        }
    };
    let count: usize = ranges
        .iter()
        .map(|(low, high)| (high - low) as usize + 1)
        .sum();
    let encoded = |point: u32| match (class, char::from_u32(point)) {
        (Class::Bytes(_), _) => vec![fold(point as u8)],
        (_, Some(character)) => character.to_string().bytes().map(fold).collect(),
        (_, None) => Vec::new(),
    };
    if (1..=MOST_CHARACTERS).contains(&count) {
        let points = ranges.iter().flat_map(|&(low, high)| low..=high);
        return Part::exactly(points.map(encoded).collect());
    }
    let mut begins = Strings::new();
    for (low, high) in ranges {
        // Encodings ascend with the code points, so all first bytes from the lowest to the highest may occur.
        let (low, high) = (first_byte(class, low), first_byte(class, high));
        begins.extend((low..=high).map(|byte| vec![fold(byte)]));
        if begins.len() > MOST_CHARACTERS {
            return Part::anything();
        }
    }
    match begins.is_empty() {
        true => Part::anything(),
        false => Part::beginning(begins),
    }
}

/// How many bytes a character of the class may begin with, at least.
fn first_bytes(class: &Class) -> usize {
    let widest = |low: u32, high: u32| {
        usize::from(first_byte(class, high)) + 1 - usize::from(first_byte(class, low))
    };
    let widths = match class {
        Class::Unicode(class) => class
            .iter()
            .map(|range| widest(range.start().into(), range.end().into()))
            .max(),
        Class::Bytes(class) => class
            .iter()
            .map(|range| widest(range.start().into(), range.end().into()))
            .max(),
    };
    widths.unwrap_or(0)
}

fn first_byte(class: &Class, point: u32) -> u8 {
    let mut buffer = [0; 4];
    match (class, char::from_u32(point)) {
        (Class::Unicode(_), Some(character)) => character.encode_utf8(&mut buffer).as_bytes()[0],
        _ => point as u8,
    }
}
