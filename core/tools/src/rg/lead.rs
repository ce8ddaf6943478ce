//! What every matching line holds, so that only lines with it are looked at: a string, or a long run of some bytes.

use memchr::memmem::Finder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

use super::options::{Case, Options};

/// A run is worth looking for from this length on …
const LONG: u32 = 16;
/// … and of no more ASCII characters than this: letters, digits and the underscore.
const FEW: usize = 70;

/// What a line is found by.
pub(super) enum Lead {
    /// This string.
    Literal(Box<Finder<'static>>),
    /// So many bytes of a set.
    Run(Box<Run>),
}

impl Lead {
    /// By `text`.
    pub(super) fn literal(text: &[u8]) -> Lead {
        Lead::Literal(Box::new(Finder::new(text).into_owned()))
    }

    /// By what every match of the one pattern holds, if that is rare enough. None where a line by itself might match
    /// otherwise than in its file.
    pub(super) fn of(options: &Options) -> Option<Lead> {
        let [pattern] = options.patterns.as_slice() else {
            return None;
        };
        let sensitive = options.case == Case::Sensitive;
        if options.fixed {
            let fits = sensitive && pattern.len() >= 3 && !pattern.contains('\n');
            return fits.then(|| Lead::literal(pattern.as_bytes()));
        }
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .multi_line(true)
            .case_insensitive(!sensitive)
            .build()
            .parse(pattern)
            .ok()?;
        let looks = hir.properties().look_set();
        if looks.contains(Look::Start) || looks.contains(Look::End) {
            return None;
        }
        let text =
            longest(&hir).filter(|text| sensitive && text.len() >= 3 && !text.contains(&b'\n'));
        text.map(Lead::literal)
            .or_else(|| run(&hir).map(|run| Lead::Run(Box::new(run))))
    }

    /// Where the first one lies: a byte of a line that may match.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Lead::Literal(finder) => finder.find(bytes),
            Lead::Run(run) => run.find(bytes),
        }
    }
}

/// The longest string that every match holds.
fn longest(hir: &Hir) -> Option<&[u8]> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(&literal.0),
        HirKind::Capture(capture) => longest(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => longest(&repetition.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .filter_map(longest)
            .max_by_key(|text| text.len()),
        _ => None,
    }
}

/// A run of bytes of one set.
pub(super) struct Run {
    set: [bool; 256],
    least: usize,
}

impl Run {
    /// A byte within the first run.
    fn find(&self, bytes: &[u8]) -> Option<usize> {
        // Whatever run begins after the last byte that is none of the set has its last byte here, or later.
        let mut at = self.least - 1;
        while let Some(&byte) = bytes.get(at) {
            if !self.set[usize::from(byte)] {
                at += self.least;
                continue;
            }
            let before = bytes[..at].iter().rev();
            let before = before
                .take_while(|&&byte| self.set[usize::from(byte)])
                .take(self.least);
            let wanted = self.least.saturating_sub(before.count());
            let after = bytes[at..].iter().take(wanted);
            let after = after
                .take_while(|&&byte| self.set[usize::from(byte)])
                .count();
            if after == wanted {
                return Some(at);
            }
            at += after + self.least;
        }
        None
    }
}

/// The longest run that every match holds, where it is rare.
fn run(hir: &Hir) -> Option<Run> {
    match hir.kind() {
        HirKind::Capture(capture) => run(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => match repetition.sub.kind() {
            HirKind::Class(class) if repetition.min >= LONG => {
                let set = bytes_of(class);
                let few = set[..0x80].iter().filter(|&&held| held).count() <= FEW;
                few.then_some(Run {
                    set,
                    least: repetition.min as usize,
                })
            }
            _ => run(&repetition.sub),
        },
        HirKind::Concat(parts) => parts.iter().filter_map(run).max_by_key(|run| run.least),
        _ => None,
    }
}

/// The bytes that may occur in a class's characters; a newline does not, since matches end at line ends.
fn bytes_of(class: &Class) -> [bool; 256] {
    let mut set = [false; 256];
    match class {
        Class::Unicode(class) => {
            for range in class.ranges() {
                let (low, high) = (range.start() as usize, range.end() as usize);
                set[low.min(0x80)..(high + 1).min(0x80)].fill(true);
                if high >= 0x80 {
                    set[0x80..].fill(true);
                }
            }
        }
        Class::Bytes(class) => {
            for range in class.ranges() {
                set[range.start().into()..=range.end().into()].fill(true);
            }
        }
    }
    set[usize::from(b'\n')] = false;
    set
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(pattern: &str) -> Options {
        Options::parse(&[b"-n".to_vec(), b"-e".to_vec(), pattern.as_bytes().to_vec()]).unwrap()
    }

    #[test]
    fn what_a_match_holds_is_what_it_says() {
        let held = |pattern: &str| match Lead::of(&options(pattern)) {
            Some(Lead::Literal(finder)) => String::from_utf8(finder.needle().to_vec()).ok(),
            _ => None,
        };
        assert_eq!(held(r"def\s+\w+_handler").as_deref(), Some("_handler"));
        assert_eq!(held(r"(foobar)+x").as_deref(), Some("foobar"));
        for pattern in [
            "foo|bar",
            "(foobar)?x",
            "fo+",
            r"\Afoobar",
            "(?i)foobar",
            r"a\nbcd",
        ] {
            assert_eq!(held(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn long_runs_of_few_characters_are_looked_for() {
        for (pattern, least) in [
            (r"\b\w{24,}\b", Some(24)),
            (r"(x|[0-9a-f]{40})", None),
            (r"^([0-9a-f]{40})\s", Some(40)),
            (r"\w{5}\s+\w{5}", None),
            (r".{80,}", None),
            (r"([0-9A-F]{2}){20}", None),
        ] {
            let found = match Lead::of(&options(pattern)) {
                Some(Lead::Run(run)) => Some(run.least),
                _ => None,
            };
            assert_eq!(found, least, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn a_run_is_found_where_there_is_one(text in "[a é\n-]{0,80}", least in 16u32..20) {
            // Rare characters are made common, so that runs of about the length occur.
            let text: String = text.chars().flat_map(|c| std::iter::repeat_n(c, if c == 'a' { 7 } else { 1 })).collect();
            let hir = regex_syntax::parse(&format!(r"[a\n-]{{{least},}}")).unwrap();
            let run = run(&hir).unwrap();
            let is_held = |byte: &u8| b"a-".contains(byte);
            let longest = text.as_bytes().split(|byte| !is_held(byte)).map(<[u8]>::len).max();
            let found = run.find(text.as_bytes());
            prop_assert_eq!(found.is_some(), longest >= Some(least as usize));
            if let Some(at) = found {
                let before = text.as_bytes()[..at].iter().rev().take_while(|byte| is_held(byte)).count();
                let after = text.as_bytes()[at..].iter().take_while(|byte| is_held(byte)).count();
                prop_assert!(before + after >= least as usize);
            }
        }
    }
}
