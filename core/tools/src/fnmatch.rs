//! Shell patterns (`*`, `?`, `[…]`), shared by `find -name`, the shell's globs, `case` and `ls -I`.
//!
//! The rules are those of glibc's `fnmatch` in C.UTF-8: ranges by code point, `[` without `]` is a plain character.
//! What depends on character tables beyond ASCII is refused, not guessed.

use crate::Refusal;

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Item {
    /// These bytes.
    Literal(Vec<u8>),
    /// `?`: one character.
    One,
    /// `*`: any characters.
    Many,
    /// `[…]`: one character of a set.
    Set(Set),
}

#[derive(Debug, Clone, PartialEq)]
struct Set {
    negated: bool,
    ranges: Vec<(char, char)>,
    classes: Vec<Class>,
}

/// An ASCII character class, `[:alpha:]` and so on.
type Class = fn(&u8) -> bool;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    items: Vec<Item>,
    fold: bool,
    /// `?` and `*` and sets do not match `/` (`FNM_PATHNAME`).
    keep_slash: bool,
}

fn class(name: &[u8]) -> Option<Class> {
    Some(match name {
        b"alpha" => u8::is_ascii_alphabetic,
        b"digit" => u8::is_ascii_digit,
        b"alnum" => u8::is_ascii_alphanumeric,
        b"upper" => u8::is_ascii_uppercase,
        b"lower" => u8::is_ascii_lowercase,
        b"punct" => u8::is_ascii_punctuation,
        b"xdigit" => u8::is_ascii_hexdigit,
        b"cntrl" => u8::is_ascii_control,
        b"graph" => u8::is_ascii_graphic,
        b"print" => |c| (0x20..0x7f).contains(c),
        b"blank" => |c| *c == b' ' || *c == b'\t',
        b"space" => |c| matches!(c, b' ' | 9..=13),
        _ => return None,
    })
}

/// The character at the start of `s` and its length in bytes; `None` where the bytes are not UTF-8.
fn first_char(s: &[u8]) -> Option<(char, usize)> {
    let b = *s.first()?;
    if b < 0x80 {
        return Some((b as char, 1));
    }
    (2..=4.min(s.len())).find_map(|n| {
        std::str::from_utf8(&s[..n])
            .ok()?
            .chars()
            .next()
            .map(|c| (c, n))
    })
}

impl Pattern {
    /// Compiles a pattern; `fold` ignores case (ASCII; other letters are refused).
    pub fn new(pattern: &[u8], fold: bool) -> Result<Self, Refusal> {
        Self::with(pattern, fold, false)
    }

    /// As [`Pattern::new`]; with `keep_slash` no wildcard matches `/`.
    pub fn with(pattern: &[u8], fold: bool, keep_slash: bool) -> Result<Self, Refusal> {
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
        if fold {
            for item in &mut items {
                if let Item::Literal(l) = item {
                    l.make_ascii_lowercase();
                }
            }
        }
        Ok(Self {
            items,
            fold,
            keep_slash,
        })
    }

    /// Whether the whole of `name` matches.
    pub fn matches(&self, name: &[u8]) -> Result<bool, Refusal> {
        let ascii = name.is_ascii();
        if !ascii {
            let classes = self
                .items
                .iter()
                .any(|i| matches!(i, Item::Set(s) if !s.classes.is_empty()));
            // The Kelvin sign and the dotted I are the characters beyond ASCII whose small letters lie within.
            let tables = classes
                || self.fold
                    && std::str::from_utf8(name)
                        .map_or(true, |n| n.contains(['\u{212a}', '\u{130}']));
            let characters = self
                .items
                .iter()
                .any(|i| matches!(i, Item::Set(_) | Item::One));
            if tables || (characters && std::str::from_utf8(name).is_err()) {
                return Err(Refusal::new(
                    "a name beyond ASCII against a class or a fold",
                ));
            }
        }
        if self.fold {
            return Ok(self.run(&self.items, &name.to_ascii_lowercase()));
        }
        Ok(self.run(&self.items, name))
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
    fn run(&self, items: &[Item], name: &[u8]) -> bool {
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
                Some(Item::One) => match first_char(&name[s..]) {
                    Some(('/', _)) if self.keep_slash => None,
                    Some((_, n)) => Some(n),
                    None => None,
                },
                Some(Item::Set(set)) => match first_char(&name[s..]) {
                    Some(('/', _)) if self.keep_slash => None,
                    Some((c, n)) => self.in_set(set, c).then_some(n),
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
                    *from += first_char(&name[*from..]).map_or(1, |(_, n)| n);
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

    fn in_set(&self, set: &Set, c: char) -> bool {
        let has = |c: char| {
            set.ranges.iter().any(|&(a, b)| a <= c && c <= b)
                || (c.is_ascii() && set.classes.iter().any(|f| f(&(c as u8))))
        };
        let found = has(c) || (self.fold && has(c.to_ascii_uppercase()));
        found != set.negated
    }
}

/// Parses after `[`; `None` where there is no closing `]`, so that `[` is plain. Returns the set and the bytes used.
fn parse_set(rest: &[u8], keep_slash: bool) -> Result<Option<(Set, usize)>, Refusal> {
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
            let Some(f) = class(&rest[i + 2..i + 2 + end]) else {
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
