//! The patterns: compiled as rg compiles them, and as a query for the index.

use std::sync::OnceLock;

use curserve_corpus::Content;
use curserve_index::{Query, Within};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::options::{refuse, Case, Options};
use crate::Refusal;

/// Up to this weight ripgrep is sure to compile a pattern within its limit of memory, which is 100 MB.
const HEAVIEST: u64 = 100_000;

/// A pattern whose automaton takes more bytes is refused, after tens of milliseconds.
const AUTOMATON: usize = 4 << 20;
/// What each thread may keep of the states that it has met; the crate's own limit is a gigabyte.
const CACHE: usize = 16 << 20;
/// Longer patterns are refused, all together.
const LONGEST: usize = 64 << 10;

/// The compiled patterns, as far as anybody needs them.
pub(super) struct Matchers<'o> {
    options: &'o Options,
    unicode: OnceLock<Option<RegexMatcher>>,
    ascii: Option<RegexMatcher>,
}

impl<'o> Matchers<'o> {
    /// Refuses a pattern that does not compile. A literal always does, and most files are searched without a matcher. `late`: they
    /// are with this pattern too, so its matcher waits until a line wants it.
    pub(super) fn new(options: &'o Options, late: bool) -> Result<Self, Refusal> {
        if options.patterns.iter().map(String::len).sum::<usize>() > LONGEST {
            return refuse("patterns of more than 64 KiB");
        }
        Ok(Matchers {
            options,
            unicode: match literal(options).is_some() || late && does_compile(options) {
                true => OnceLock::new(),
                false => OnceLock::from(Some(matcher(options, true)?)),
            },
            ascii: None,
        })
    }

    /// Compiles a smaller automaton for ASCII files: it pays where there are many.
    pub(super) fn expect_many(&mut self) {
        if literal(self.options).is_none() && is_ascii_alike(self.options) {
            self.ascii = matcher(self.options, false).ok();
        }
    }

    /// What was asked for.
    pub(super) fn options(&self) -> &'o Options {
        self.options
    }

    /// The one for `content`.
    pub(super) fn of(&self, content: &Content) -> Option<&RegexMatcher> {
        match &self.ascii {
            Some(ascii) if content.facts().is_ascii => Some(ascii),
            _ => self
                .unicode
                .get_or_init(|| matcher(self.options, true).ok())
                .as_ref(),
        }
    }
}

/// Whether a pattern asks for the start or the end of the text (`\A`, `\z`): what that is to the real program depends
/// on how it came to read the line.
fn asks_for_the_ends(options: &Options) -> bool {
    use regex_syntax::hir::Look;
    let parse = |pattern: &String| {
        let mut parser = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .multi_line(true)
            .build();
        let looks = parser.parse(pattern).ok()?.properties().look_set();
        Some(looks.contains(Look::Start) || looks.contains(Look::End))
    };
    !options.fixed && options.patterns.iter().any(|p| parse(p) == Some(true))
}

fn matcher(options: &Options, unicode: bool) -> Result<RegexMatcher, Refusal> {
    if asks_for_the_ends(options) {
        return refuse("a pattern with the start or the end of the text");
    }
    let mut builder = RegexMatcherBuilder::new();
    builder
        .size_limit(AUTOMATON)
        .dfa_size_limit(CACHE)
        .multi_line(true)
        .unicode(unicode)
        .octal(false)
        .fixed_strings(options.fixed);
    match options.case {
        Case::Sensitive => builder.case_insensitive(false),
        Case::Insensitive => builder.case_insensitive(true),
        Case::Smart => builder.case_smart(true),
    };
    builder.whole_line(options.line).word(options.word);
    if options.multiline {
        builder.dot_matches_new_line(options.dotall);
    } else {
        builder
            .line_terminator(Some(b'\n'))
            .dot_matches_new_line(false);
    }
    if !options.text {
        builder.ban_byte(Some(b'\0'));
    }
    builder
        .build_many(&options.patterns)
        .or_else(|error| refuse(format!("a pattern that does not compile: {error}")))
}

/// The patterns as they are parsed, each by itself; None where one does not parse, or means more than it says (`-S`), or where
/// they are so heavy that they may not compile.
pub(super) fn parsed(options: &Options) -> Option<Vec<Hir>> {
    if options.case == Case::Smart {
        return None;
    }
    let mut builder = regex_syntax::ParserBuilder::new();
    builder
        .utf8(false)
        .multi_line(true)
        .case_insensitive(options.case == Case::Insensitive);
    let parse = |pattern: &String| match options.fixed {
        true => builder.build().parse(&regex_syntax::escape(pattern)).ok(),
        false => builder.build().parse(pattern).ok(),
    };
    let parsed: Vec<Hir> = options.patterns.iter().map(parse).collect::<Option<_>>()?;
    let weights = parsed.iter().map(weight);
    (weights.fold(0, u64::saturating_add) <= HEAVIEST).then_some(parsed)
}

