//! `--include`, `--exclude` and `--exclude-dir`, as gnulib's exclude module decides them.

use super::errors::refuse;
use super::options::Glob;
use crate::Refusal;

/// One list of globs, with gnulib's rule: the last one that matches decides; with none, the opposite of the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Excludes {
    globs: Vec<(Pattern, bool)>,
}

impl Excludes {
    pub(super) fn new(globs: &[Glob]) -> Result<Excludes, Refusal> {
        let parse = |glob: &Glob| Ok((Pattern::new(&glob.pattern)?, glob.include));
        Ok(Excludes {
            globs: globs.iter().map(parse).collect::<Result<_, Refusal>>()?,
        })
    }

    /// Whether a name met on the walk is left out: the whole name must match.
    pub(super) fn excludes_entry(&self, name: &[u8]) -> bool {
        self.excludes(|pattern| pattern.matches(name))
    }

    /// Whether an operand is left out: the name, or what follows any slash in it, must match.
    pub(super) fn excludes_operand(&self, name: &[u8]) -> bool {
        self.excludes(|pattern| {
            let after_slash = |at: &usize| name[*at] == b'/' && name.get(at + 1) != Some(&b'/');
            pattern.matches(name)
                || (0..name.len())
                    .filter(after_slash)
                    .any(|at| pattern.matches(&name[at + 1..]))
        })
    }

    fn excludes(&self, matches: impl Fn(&Pattern) -> bool) -> bool {
        let Some((_, first_includes)) = self.globs.first() else {
            return false;
        };
        match self
            .globs
            .iter()
            .rev()
            .find(|(pattern, _)| matches(pattern))
        {
            Some((_, include)) => !include,
            None => *first_includes,
        }
    }
}

/// A glob as fnmatch(3) without flags reads it: `*` and `?` match slashes and leading dots.
#[derive(Clone, Debug)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Byte(u8),
    Any,
    Star,
    Set {
        ranges: Vec<(u8, u8)>,
        negated: bool,
    },
}

impl Pattern {
    pub(super) fn new(glob: &[u8]) -> Result<Pattern, Refusal> {
        let mut pieces = Vec::new();
        let mut rest = glob;
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            pieces.push(match first {
                b'*' => Piece::Star,
                b'?' => Piece::Any,
                b'[' => match set(rest)? {
                    Some((piece, used)) => {
                        rest = &rest[used..];
                        piece
                    }
                    None => Piece::Byte(b'['),
                },
                b'\\' => match rest.split_first() {
                    Some((&escaped, after)) => {
                        rest = after;
                        Piece::Byte(escaped)
                    }
                    None => return refuse("a glob that ends in a backslash"),
                },
                byte => Piece::Byte(byte),
            });
        }
        Ok(Pattern(pieces))
    }

    pub(super) fn matches(&self, name: &[u8]) -> bool {
        // Backtracks to the last star only, which suffices.
        let (mut piece, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            let step = match self.0.get(piece) {
                None if at == name.len() => return true,
                None => None,
                Some(Piece::Star) => {
                    star = Some((piece, at));
                    piece += 1;
                    continue;
                }
                Some(one) => one.matches(&name[at..]),
            };
            match (step, star) {
                (Some(used), _) => {
                    piece += 1;
                    at += used;
                }
                (None, Some((from, start))) if start < name.len() => {
                    star = Some((from, start + 1));
                    piece = from + 1;
                    at = start + 1;
                }
                _ => return false,
            }
        }
    }
}

impl Piece {
    /// How many bytes it takes from the front of `name`; None: it does not match there.
    fn matches(&self, name: &[u8]) -> Option<usize> {
        let &first = name.first()?;
        match self {
            Piece::Byte(byte) => (*byte == first).then_some(1),
            Piece::Any => Some(char_len(name)),
            Piece::Set { ranges, negated } => {
                let inside = ranges
                    .iter()
                    .any(|&(low, high)| (low..=high).contains(&first));
                (inside != *negated).then(|| char_len(name))
            }
            Piece::Star => None,
        }
    }
}

/// The length of the UTF-8 character at the front; a byte that begins none counts alone.
fn char_len(bytes: &[u8]) -> usize {
    let len = match bytes[0] {
        0xC2..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xF4 => 4,
        _ => 1,
    };
    if bytes.len() >= len && std::str::from_utf8(&bytes[..len]).is_ok() {
        len
    } else {
        1
    }
}

/// Reads a bracket expression after its `[`; None: there is no closing bracket, so the `[` stands for itself.
fn set(text: &[u8]) -> Result<Option<(Piece, usize)>, Refusal> {
    let negated = matches!(text.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let mut at = start;
    let mut ranges = Vec::new();
    loop {
        match text.get(at) {
            None => return Ok(None),
            Some(b']') if at > start => return Ok(Some((Piece::Set { ranges, negated }, at + 1))),
            Some(b'[' | b'\\') => return refuse("a glob with a class or an escape in brackets"),
            Some(byte) if !byte.is_ascii() => {
                return refuse("a glob with brackets around other than ASCII")
            }
            Some(&low) => match (text.get(at + 1), text.get(at + 2)) {
                (Some(b'-'), Some(&high)) if high != b']' => {
                    if !high.is_ascii() || high == b'[' || high == b'\\' {
                        return refuse("a glob with an odd range");
                    }
                    ranges.push((low, high));
                    at += 3;
                }
                _ => {
                    ranges.push((low, low));
                    at += 1;
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_match_decides_and_none_is_the_opposite_of_the_first() {
        let globs = |list: &[(&str, bool)]| {
            let glob = |(pattern, include): &(&str, bool)| Glob {
                pattern: pattern.as_bytes().to_vec(),
                include: *include,
            };
            Excludes::new(&list.iter().map(glob).collect::<Vec<_>>()).unwrap()
        };
        let only_python = globs(&[("*.py", true)]);
        assert!(!only_python.excludes_entry(b"a.py") && only_python.excludes_entry(b"a.txt"));
        let no_tests = globs(&[("*.py", true), ("test_*", false)]);
        assert!(no_tests.excludes_entry(b"test_a.py") && !no_tests.excludes_entry(b"a.py"));
        assert!(globs(&[("b.py", false)]).excludes_operand(b"x/b.py"));
        assert!(!globs(&[("b.py", false)]).excludes_entry(b"x/b.py"));
        assert!(!globs(&[]).excludes_entry(b"a"));
    }

    #[test]
    fn globs_match_as_fnmatch_does() {
        let matches = |glob: &str, name: &str| {
            Pattern::new(glob.as_bytes())
                .unwrap()
                .matches(name.as_bytes())
        };
        for (glob, name) in [
            ("*", "a/b"),
            ("a*c*", "abcd"),
            ("?", "é"),
            ("[a-c]x", "bx"),
            ("[!a]", "é"),
            ("[]]", "]"),
            ("[", "["),
        ] {
            assert!(matches(glob, name), "{glob} {name}");
        }
        for (glob, name) in [
            ("?", "ab"),
            ("a", "ab"),
            ("[a-c]", "d"),
            ("*.py", "a.pyc"),
            ("", "a"),
        ] {
            assert!(!matches(glob, name), "{glob} {name}");
        }
    }
}
