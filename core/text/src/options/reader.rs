//! Reads the words of a command line one after another: clusters of letters, long names, operands.

use super::{Count, Known, Number, Style, Table, Takes};
use crate::Refusal;

/// Refuses an option that the table has not, or not for here.
fn unknown(word: &[u8]) -> Refusal {
    refusal("an option not known here", word)
}

/// Refuses an option without its value, or with one that it does not take.
fn unvalued(word: &[u8]) -> Refusal {
    refusal("an option without the value that it takes", word)
}

fn refusal(what: &str, word: &[u8]) -> Refusal {
    Refusal::UnknownOption(format!("{what}: {}", String::from_utf8_lossy(word)))
}

/// What an option was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing.
    None,
    /// A value.
    Text(&'a [u8]),
    /// A number.
    Number(Count),
}

/// An option, as it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given<'a, K> {
    /// Which one.
    pub key: K,
    /// Its value.
    pub value: Value<'a>,
}

impl<'a, K> Given<'a, K> {
    /// Its value; empty where it has none.
    pub fn text(&self) -> &'a [u8] {
        match self.value {
            Value::Text(text) => text,
            _ => b"",
        }
    }

    /// Its number; 0 where it takes none.
    pub fn number(&self) -> u64 {
        match self.value {
            Value::Number(count) => count.number,
            _ => 0,
        }
    }
}

/// The words of a command line, told apart.
#[derive(Clone, Debug)]
pub struct Parsed<'a, K> {
    /// The options, in order.
    pub options: Vec<Given<'a, K>>,
    /// What is no option, in order.
    pub operands: Vec<&'a [u8]>,
}

impl<K: Copy + PartialEq> Parsed<'_, K> {
    /// Whether the option was given.
    pub fn has(&self, key: K) -> bool {
        self.options.iter().any(|given| given.key == key)
    }
}

impl<K: Copy + PartialEq> Table<K> {
    /// Reads `args`, without the program's name.
    ///
    /// # Errors
    /// An option that is not known here, or not clear; a value that is missing, too much, or no number.
    pub fn parse<'a, A: AsRef<[u8]>>(&self, args: &'a [A]) -> Result<Parsed<'a, K>, Refusal> {
        let mut parsed = Parsed {
            options: Vec::new(),
            operands: Vec::new(),
        };
        let mut words = args.iter().map(AsRef::as_ref);
        let mut behind_operand = false;
        while let Some(word) = words.next() {
            // Seen: of `-12` right behind an operand, grep takes the 2 alone.
            let several = matches!(word, [b'-', b'0'..=b'9', b'0'..=b'9', ..]);
            if std::mem::take(&mut behind_operand) && several && self.digits.is_some() {
                return Err(refusal(
                    "a number of several digits behind an operand",
                    word,
                ));
            }
            if word == b"--" {
                parsed.operands.extend(words);
                break;
            } else if let Some(long) = word.strip_prefix(b"--") {
                let given = self.long(word, long, &mut words)?;
                parsed.options.push(given);
            } else if word.len() > 1 && word[0] == b'-' {
                self.cluster(word, &mut words, &mut parsed.options)?;
            } else if self.plus && word.starts_with(b"+") {
                return Err(unknown(word));
            } else {
                parsed.operands.push(word);
                behind_operand = true;
                if self.style == Style::GnuFirst {
                    parsed.operands.extend(words);
                    break;
                }
            }
        }
        Ok(parsed)
    }

    /// Reads a long name, without its dashes.
    fn long<'a>(
        &self,
        word: &'a [u8],
        text: &'a [u8],
        words: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<Given<'a, K>, Refusal> {
        let (name, value) = match memchr::memchr(b'=', text) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        let known = self.named(name).ok_or_else(|| unknown(word))?;
        let value = match (known.takes, value) {
            (Takes::Nothing, Some(_)) => return Err(unvalued(word)),
            (Takes::Text | Takes::Number(_), None) => {
                Some(words.next().ok_or_else(|| unvalued(word))?)
            }
            (_, value) => value,
        };
        known.given(word, value)
    }

    /// The option of this long name, or the one whose name alone begins so.
    fn named(&self, name: &[u8]) -> Option<&Known<K>> {
        let begins = |known: &&Known<K>| {
            known
                .long
                .is_some_and(|long| long.as_bytes().starts_with(name))
        };
        let mut exact = self.known.iter().filter(begins);
        if let Some(exact) = exact.find(|known| known.long.is_some_and(|l| l.len() == name.len())) {
            return Some(exact);
        }
        if !matches!(self.style, Style::Gnu | Style::GnuFirst) {
            return None;
        }
        let mut meant = self.known.iter().filter(begins);
        let first = meant.next()?;
        // Two names of one option are no two options.
        let same = |other: &Known<K>| (other.key, other.letter) == (first.key, first.letter);
        meant.all(same).then_some(first)
    }

    /// Reads the letters behind one dash.
    fn cluster<'a>(
        &self,
        word: &'a [u8],
        words: &mut impl Iterator<Item = &'a [u8]>,
        options: &mut Vec<Given<'a, K>>,
    ) -> Result<(), Refusal> {
        let mut at = 1;
        while let Some(&letter) = word.get(at) {
            if let (true, Some(key)) = (letter.is_ascii_digit(), self.digits) {
                let end = word[at..].iter().position(|b| !b.is_ascii_digit());
                let digits = &word[at..end.map_or(word.len(), |end| at + end)];
                at += digits.len();
                let value = Value::Number(DIGITS.read(digits)?);
                options.push(Given { key, value });
                continue;
            }
            at += 1;
            let known = self.known.iter().find(|k| k.letter == Some(letter));
            let known = known.ok_or_else(|| unknown(word))?;
            let rest = &word[at..];
            let rest = match (self.style, rest) {
                (Style::Whole, [b'=', rest @ ..]) => Some(rest),
                (_, []) => None,
                (_, rest) => Some(rest),
            };
            let value = match known.takes {
                Takes::Nothing | Takes::Maybe => {
                    options.push(known.given(word, None)?);
                    continue;
                }
                Takes::Attached => rest,
                Takes::Text | Takes::Number(_) => match (rest, self.style) {
                    (Some(_), Style::NextWord) => return Err(unvalued(word)),
                    (Some(rest), _) => Some(rest),
                    (None, _) => Some(words.next().ok_or_else(|| unvalued(word))?),
                },
            };
            options.push(known.given(word, value)?);
            break;
        }
        Ok(())
    }
}