/// How many literal bytes and ranges of characters an expression has with its repetitions written out.
fn weight(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(text) => text.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => class.ranges().len() as u64,
        HirKind::Class(Class::Bytes(class)) => class.ranges().len() as u64,
        HirKind::Repetition(part) => {
            let times = part.max.unwrap_or(part.min).max(1);
            u64::from(times).saturating_mul(weight(&part.sub).max(1))
        }
        HirKind::Capture(group) => weight(&group.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(weight).fold(0, u64::saturating_add)
        }
    }
}

/// What a file must hold to match. The index folds case, and so may a pattern here.
pub(super) fn query(options: &Options, within: Within) -> Query {
    if let Some(pattern) = literal(options) {
        return Query::literal(pattern.as_bytes());
    }
    let parse = |pattern: &String| {
        if options.fixed && options.case == Case::Sensitive {
            return Query::literal(pattern.as_bytes());
        }
        let pattern = if options.fixed {
            regex_syntax::escape(pattern)
        } else {
            pattern.clone()
        };
        let parsed = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .multi_line(true)
            .dot_matches_new_line(options.multiline && options.dotall)
            .case_insensitive(options.case != Case::Sensitive)
            .build()
            .parse(&pattern);
        parsed.map_or(Query::All, |hir| Query::of(&hir, within))
    };
    Query::any(options.patterns.iter().map(parse))
}

/// The one pattern, where it has no meaning beyond its letters.
pub(super) fn literal(options: &Options) -> Option<&str> {
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

/// Whether patterns that parse are sure to be taken by ripgrep's matcher: none names a line end or a NUL.
fn does_compile(options: &Options) -> bool {
    let names_none = |pattern: &String| {
        let escapes = ["\\n", "\\r", "\\0", "(?"];
        !pattern.bytes().any(|byte| byte.is_ascii_control())
            && !escapes.iter().any(|escape| pattern.contains(escape))
    };
    is_ascii_alike(options) && options.patterns.iter().all(names_none)
}

/// Whether a pattern means the same without Unicode where the text is ASCII: it names no character beyond, by itself or
/// by an escape (in any case, `ſ` is an `s`).
fn is_ascii_alike(options: &Options) -> bool {
    let names_none = |pattern: &String| {
        pattern.is_ascii()
            && !["\\x", "\\u", "\\U", "\\p", "\\P"]
                .iter()
                .any(|escape| pattern.contains(escape))
    };
    options.patterns.iter().all(names_none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use grep_matcher::Matcher;
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
            let matchers = [true, false].map(|unicode| matcher(&options, unicode));
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
    fn a_pattern_that_may_not_compile_is_not_parsed_for_itself() {
        for pattern in ["a{1,1000}{1,1000}{1,100}", "x{9999999}", r"(\w{9}b){999}"] {
            assert!(parsed(&options(pattern, &[])).is_none(), "{pattern}");
        }
        assert!(parsed(&options(r"\b\w{24,}\b", &[])).is_some());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
        #[test]
        fn what_is_parsed_for_itself_is_compiled_by_ripgrep(
            pattern in r"(\(?(\\w|\\W|[a-c]|\.|é)\)?\{[1-9][0-9]{0,2}(,[1-9][0-9]{3})?\}){1,2}",
        ) {
            if parsed(&options(&pattern, &[])).is_some() {
                let built = RegexMatcherBuilder::new().multi_line(true).build(&pattern);
                proptest::prop_assert!(built.is_ok(), "{built:?}");
            }
        }
    }

    #[test]
    fn the_heaviest_is_compiled_by_ripgrep() {
        for pattern in [r"\w{120}", r"(\w{9}\W{9}){6}", r"(.{99}){99}", "x{99999}"] {
            assert!(parsed(&options(pattern, &[])).is_some(), "{pattern}");
            RegexMatcherBuilder::new()
                .multi_line(true)
                .build(pattern)
                .expect(pattern);
        }
    }

    #[test]
    fn patterns_are_parsed_each_by_itself() {
        let words = ["-e", "a.b", "-e", "c+", "-n"].map(|word| word.as_bytes().to_vec());
        let parsed = parsed(&Options::parse(&words).unwrap()).unwrap();
        assert_eq!(parsed.len(), 2);
    }

    #[test]
    fn a_pattern_that_names_more_than_ascii_is_not_alike() {
        assert!(!is_ascii_alike(&options("é", &[])));
        assert!(!is_ascii_alike(&options(r"\x{17f}", &["-i"])));
    }
}
