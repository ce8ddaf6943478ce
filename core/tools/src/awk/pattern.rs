//! Expressions, spelt for the automata: extended ones of bytes, in which braces are characters.
//!
//! A backslash stands before punctuation, or is `\t`. `^` begins a branch, `$` ends one; nothing repeats an anchor or a
//! repetition. A range goes upwards within ASCII, between letters or between digits.

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::refuse::refuse;
use crate::Refusal;

/// Longer ones are refused: the time that reading one takes must not matter.
const LONGEST: usize = 1 << 10;
/// Larger automata are refused.
const SIZE_LIMIT: usize = 1 << 20;
const CLASSES: [&str; 12] = [
    "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "xdigit",
];

/// An expression as an automaton.
#[derive(Clone, Debug)]
pub(super) struct Matcher(Regex);

impl Matcher {
    pub(super) fn new(pattern: &[u8]) -> Result<Matcher, Refusal> {
        let Ok(text) = std::str::from_utf8(pattern) else {
            return refuse("an expression that is not UTF-8");
        };
        if text.is_empty() || text.len() > LONGEST {
            return refuse("an expression that is empty or long");
        }
        let spelt = Speller::spell(text)?;
        let built = Regex::builder()
            .configure(
                Regex::config()
                    .nfa_size_limit(Some(SIZE_LIMIT))
                    .hybrid(true)
                    .onepass(false)
                    .dfa(false),
            )
            .syntax(
                syntax::Config::new()
                    .unicode(false)
                    .utf8(false)
                    .dot_matches_new_line(true),
            )
            .build(&spelt);
        match built {
            Ok(regex) => Ok(Matcher(regex)),
            Err(_) => refuse("an expression that is too large"),
        }
    }

    pub(super) fn is_match(&self, text: &[u8]) -> bool {
        self.0.is_match(text)
    }

    /// All matches that do not overlap.
    pub(super) fn find_iter<'m>(
        &'m self,
        text: &'m [u8],
    ) -> impl Iterator<Item = (usize, usize)> + 'm {
        self.0
            .find_iter(text)
            .map(|found| (found.start(), found.end()))
    }
}

/// What was spelt last.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    /// Nothing yet in this branch.
    Begin,
    Atom,
    Repeat,
    Start,
    End,
}

struct Speller<'t> {
    rest: &'t str,
    spelt: String,
    last: Last,
    open: usize,
}

impl<'t> Speller<'t> {
    fn spell(text: &'t str) -> Result<String, Refusal> {
        let mut speller = Speller {
            rest: text,
            spelt: String::new(),
            last: Last::Begin,
            open: 0,
        };
        while let Some(first) = speller.rest.chars().next() {
            speller.rest = &speller.rest[first.len_utf8()..];
            speller.one(first)?;
        }
        match speller.open == 0 && speller.last != Last::Begin {
            true => Ok(speller.spelt),
            false => refuse("a group that is not closed, or an empty branch"),
        }
    }

    fn one(&mut self, first: char) -> Result<(), Refusal> {
        if self.last == Last::End && !matches!(first, '|' | ')') {
            return refuse("something behind a $");
        }
        match first {
            '*' | '+' | '?' if self.last == Last::Atom => {
                self.spelt.push(first);
                self.last = Last::Repeat;
                return Ok(());
            }
            '*' | '+' | '?' => {
                return refuse("a repetition of nothing, of an anchor or of a repetition")
            }
            '|' | ')' if matches!(self.last, Last::Begin | Last::Start) => {
                return refuse("an empty branch")
            }
            ')' if self.open == 0 => return refuse("a group that was not opened"),
            '|' => {
                self.spelt.push('|');
                self.last = Last::Begin;
                return Ok(());
            }
            '(' if self.open == 20 => return refuse("groups nested too deep"),
            '(' => {
                self.open += 1;
                self.spelt.push_str("(?:");
                self.last = Last::Begin;
                return Ok(());
            }
            ')' => {
                self.open -= 1;
                self.spelt.push(')');
            }
            '^' if self.last != Last::Begin => return refuse("something before a ^"),
            '^' => {
                self.spelt.push_str("\\A");
                self.last = Last::Start;
                return Ok(());
            }
            '$' if self.last == Last::Begin => return refuse("a $ alone"),
            '$' => {
                self.spelt.push_str("\\z");
                self.last = Last::End;
                return Ok(());
            }
            '.' => self.spelt.push_str("(?s-u:.)"),
            '[' => self.set()?,
            '\\' => match self.rest.chars().next() {
                Some(next) if next.is_ascii_punctuation() => {
                    self.rest = &self.rest[1..];
                    self.literal(next);
                }
                Some('t') => {
                    self.rest = &self.rest[1..];
                    self.literal('\t');
                }
                _ => return refuse("an escape in an expression"),
            },
            other => self.literal(other),
        }
        self.last = Last::Atom;
        Ok(())
    }

