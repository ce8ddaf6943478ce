//! A program over a text, and the lines that it marks.

use std::ops::Range;

use curserve_corpus::Facts;
use regex_syntax::hir::Hir;

use super::bits::{to_ends, Bits, BLOCK, WORDS};
use super::class;
use super::compile::{compile, is_any_beyond};
use super::program::Program;

/// Finds the lines in which an expression matches.
#[derive(Debug)]
pub(crate) struct Streams {
    /// For text of ASCII alone …
    ascii: Program,
    /// … and for any other.
    loose: Program,
    /// A line of UTF-8 that is not ASCII alone matches.
    any_beyond: bool,
}

/// A line that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it lies, without its end.
    pub(crate) range: Range<usize>,
    /// How many lines of the part come before it.
    pub(crate) before: u64,
    /// It matches. Otherwise it has bytes beyond ASCII, and may.
    pub(crate) sure: bool,
}

/// What is kept from block to block.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    kept: Vec<u64>,
    streams: Vec<Bits>,
}

/// How far a part has been read.
struct Reader<'r> {
    program: &'r Program,
    /// Every line that is found matches.
    exact: bool,
    desk: &'r mut Desk,
    part: Range<usize>,
    /// Where the line begins that is being read, and how many came before it.
    line: usize,
    before: u64,
    marked: u64,
    beyond: u64,
}

impl Streams {
    /// For lines in which one of `patterns` matches; None where an automaton finds them as quickly.
    pub(crate) fn of(patterns: &[Hir]) -> Option<Streams> {
        Some(Streams {
            ascii: compile(patterns, false)?,
            loose: compile(patterns, true)?,
            any_beyond: is_any_beyond(patterns),
        })
    }

