//! What `--include`, `--exclude` and `--exclude-dir` leave out.
//!
//! The manual's rules: the last glob that matches decides; where none does, a file is left out if the first glob is an
//! `--include`. Below a folder a glob is compared with the base name, on the command line with each suffix of the
//! operand that begins with it or behind a slash; a wildcard matches slashes too.

use curserve_text::fnmatch::Pattern;

use super::errors::refuse;
use super::options::Glob;
use crate::Refusal;

/// The globs of a call, for files or for folders.
pub(super) struct Globs(Vec<(Pattern, Outcome)>);

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Kept,
    LeftOut,
}

impl Globs {
    /// Reads them, in the order given.
    pub(super) fn new(globs: &[Glob]) -> Result<Globs, Refusal> {
        let mut read = Vec::with_capacity(globs.len());
        for glob in globs {
            if glob.pattern.is_empty() {
                return refuse("an empty glob");
            }
            let outcome = match glob.include {
                true => Outcome::Kept,
                false => Outcome::LeftOut,
            };
            read.push((Pattern::new(&glob.pattern, false)?, outcome));
        }
        Ok(Globs(read))
    }

    /// Whether an entry of this base name is left out.
    pub(super) fn leave_out_entry(&self, name: &[u8]) -> Result<bool, Refusal> {
        self.leave_out(|pattern| pattern.matches(name))
    }

    /// Whether an operand, as it was written, is left out.
    pub(super) fn leave_out_operand(&self, operand: &[u8]) -> Result<bool, Refusal> {
        self.leave_out(|pattern| {
            for (at, byte) in operand.iter().enumerate() {
                let begins = at == 0 || operand[at - 1] == b'/' && *byte != b'/';
                if begins && pattern.matches(&operand[at..])? {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    fn leave_out(
        &self,
        mut matches: impl FnMut(&Pattern) -> Result<bool, Refusal>,
    ) -> Result<bool, Refusal> {
        for (pattern, outcome) in self.0.iter().rev() {
            if matches(pattern)? {
                return Ok(*outcome == Outcome::LeftOut);
            }
        }
        Ok(matches!(self.0.first(), Some((_, Outcome::Kept))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globs(written: &[(&str, bool)]) -> Globs {
        let globs: Vec<Glob> = written
            .iter()
            .map(|(pattern, include)| Glob {
                pattern: pattern.as_bytes().to_vec(),
                include: *include,
            })
            .collect();
        Globs::new(&globs).unwrap()
    }

    #[test]
    fn the_last_that_matches_decides_else_the_first() {
        let left_out =
            |written: &[(&str, bool)], name: &[u8]| globs(written).leave_out_entry(name).unwrap();
        let (py, a) = (("*.py", true), ("a*", false));
        assert!(left_out(&[py, a], b"a.py") && left_out(&[py, a], b"b.txt"));
        assert!(!left_out(&[a, py], b"a.py") && !left_out(&[a, py], b"b.txt"));
        assert!(!left_out(&[], b"a"));
    }

    #[test]
    fn an_operand_is_compared_by_its_suffixes() {
        let left_out = |glob: &str, operand: &[u8]| {
            globs(&[(glob, false)]).leave_out_operand(operand).unwrap()
        };
        assert!(left_out("s/c", b"./s/c") && left_out("*/c", b"s/c") && left_out("s*", b"s//c"));
        assert!(!left_out("/c", b"s/c") && !left_out("s", b"s/c") && !left_out("s/c", b"s//c"));
        assert!(!left_out("s", b"s/") && !left_out(".", b"./"));
    }
}
