//! What is known of a call before it runs, for those who plan around it: the shell, `find -exec`, the other locale.

use super::options::{self, Folders, List, Matcher, Options, Source};

/// What a command line of grep asks for. A call that is refused has none of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// It searches standard input and nothing else, to the end.
    pub reads_all: bool,
    /// It surely leaves standard input alone.
    pub leaves_stdin: bool,
    /// What it prints of the first lines of a text is the beginning of what it prints of all: line for line, none of them
    /// counted, and no context.
    pub by_line: bool,
    /// It prints the names of the files that match, a line each, and nothing else of them.
    pub lists: bool,
    /// It goes below folders.
    pub recurses: bool,
    /// How many files or folders it names.
    pub operands: usize,
}

impl Facts {
    /// Those of `words`, the name of the program first; None where the call is refused.
    pub fn of<A: AsRef<[u8]>>(words: &[A]) -> Option<Facts> {
        let (name, args) = words.split_first()?;
        let matcher = match name.as_ref() {
            b"grep" => None,
            b"egrep" => Some(Matcher::Extended),
            b"fgrep" => Some(Matcher::Fixed),
            _ => return None,
        };
        let options = options::parse(args, matcher).ok()?;
        Some(Facts::from(&options))
    }
}

impl From<&Options> for Facts {
    fn from(options: &Options) -> Facts {
        let recurses = options.folders == Folders::Recurse;
        let operands = &options.operands;
        let reads_stdin = match operands.as_slice() {
            [] => !recurses,
            operands => operands.iter().any(|operand| operand == b"-"),
        };
        // A file of patterns may be standard input, or not there.
        let given = options
            .sources
            .iter()
            .all(|source| matches!(source, Source::Given(_)));
        let to_the_end =
            options.max_count == u64::MAX && !options.quiet && options.list == List::Nothing;
        let plain = given && options.max_count == u64::MAX && !options.quiet && !options.null_names;
        Facts {
            reads_all: given && to_the_end && reads_stdin && operands.len() <= 1,
            leaves_stdin: given && !reads_stdin,
            by_line: plain && options.list == List::Nothing && !options.count && !options.groups(),
            lists: plain && options.list == List::Matching && !options.invert,
            recurses,
            operands: operands.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Option<Facts> {
        Facts::of(&line.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn what_reads_all_of_its_input() {
        let reads = |line| of(line).is_some_and(|facts| facts.reads_all);
        for line in [
            "grep x",
            "egrep -vc x -",
            "grep -A3 --color=auto x",
            "grep -e x -e y",
        ] {
            assert!(reads(line), "{line}");
        }
        for line in [
            "grep -q x",
            "grep -m1 x",
            "grep -l x",
            "grep x f",
            "grep -r x",
            "grep -f p",
            "rg x",
        ] {
            assert!(!reads(line), "{line}");
        }
    }

    #[test]
    fn what_leaves_its_input_alone() {
        let leaves = |line| of(line).is_some_and(|facts| facts.leaves_stdin);
        for line in ["grep x f", "grep -r x", "grep -m1 x f g"] {
            assert!(leaves(line), "{line}");
        }
        for line in ["grep x", "grep x f -", "grep -f - x", "grep --nope x f"] {
            assert!(!leaves(line), "{line}");
        }
    }

    #[test]
    fn what_works_line_by_line() {
        let works = |line| of(line).is_some_and(|facts| facts.by_line);
        for line in ["grep x", "grep -vin --color x", "grep -oE x f"] {
            assert!(works(line), "{line}");
        }
        for line in [
            "grep -c x",
            "grep -m1 x",
            "grep -A3 x",
            "grep -2 x",
            "grep -l x",
            "grep -z x",
        ] {
            assert!(!works(line), "{line}");
        }
    }
}
