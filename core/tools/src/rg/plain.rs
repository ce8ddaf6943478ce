//! The common form of output, `path:number:line`, without the general printer: dense answers are bound by what a line
//! costs.

use curserve_corpus::Content;
use grep_matcher::Matcher;
use grep_regex::RegexMatcher;
use grep_searcher::{Searcher, Sink, SinkMatch};
use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::options::{Case, Mode, Options};

/// How lines are found and written.
pub(super) struct Plain {
    /// What every match holds: only lines with it are looked at.
    literal: Option<Finder<'static>>,
    /// The pattern means itself: such a line matches.
    itself: bool,
    numbers: bool,
}

impl Plain {
    /// None where the output has another form.
    pub(super) fn of(options: &Options) -> Option<Plain> {
        let another = options.mode != Mode::Lines
            || options.quiet
            || options.invert
            || options.only_matching
            || options.column
            || options.byte_offset
            || options.heading
            || options.null
            || options.trim
            || options.vimgrep
            || options.multiline
            || options.max_columns.is_some()
            || options.max_count.is_some()
            || options.replace.is_some()
            || options.context() != (0, 0);
        if another {
            return None;
        }
        let itself = literal(options).map(|text| text.as_bytes().to_vec());
        Some(Plain {
            itself: itself.is_some(),
            literal: itself
                .or_else(|| required(options))
                .map(|text| Finder::new(&text).into_owned()),
            numbers: options.line_number.unwrap_or(false),
        })
    }

    /// Whether this content is searched as it is: nothing to transcode, no binary file to tell of.
    pub(super) fn serves(&self, content: &Content) -> bool {
        let facts = content.facts();
        !facts.has_nul && !facts.has_bom
    }

    /// The lines of `bytes` that match, as printed; None where the search failed.
    pub(super) fn search(
        &self,
        searcher: &mut Searcher,
        matcher: &RegexMatcher,
        bytes: &[u8],
        name: Option<&[u8]>,
    ) -> Option<Vec<u8>> {
        let mut lines = Lines {
            out: Vec::new(),
            name,
        };
        match &self.literal {
            Some(finder) => self.find(finder, matcher, bytes, &mut lines)?,
            None => searcher.search_slice(matcher, bytes, &mut lines).ok()?,
        }
        Some(lines.out)
    }

    fn find(
        &self,
        finder: &Finder<'_>,
        matcher: &RegexMatcher,
        bytes: &[u8],
        lines: &mut Lines<'_>,
    ) -> Option<()> {
        let (mut at, mut counted, mut number) = (0, 0, 1);
        while let Some(found) = finder.find(&bytes[at..]) {
            let hit = at + found;
            let start = memchr::memrchr(b'\n', &bytes[at..hit]).map_or(at, |end| at + end + 1);
            let end = memchr::memchr(b'\n', &bytes[hit..]).map_or(bytes.len(), |end| hit + end + 1);
            let line = bytes[start..end]
                .strip_suffix(b"\n")
                .unwrap_or(&bytes[start..end]);
            if !self.itself && !matcher.is_match(line).ok()? {
                at = end;
                continue;
            }
            if self.numbers {
                number += memchr::memchr_iter(b'\n', &bytes[counted..start]).count() as u64;
                counted = start;
            }
            lines.push(self.numbers.then_some(number), &bytes[start..end]);
            at = end;
        }
        Some(())
    }
}

/// The longest string that every match of the one pattern holds, if it is long enough to be rare. None where a line by
/// itself might match otherwise than in its file.
fn required(options: &Options) -> Option<Vec<u8>> {
    let [pattern] = options.patterns.as_slice() else {
        return None;
    };
    if options.case != Case::Sensitive {
        return None;
    }
    if options.fixed {
        return (pattern.len() >= 3 && !pattern.contains('\n'))
            .then(|| pattern.clone().into_bytes());
    }
    let hir = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .multi_line(true)
        .build()
        .parse(pattern)
        .ok()?;
    let looks = hir.properties().look_set();
    if looks.contains(Look::Start) || looks.contains(Look::End) {
        return None;
    }
    let found = longest(&hir)?;
    (found.len() >= 3 && !found.contains(&b'\n')).then(|| found.to_vec())
}

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