impl<K: Copy + PartialEq> Known<K> {
    /// The option with this value.
    fn given<'a>(&self, word: &[u8], value: Option<&'a [u8]>) -> Result<Given<'a, K>, Refusal> {
        let key = self.key.ok_or_else(|| unknown(word))?;
        let value = match (self.takes, value) {
            (_, None) => Value::None,
            (Takes::Number(number), Some(text)) => Value::Number(number.read(text)?),
            (_, Some(text)) => Value::Text(text),
        };
        Ok(Given { key, value })
    }
}

/// What `-NUM` may be; programs complain of more.
const DIGITS: Number = Number::between(0, i64::MAX as u64);

#[cfg(test)]
mod tests {
    use super::super::{both, letter, long, other};
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Key {
        Count,
        Quiet,
        Color,
        Suffix,
        Digits,
    }

    const NUMBER: Number = Number::between(0, 9);
    const KNOWN: &[Known<Key>] = &[
        both(Key::Count, 'c', "count", Takes::Number(&NUMBER)),
        both(Key::Quiet, 'q', "quiet", Takes::Nothing),
        both(Key::Quiet, 'q', "quite", Takes::Nothing),
        long(Key::Color, "color", Takes::Maybe),
        letter(Key::Suffix, 'i', Takes::Attached),
        other('z', "zero", Takes::Nothing),
    ];

    fn read(style: Style, line: &str) -> Option<String> {
        let table = Table::new(style, KNOWN).with_digits(Key::Digits);
        let words: Vec<&str> = line.split_whitespace().collect();
        let parsed = table.parse(&words).ok()?;
        let mut text = String::new();
        for given in &parsed.options {
            text += &match given.value {
                Value::None => format!("{:?} ", given.key),
                Value::Text(value) => format!("{:?}={} ", given.key, value.escape_ascii()),
                Value::Number(count) => format!("{:?}={} ", given.key, count.number),
            };
        }
        for operand in &parsed.operands {
            text += &format!("{} ", operand.escape_ascii());
        }
        Some(text.trim_end().to_string())
    }

    #[test]
    fn words_are_read_as_getopt_long_reads_them() {
        let gnu = |line| read(Style::Gnu, line);
        let some = |text: &str| Some(text.to_string());
        assert_eq!(gnu("a -qc3 b"), some("Quiet Count=3 a b"));
        assert_eq!(gnu("-c 3 -- -q"), some("Count=3 -q"));
        assert_eq!(gnu("--cou=3 --qui --col"), some("Count=3 Quiet Color"));
        assert_eq!(gnu("--color=x -ibak -i"), some("Color=x Suffix=bak Suffix"));
        assert_eq!(gnu("-12q3"), some("Digits=12 Quiet Digits=3"));
        assert_eq!(gnu("a -q -12 b -3"), some("Quiet Digits=12 Digits=3 a b"));
        let table = Table::new(Style::Gnu, KNOWN).with_digits(Key::Digits);
        assert_eq!(
            table.parse(&["a", "", "-"]).unwrap().operands.len(),
            3,
            "empty words are operands"
        );
        for line in [
            "--co=3",
            "-z",
            "--z",
            "-c",
            "-c10",
            "--quiet=1",
            "-x",
            "--x",
            "a -12",
        ] {
            assert_eq!(gnu(line), None, "{line}");
        }
        assert_eq!(read(Style::GnuFirst, "-q a -q"), some("Quiet a -q"));
    }

    #[test]
    fn other_programs_read_long_names_whole() {
        let some = |text: &str| Some(text.to_string());
        assert_eq!(
            read(Style::Whole, "-c=3 --count 4"),
            some("Count=3 Count=4")
        );
        assert_eq!(read(Style::Whole, "--cou=3"), None);
        assert_eq!(read(Style::NextWord, "-qc 3"), some("Quiet Count=3"));
        assert_eq!(read(Style::NextWord, "-c3"), None);
    }
}
