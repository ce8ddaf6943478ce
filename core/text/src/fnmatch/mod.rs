//! Shell patterns (`*`, `?`, `[…]`), shared by `find -name`, `grep --include`, `ls -I`, the shell's globs and `case`.
//!
//! The rules are those of glibc's `fnmatch` in C.UTF-8 or of bash: `[` without `]` is a plain character, and a name that
//! is not UTF-8 is one of bytes. What depends on character tables beyond ASCII is refused, not guessed.

mod item;
mod set;
mod shape;
mod units;

use std::borrow::Cow;

use self::item::Item;
use self::set::{parse_set, Set};
use self::shape::Shape;
use self::units::Units;
use crate::Refusal;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    items: Vec<Item>,
    fold: bool,
    /// `?` and `*` and sets do not match `/` (`FNM_PATHNAME`).
    keep_slash: bool,
    /// Read as bash reads it, not as glibc's `fnmatch`.
    bash: bool,
    /// How it is matched, where that is simple.
    shape: Shape,
}

impl Pattern {
    /// Compiles a pattern of `fnmatch`; `fold` ignores case.
    ///
    /// # Errors
    /// Where what it matches depends on tables of characters, or is not known.
    pub fn new(pattern: &[u8], fold: bool) -> Result<Self, Refusal> {
        Self::with(pattern, fold, false, false)
    }

    /// Compiles a pattern of bash; with `keep_slash` no wildcard matches `/`.
    ///
    /// # Errors
    /// Where what it matches depends on tables of characters, or is not known.
    pub fn of_bash(pattern: &[u8], keep_slash: bool) -> Result<Self, Refusal> {
        Self::with(pattern, false, keep_slash, true)
    }

    fn with(pattern: &[u8], fold: bool, keep_slash: bool, bash: bool) -> Result<Self, Refusal> {
        if std::str::from_utf8(pattern).is_err() || (fold && !pattern.is_ascii()) {
            return Err(Refusal::new("a pattern whose characters depend on tables"));
        }
        let mut items: Vec<Item> = Vec::new();
        let mut literal = Vec::new();
        let mut i = 0;
        let flush = |literal: &mut Vec<u8>, items: &mut Vec<Item>| {
            if !literal.is_empty() {
                items.push(Item::Literal(std::mem::take(literal)));
            }
        };
        while i < pattern.len() {
            match pattern[i] {
                b'*' => {
                    flush(&mut literal, &mut items);
                    if items.last() != Some(&Item::Many) {
                        items.push(Item::Many);
                    }
                    i += 1;
                }
                b'?' => {
                    flush(&mut literal, &mut items);
                    items.push(Item::One);
                    i += 1;
                }
                b'\\' if i + 1 < pattern.len() => {
                    literal.push(pattern[i + 1]);
                    i += 2;
                }
                b'\\' => return Err(Refusal::new("a pattern that ends in a backslash")),
                b'[' => match parse_set(&pattern[i + 1..], keep_slash)? {
                    Some((set, used)) => {
                        flush(&mut literal, &mut items);
                        items.push(Item::Set(set));
                        i += 1 + used;
                    }
                    None => {
                        literal.push(b'[');
                        i += 1;
                    }
                },
                c => {
                    literal.push(c);
                    i += 1;
                }
            }
        }
        flush(&mut literal, &mut items);
        for item in &mut items {
            match item {
                Item::Literal(l) if fold => l.make_ascii_lowercase(),
                Item::Set(set) if fold => set.fold()?,
                // Seen: fnmatch takes such a range for another than bash does, which compares code points.
                Item::Set(set) if !bash && set.has_wide_range() => {
                    return Err(Refusal::new("a range that ends beyond ASCII"))
                }
                _ => {}
            }
        }
        let shape = match fold || keep_slash {
            true => Shape::Other,
            false => Shape::of(&items),
        };
        Ok(Self {
            items,
            fold,
            keep_slash,
            bash,
            shape,
        })
    }

