//! `--include`, `--exclude` and `--exclude-dir`, as gnulib's exclude module decides them.

use super::options::Glob;
use crate::fnmatch::Pattern;
use crate::Refusal;

/// One list of globs, with gnulib's rule: the last one that matches decides; with none, the opposite of the first.
#[derive(Clone, Debug, Default)]
pub(super) struct Excludes {
    globs: Vec<(Pattern, bool)>,
}

impl Excludes {
    pub(super) fn new(globs: &[Glob]) -> Result<Excludes, Refusal> {
        let parse = |glob: &Glob| Ok((Pattern::new(&glob.pattern, false)?, glob.include));
        Ok(Excludes {
            globs: globs.iter().map(parse).collect::<Result<_, Refusal>>()?,
        })
    }

    /// Whether a name met on the walk is left out: the whole name must match.
    pub(super) fn excludes_entry(&self, name: &[u8]) -> Result<bool, Refusal> {
        self.excludes(|pattern| pattern.matches(name))
    }

    /// Whether an operand is left out: the name, or what follows any slash in it, must match.
    pub(super) fn excludes_operand(&self, name: &[u8]) -> Result<bool, Refusal> {
        self.excludes(|pattern| {
            let after_slash = |at: &usize| name[*at] == b'/' && name.get(at + 1) != Some(&b'/');
            let mut found = pattern.matches(name)?;
            for at in (0..name.len()).filter(after_slash) {
                found = found || pattern.matches(&name[at + 1..])?;
            }
            Ok(found)
        })
    }

    fn excludes(
        &self,
        matches: impl Fn(&Pattern) -> Result<bool, Refusal>,
    ) -> Result<bool, Refusal> {
        let Some((_, first_includes)) = self.globs.first() else {
            return Ok(false);
        };
        for (pattern, include) in self.globs.iter().rev() {
            if matches(pattern)? {
                return Ok(!include);
            }
        }
        Ok(*first_includes)
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
        assert!(
            !only_python.excludes_entry(b"a.py").unwrap()
                && only_python.excludes_entry(b"a.txt").unwrap()
        );
        let no_tests = globs(&[("*.py", true), ("test_*", false)]);
        assert!(
            no_tests.excludes_entry(b"test_a.py").unwrap()
                && !no_tests.excludes_entry(b"a.py").unwrap()
        );
        assert!(globs(&[("b.py", false)])
            .excludes_operand(b"x/b.py")
            .unwrap());
        assert!(!globs(&[("b.py", false)]).excludes_entry(b"x/b.py").unwrap());
        assert!(!globs(&[]).excludes_entry(b"a").unwrap());
    }
}