    /// Gives `found` the lines of `part` (whole lines of `bytes`) that match or may, until it says no; returns how many lines end
    /// in the part, or None where it was left.
    pub(crate) fn lines(
        &self,
        bytes: &[u8],
        part: Range<usize>,
        facts: Facts,
        desk: &mut Desk,
        found: impl FnMut(Line) -> bool,
    ) -> Option<u64> {
        let program = match facts.is_ascii {
            true => &self.ascii,
            false => &self.loose,
        };
        let reader = Reader {
            line: part.start,
            program,
            exact: facts.is_utf8 && self.any_beyond,
            desk,
            part,
            before: 0,
            marked: 0,
            beyond: 0,
        };
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("bmi2")
            && std::is_x86_feature_detected!("popcnt")
        {
            // SAFETY: the processor has these instructions.
            return unsafe { read_avx2(reader, bytes, found) };
        }
        reader.read(bytes, class::streams, found)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt,lzcnt")]
fn read_avx2(reader: Reader<'_>, bytes: &[u8], found: impl FnMut(Line) -> bool) -> Option<u64> {
    let streams = |block: &_, sets: &_, into: &mut _| class::streams_avx2(block, sets, into);
    reader.read(bytes, streams, found)
}

impl Reader<'_> {
    #[inline(always)]
    fn read(
        mut self,
        bytes: &[u8],
        streams: impl Fn(&[u8; BLOCK], &[class::Set], &mut [Bits]),
        mut found: impl FnMut(Line) -> bool,
    ) -> Option<u64> {
        let program = self.program;
        program.kept(&mut self.desk.kept);
        let all = program.sets.len() + program.steps.len();
        self.desk
            .streams
            .resize(all.max(self.desk.streams.len()), [0; WORDS]);
        let mut at = self.part.start;
        // The last line ends there, whether it says so or not: line ends are added.
        let mut added = 0;
        let ends = bytes[self.part.clone()].last() == Some(&b'\n');
        while at < self.part.end + usize::from(!ends) {
            let mut rest = [b'\n'; BLOCK];
            let block = match bytes[at..self.part.end].first_chunk() {
                Some(block) => block,
                None => {
                    let left = &bytes[at..self.part.end];
                    rest[..left.len()].copy_from_slice(left);
                    added = (BLOCK - left.len()) as u64;
                    &rest
                }
            };
            streams(block, &program.sets, &mut self.desk.streams);
            program.take_steps(&mut self.desk.kept, &mut self.desk.streams);
            if !self.tell(at, &mut found) {
                return None;
            }
            at += BLOCK;
        }
        Some(self.before - added)
    }

    /// Gives `found` the marked lines that end in the block at `at`.
    #[inline(always)]
    fn tell(&mut self, at: usize, found: &mut impl FnMut(Line) -> bool) -> bool {
        let streams = &self.desk.streams;
        let (ends, high) = (&streams[0], &streams[1]);
        let marks = self.program.marks;
        let marks = marks.map_or(&[0; WORDS], |marks| &streams[self.program.place(marks)]);
        let lines = to_ends(marks, ends, &mut self.marked);
        let beyond = to_ends(high, ends, &mut self.beyond);
        for word in 0..WORDS {
            let base = at + 64 * word;
            let mut left = lines[word];
            while left != 0 {
                let bit = left.trailing_zeros();
                let earlier = ends[word] & ((1 << bit) - 1);
                let start = match earlier {
                    0 => self.line,
                    _ => base + 64 - earlier.leading_zeros() as usize,
                };
                if start >= self.part.end {
                    break; // beyond the text there is none
                }
                let line = Line {
                    range: start..(base + bit as usize).min(self.part.end),
                    before: self.before + u64::from(earlier.count_ones()),
                    sure: self.exact || beyond[word] >> bit & 1 == 0,
                };
                if !found(line) {
                    return false;
                }
                left &= left - 1;
            }
            if ends[word] != 0 {
                self.line = base + 64 - ends[word].leading_zeros() as usize;
                self.before += u64::from(ends[word].count_ones());
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::meta::Regex;

    use super::*;

    fn parsed(pattern: &str) -> Hir {
        let mut parser = regex_syntax::ParserBuilder::new();
        parser
            .utf8(false)
            .multi_line(true)
            .build()
            .parse(pattern)
            .unwrap()
    }

    /// The lines that match, by an automaton.
    fn matching(pattern: &str, text: &[u8]) -> Vec<usize> {
        let regex = Regex::builder().build_from_hir(&parsed(pattern)).unwrap();
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let lines = text.split(|&byte| byte == b'\n').enumerate();
        lines
            .filter(|(_, line)| regex.is_match(line))
            .map(|(at, _)| at)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn lines_are_those_that_an_automaton_finds(
            pattern in r"(([ab_]|\[\^\\x00-\\x7F\]|\\w|\\W|\\d|\\s|\\S|\\b|\\B|é|[aé1]|\[\^a\]|\[é-ö\]|\.|\^|\$|\(a\|b1\)|\(ab\|\))([+*?]|\{2\}|\{3\}|\{5,\}|\{1,3\})?){1,5}",
            text in proptest::collection::vec(prop::sample::select(
                b"aaaabb1_ -\n\n".iter().copied().map(|b| vec![b]).chain(["é".into(), "ö".into(), vec![0xC3], vec![b'a'; 70], vec![b' '; 600]]).collect::<Vec<_>>()
            ), 1..400),
        ) {
            let text = text.concat();
            let Ok(hir) = regex_syntax::ParserBuilder::new().utf8(false).multi_line(true).build().parse(&pattern) else {
                return Ok(());
            };
            let Some(streams) = Streams::of(&[hir]) else {
                return Ok(());
            };
            let theirs = matching(&pattern, &text);
            let (mut ours, mut desk) = (Vec::new(), Desk::default());
            let count = streams.lines(&text, 0..text.len(), Facts::of(&text), &mut desk, |line| {
                ours.push(line);
                true
            });
            let body = text.strip_suffix(b"\n").unwrap_or(&text);
            let mut start = 0;
            let mut ours = ours.into_iter().peekable();
            for (number, line) in body.split(|&byte| byte == b'\n').enumerate() {
                let range = start..start + line.len();
                start = range.end + 1;
                match ours.next_if(|found| found.before == number as u64) {
                    None => prop_assert!(!theirs.contains(&number), "line {} is lacking", number),
                    Some(found) => {
                        prop_assert_eq!(&found.range, &range);
                        prop_assert!(found.sure || !line.is_ascii());
                        prop_assert!(!found.sure || theirs.contains(&number), "line {} is not one", number);
                    }
                }
            }
            prop_assert_eq!(ours.next(), None);
            let ends = memchr::memchr_iter(b'\n', &text).count();
            prop_assert_eq!(count, Some(ends as u64));
        }
    }

    #[test]
    fn the_fixed_expressions_have_programs() {
        for pattern in [
            "self",
            r"\d+\.\d+",
            r"^\s+\w+\s*=",
            r"[A-Z]+_[A-Z]+",
            r"\w{5}\s+\w{5}\s+\w{5}",
            r"\b\w{24,}\b",
            r"[a-z]+[0-9]+[a-z]+",
            r"\w+\(\w*\)$",
            r"[^\x00-\x7F]",
        ] {
            let streams = Streams::of(&[parsed(pattern)]).unwrap();
            assert!(streams.loose.steps.len() < 40, "{pattern}: {streams:?}");
        }
        for pattern in ["a*", "x(ab)*y", r"\Aa", "x[a-c]{70}"] {
            assert!(Streams::of(&[parsed(pattern)]).is_none(), "{pattern}");
        }
    }
}
