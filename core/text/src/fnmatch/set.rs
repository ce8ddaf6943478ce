//! `[…]` of a pattern: its ranges and classes, which characters they hold, and where they end.

use super::units::{first_char, Units};
use crate::{ctype, Refusal};

/// The members of one pair of brackets.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
    pub(super) classes: Vec<ctype::Ascii>,
}

impl Set {
    /// Whether it matches `c`.
    pub(super) fn has(&self, c: char, units: Units) -> bool {
        let in_range = |&(low, high): &(char, char)| match units {
            // The bytes of a character in the brackets are members one by one.
            Units::Bytes if !low.is_ascii() => {
                let mut bytes = [0; 4];
                low.encode_utf8(&mut bytes)
                    .bytes()
                    .any(|b| char::from(b) == c)
            }
            _ => low <= c && c <= high,
        };
        let found = self.ranges.iter().any(in_range)
            || (c.is_ascii() && self.classes.iter().any(|f| f(&(c as u8))));
        found != self.negated
    }

    /// Whether a range (not one character) ends beyond ASCII.
    pub(super) fn has_wide_range(&self) -> bool {
        self.ranges
            .iter()
            .any(|(low, high)| low != high && !high.is_ascii())
    }

    /// Makes the ends of ranges small letters, as names are made.
    pub(super) fn fold(&mut self) -> Result<(), Refusal> {
        for (low, high) in &mut self.ranges {
            low.make_ascii_lowercase();
            high.make_ascii_lowercase();
            if high < low {
                return Err(Refusal::new("a range that runs backwards"));
            }
        }
        if self.classes.is_empty() {
            Ok(())
        } else {
            Err(Refusal::new("a class against a fold"))
        }
    }
}

/// Parses after `[`; `None` where there is no closing `]`, so that `[` is plain. Returns the set and the bytes used.
pub(super) fn parse_set(rest: &[u8], keep_slash: bool) -> Result<Option<(Set, usize)>, Refusal> {
    let mut i = 0;
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    if negated {
        i += 1;
    }
    let mut set = Set {
        negated,
        ranges: Vec::new(),
        classes: Vec::new(),
    };
    let start = i;
    loop {
        let Some(&b) = rest.get(i) else {
            return Ok(None);
        };
        if b == b']' && i > start {
            return Ok(Some((set, i + 1)));
        }
        if b == b'/' && keep_slash {
            return Err(Refusal::new("a slash within brackets"));
        }
        if b == b'[' && matches!(rest.get(i + 1), Some(b':' | b'.' | b'=')) {
            if rest[i + 1] != b':' {
                return Err(Refusal::new("a collating element in a pattern"));
            }
            let Some(end) = memchr::memmem::find(&rest[i + 2..], b":]") else {
                return Err(Refusal::new("an unfinished character class"));
            };
            let Some(f) = ctype::is_ascii(&rest[i + 2..i + 2 + end]) else {
                return Err(Refusal::new("an unknown character class"));
            };
            set.classes.push(f);
            i += end + 4;
            continue;
        }
        let (low, used) = set_char(rest, i)?;
        let Some(low) = low else { return Ok(None) };
        i += used;
        if rest.get(i) == Some(&b'-') && rest.get(i + 1).is_some_and(|&b| b != b']') {
            if rest[i + 1] == b'[' && matches!(rest.get(i + 2), Some(b':' | b'.' | b'=')) {
                return Err(Refusal::new("a range that ends in a class"));
            }
            let (high, used) = set_char(rest, i + 1)?;
            let Some(high) = high else { return Ok(None) };
            if high < low {
                return Err(Refusal::new("a range that runs backwards"));
            }
            set.ranges.push((low, high));
            i += 1 + used;
        } else {
            set.ranges.push((low, low));
        }
    }
}

fn set_char(rest: &[u8], i: usize) -> Result<(Option<char>, usize), Refusal> {
    let (at, escape) = if rest.get(i) == Some(&b'\\') {
        (i + 1, 1)
    } else {
        (i, 0)
    };
    match rest.get(at..).and_then(first_char) {
        Some((c, n)) => Ok((Some(c), n + escape)),
        None => Ok((None, 0)),
    }
}