/// The one pattern, where it has no meaning beyond its letters.
fn literal(options: &Options) -> Option<&str> {
    let [pattern] = options.patterns.as_slice() else {
        return None;
    };
    let itself = options.fixed || !pattern.bytes().any(|b| !is_plain(b));
    let simple = options.case == Case::Sensitive && !options.word && !options.line;
    let fits = !pattern.is_empty() && !pattern.bytes().any(|b| b == b'\n' || b == 0);
    (itself && simple && fits).then_some(pattern)
}

/// A byte that is no operator of the regex syntax; beyond ASCII nothing is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || b"_ -/:;,<>=!@%&'\"`~".contains(&byte)
}

/// Whether a pattern means the same without Unicode where the text is ASCII: it names no character beyond, by itself or
/// by an escape (in any case, `ſ` is an `s`).
pub(super) fn is_ascii_alike(options: &Options) -> bool {
    let names_none = |pattern: &String| {
        pattern.is_ascii()
            && !["\\x", "\\u", "\\U", "\\p", "\\P"]
                .iter()
                .any(|escape| pattern.contains(escape))
    };
    options.patterns.iter().all(names_none)
}

struct Lines<'l> {
    out: Vec<u8>,
    name: Option<&'l [u8]>,
}

impl Lines<'_> {
    fn push(&mut self, number: Option<u64>, line: &[u8]) {
        if let Some(name) = self.name {
            self.out.extend_from_slice(name);
            self.out.push(b':');
        }
        if let Some(number) = number {
            crate::grep::push_number(&mut self.out, number);
            self.out.push(b':');
        }
        self.out.extend_from_slice(line);
        if line.last() != Some(&b'\n') {
            self.out.push(b'\n');
        }
    }
}

impl Sink for Lines<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        for (place, line) in found.lines().enumerate() {
            self.push(found.line_number().map(|n| n + place as u64), line);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn options(pattern: &str, flags: &[&str]) -> Options {
        let words: Vec<Vec<u8>> = flags
            .iter()
            .copied()
            .chain(["-e", pattern])
            .map(|word| word.as_bytes().to_vec())
            .collect();
        Options::parse(&words).unwrap()
    }

    proptest! {
        #[test]
        fn without_unicode_ascii_text_matches_alike(
            pattern in r"([ab_K\ ]|\\w|\\W|\\d|\\s|\\S|\\b|\\B|\.|\[\^a\]|[ab][+*?]|\(a\|B\)|\^|\$){1,6}",
            text in "[abBkKs_ 0-9\\-\n]{0,60}",
            flag in prop::sample::select(vec!["-n", "-i", "-w", "-x", "-S"]),
        ) {
            let options = options(&pattern, &[flag]);
            prop_assert!(is_ascii_alike(&options));
            let matchers = [true, false].map(|unicode| super::super::matcher(&options, unicode));
            let [Ok(with), Ok(without)] = matchers else {
                return Ok(());
            };
            let mut ends = [Vec::new(), Vec::new()];
            for (matcher, ends) in [&with, &without].into_iter().zip(&mut ends) {
                for line in text.split('\n') {
                    matcher
                        .find_iter(line.as_bytes(), |found| {
                            ends.push((found.start(), found.end()));
                            true
                        })
                        .unwrap();
                }
            }
            prop_assert_eq!(&ends[0], &ends[1]);
        }
    }

    #[test]
    fn what_a_match_holds_is_what_it_says() {
        let held = |pattern: &str| {
            required(&options(pattern, &["-n"])).map(|text| String::from_utf8(text).unwrap())
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
        assert!(!is_ascii_alike(&options("é", &[])));
        assert!(!is_ascii_alike(&options(r"\x{17f}", &["-i"])));
    }
}