    /// A character that means itself: its bytes, of which a repetition repeats the last.
    fn literal(&mut self, character: char) {
        for byte in character.encode_utf8(&mut [0; 4]).bytes() {
            self.spelt.push_str(&format!("\\x{byte:02x}"));
        }
    }

    /// What stands behind `[`, up to its `]`.
    fn set(&mut self) -> Result<(), Refusal> {
        let Some(end) = end_of_set(self.rest) else {
            return refuse("brackets that are not closed");
        };
        let (list, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        self.rest = rest;
        let (mut members, negated) = match list.strip_prefix('^') {
            Some(members) => (members, true),
            None => (list, false),
        };
        if !list.is_ascii() {
            return refuse("brackets with characters beyond ASCII");
        }
        self.spelt.push_str(if negated { "[^" } else { "[" });
        let mut first = true;
        while let Some(one) = members.bytes().next() {
            if let Some(class) = CLASSES
                .iter()
                .find(|name| members.starts_with(&format!("[:{name}:]")))
            {
                self.spelt.push_str(&format!("[:{class}:]"));
                members = &members[class.len() + 4..];
                first = false;
                continue;
            }
            let bytes = members.as_bytes();
            match bytes {
                [b'[', b':' | b'.' | b'=', ..] => return refuse("a class in brackets"),
                [b'\\', next, ..]
                    if next.is_ascii_punctuation() && *next != b']' && *next != b'-' =>
                {
                    self.spelt.push_str(&format!("\\x{next:02x}"));
                    members = &members[2..];
                }
                [b'\\', b't', ..] => {
                    self.spelt.push_str("\\x09");
                    members = &members[2..];
                }
                [b'\\', ..] => return refuse("an escape in brackets"),
                [from, b'-', to, ..] => {
                    let alike = from.is_ascii_digit() && to.is_ascii_digit()
                        || from.is_ascii_lowercase() && to.is_ascii_lowercase()
                        || from.is_ascii_uppercase() && to.is_ascii_uppercase();
                    if !alike || from > to || bytes.get(3) == Some(&b'-') {
                        return refuse("a range");
                    }
                    self.spelt.push_str(&format!("\\x{from:02x}-\\x{to:02x}"));
                    members = &members[3..];
                }
                [b'-', _, ..] if !first => return refuse("a hyphen in brackets"),
                _ => {
                    self.spelt.push_str(&format!("\\x{one:02x}"));
                    members = &members[1..];
                }
            }
            first = false;
        }
        self.spelt.push(']');
        Ok(())
    }
}

/// Where the `]` stands that closes the set whose list begins here.
fn end_of_set(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = usize::from(bytes.first() == Some(&b'^'));
    if bytes.get(at) == Some(&b']') {
        at += 1;
    }
    loop {
        match bytes.get(at)? {
            b']' => return Some(at),
            b'\\' => at += 2,
            b'[' if bytes.get(at + 1) == Some(&b':') => at += text[at..].find(":]")? + 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Matcher;

    #[test]
    fn expressions_are_spelt_or_refused() {
        for (pattern, text, found) in [
            ("a{2}", "xa{2}", true),
            ("a{2}", "aa", false),
            ("^[[:space:]]*def ", "\tdef x", true),
            ("r?\"\"\"", "\"\"\"", true),
            ("[]a]", "]", true),
            ("[^ #]", " #", false),
            ("(a|b)+$", "xab", true),
            ("é", "é", true),
            ("^.$", "é", false),
            ("[a-c]", "b", true),
        ] {
            assert_eq!(
                Matcher::new(pattern.as_bytes())
                    .unwrap()
                    .is_match(text.as_bytes()),
                found,
                "{pattern}"
            );
        }
        for pattern in [
            "", "*a", "a**", "()", "a|", "(a", "a)", "[a", "a^b", "a$b", "^*", "\\d", "[z-a]",
            "[\\d]", "[é]", "[a-c-]",
        ] {
            assert!(Matcher::new(pattern.as_bytes()).is_err(), "{pattern}");
        }
    }
}