    /// Whether the whole of `name` matches.
    ///
    /// # Errors
    /// Where that depends on whether its bytes are characters.
    #[inline]
    pub fn matches(&self, name: &[u8]) -> Result<bool, Refusal> {
        match self.shape.matches(name) {
            Some(matched) => Ok(matched),
            None => self.matches_items(name),
        }
    }

    fn matches_items(&self, name: &[u8]) -> Result<bool, Refusal> {
        /// Steps that matching may take: hundredths of a second.
        const WORK: usize = 1 << 24;
        let refuse = |what: &str| Err(Refusal::new(what));
        if name.len().saturating_mul(self.items.len()) > WORK {
            return refuse("a long text against a long pattern");
        }
        if self.fold {
            let text = std::str::from_utf8(name).unwrap_or_default();
            // The characters beyond ASCII whose small letters lie within.
            if text.contains(['\u{212a}', '\u{130}']) {
                return refuse("a name beyond ASCII against a fold");
            }
        }
        let name = &*match self.fold {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        let mut sets = self.items.iter().filter_map(|item| match item {
            Item::Set(set) => Some(set),
            _ => None,
        });
        if name.is_ascii() || !self.items.iter().any(Item::takes_one) {
            return Ok(self.run(name, Units::Bytes));
        }
        if sets.clone().any(|set| !set.classes.is_empty()) {
            return refuse("a name beyond ASCII against a class");
        }
        if std::str::from_utf8(name).is_err() {
            // Seen: fnmatch(3) takes some of these for characters beyond Unicode.
            if name.iter().any(|&b| b >= 0xf4) || sets.any(Set::has_wide_range) {
                return refuse("a name that is not UTF-8 against a pattern");
            }
            return Ok(self.run(name, Units::Bytes));
        }
        let found = self.run(name, Units::Characters);
        // Seen: `??` matches an é, of two bytes, in fnmatch(3); this may be mended one day.
        if !found && !self.bash && self.run(name, Units::Bytes) {
            return refuse("a name whose bytes match and whose characters do not");
        }
        Ok(found)
    }

    /// The literal that the pattern is, when it has no wildcard.
    pub fn literal(&self) -> Option<&[u8]> {
        match self.items.as_slice() {
            [] => Some(b""),
            [Item::Literal(l)] if !self.fold => Some(l),
            _ => None,
        }
    }

    /// Greedy matching with one backtrack point, the last `*`: linear in practice, quadratic at worst.
    fn run(&self, name: &[u8], units: Units) -> bool {
        let items = self.items.as_slice();
        if let [Item::Many, Item::Literal(l)] = items {
            return name.ends_with(l)
                && !(self.keep_slash && name[..name.len() - l.len()].contains(&b'/'));
        }
        let (mut i, mut s) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            let step = match items.get(i) {
                None if s == name.len() => return true,
                None => None,
                Some(Item::Many) => {
                    star = Some((i + 1, s));
                    i += 1;
                    continue;
                }
                Some(Item::Literal(l)) => name[s..].starts_with(l).then_some(l.len()),
                Some(Item::One) => match units.first(&name[s..]) {
                    Some(('/', _)) if self.keep_slash => None,
                    Some((_, n)) => Some(n),
                    None => None,
                },
                Some(Item::Set(set)) => match units.first(&name[s..]) {
                    Some(('/', _)) if self.keep_slash => None,
                    Some((c, n)) => set.has(c, units).then_some(n),
                    None => None,
                },
            };
            match (step, &mut star) {
                (Some(n), _) => {
                    i += 1;
                    s += n;
                }
                (None, Some((after, from))) => {
                    if *from >= name.len() || (self.keep_slash && name[*from] == b'/') {
                        return false;
                    }
                    *from += units.first(&name[*from..]).map_or(1, |(_, n)| n);
                    if let (Some(Item::Literal(l)), false) = (items.get(*after), self.keep_slash) {
                        // No place before the next one of its first byte can do.
                        match memchr::memchr(l[0], &name[*from..]) {
                            Some(skipped) => *from += skipped,
                            None => return false,
                        }
                    }
                    i = *after;
                    s = *from;
                }
                (None, None) => return false,
            }
        }
    }
}
