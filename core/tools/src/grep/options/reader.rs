//! What the options of a command line ask for together.

use super::names::{Key, TABLE};
use super::{Binary, Folders, Glob, List, Matcher, Options, Source};
use crate::grep::errors::refuse;
use crate::Refusal;
use curserve_text::options::{Given, Value};

/// Reads `args` (without `argv[0]`); refuses what grep would complain about, and what is not done here.
pub(in crate::grep) fn parse<A: AsRef<[u8]>>(
    args: &[A],
    matcher: Option<Matcher>,
) -> Result<Options, Refusal> {
    let parsed = TABLE.parse(args)?;
    let mut reader = Reader {
        options: Options::new(),
        matcher,
        context: None,
    };
    for given in &parsed.options {
        reader.option(given)?;
    }
    let operands = parsed.operands.iter().map(|word| word.to_vec());
    reader.options.operands = operands.collect();
    reader.finish()
}

/// What has been read.
struct Reader {
    options: Options,
    /// The one that the name of the program or an option asked for.
    matcher: Option<Matcher>,
    /// The context on both sides, which `-A` and `-B` overrule.
    context: Option<u64>,
}

impl Reader {
    fn option(&mut self, given: &Given<'_, Key>) -> Result<(), Refusal> {
        let options = &mut self.options;
        let text = || given.text().to_vec();
        let glob = |include| Glob {
            pattern: text(),
            include,
        };
        match given.key {
            Key::After => options.after = Some(given.number()),
            Key::Before => options.before = Some(given.number()),
            Key::Context => self.context = Some(given.number()),
            Key::Extended => self.set_matcher(Matcher::Extended)?,
            Key::Fixed => self.set_matcher(Matcher::Fixed)?,
            Key::Basic => self.set_matcher(Matcher::Basic)?,
            Key::Perl => self.set_matcher(Matcher::Perl)?,
            Key::WithFilename => options.with_filename = Some(true),
            Key::NoFilename => options.with_filename = Some(false),
            Key::WithoutBinary => options.binary = Binary::WithoutMatch,
            Key::Text => options.binary = Binary::Text,
            Key::ByteOffset => options.byte_offsets = true,
            Key::Count => options.count = true,
            Key::Regexp => options.sources.push(Source::Given(text())),
            Key::File => options.sources.push(Source::File(text())),
            Key::IgnoreCase => options.ignore_case = true,
            Key::NoIgnoreCase => options.ignore_case = false,
            Key::ListNonMatching => options.list = List::NonMatching,
            Key::ListMatching => options.list = List::Matching,
            Key::MaxCount => options.max_count = given.number(),
            Key::LineNumber => options.line_numbers = true,
            Key::OnlyMatching => options.only_matching = true,
            Key::Quiet => options.quiet = true,
            Key::Recursive => options.folders = Folders::Recurse,
            Key::Following => (options.folders, options.follow) = (Folders::Recurse, true),
            Key::NoMessages => options.no_messages = true,
            Key::Invert => options.invert = true,
            Key::Words => options.words = true,
            Key::LineRegexp => options.whole_lines = true,
            Key::NullNames => options.null_names = true,
            Key::BinaryFiles => {
                options.binary = match given.text() {
                    b"binary" => Binary::Message,
                    b"text" => Binary::Text,
                    b"without-match" => Binary::WithoutMatch,
                    _ => return refuse("--binary-files"),
                }
            }
            // No terminal: `auto` and no value mean never.
            Key::Color => match given.value {
                Value::None | Value::Text(b"never" | b"auto") => {}
                _ => return refuse("--color"),
            },
            Key::Directories => {
                options.folders = match given.text() {
                    b"read" => Folders::Read,
                    b"skip" => Folders::Skip,
                    b"recurse" => Folders::Recurse,
                    _ => return refuse("--directories"),
                }
            }
            Key::Exclude => options.files.push(glob(false)),
            Key::Include => options.files.push(glob(true)),
            Key::ExcludeDir => {
                let value = given.text();
                let end = value
                    .iter()
                    .rposition(|&b| b != b'/')
                    .map_or(value.len().min(1), |at| at + 1);
                options.exclude_dirs.push(value[..end].to_vec());
            }
            Key::GroupSeparator => options.separator = Some(text()),
            Key::NoGroupSeparator => options.separator = None,
            Key::LineBuffered => {}
        }
        Ok(())
    }

    fn set_matcher(&mut self, matcher: Matcher) -> Result<(), Refusal> {
        if self.matcher.is_some_and(|set| set != matcher) {
            return refuse("conflicting matchers");
        }
        self.matcher = Some(matcher);
        Ok(())
    }

    fn finish(mut self) -> Result<Options, Refusal> {
        let options = &mut self.options;
        options.matcher = self.matcher.unwrap_or(Matcher::Basic);
        options.after = options.after.or(self.context);
        options.before = options.before.or(self.context);
        if options.sources.is_empty() {
            if options.operands.is_empty() {
                return refuse("no pattern");
            }
            let mut pattern = options.operands.remove(0);
            // grep drops the backslash of a leading `\-`, which scripts write to hide a dash.
            if options.matcher != Matcher::Fixed && pattern.starts_with(b"\\-") {
                pattern.remove(0);
            }
            options.sources.push(Source::Given(pattern));
        }
        if options.quiet {
            options.list = List::Nothing;
        }
        if options.quiet || options.list != List::Nothing {
            options.count = false;
        }
        Ok(self.options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Options> {
        let words: Vec<&str> = line.split(' ').collect();
        parse(&words, None).ok()
    }

    #[test]
    fn digits_of_one_word_are_one_context() {
        let context = |line: &str| read(line).map(|options| (options.before, options.after));
        assert_eq!(context("-12 x"), Some((Some(12), Some(12))));
        assert_eq!(context("-1 -2 x"), Some((Some(2), Some(2))));
        assert_eq!(context("-3 -A1 x"), Some((Some(3), Some(1))));
    }

    #[test]
    fn long_names_may_be_cut_short_while_they_are_clear() {
        assert!(read("--inv x").is_some_and(|options| options.invert));
        assert!(read("--no x").is_none());
        assert!(read("--context=2 x").is_some_and(|options| options.after == Some(2)));
    }
}
