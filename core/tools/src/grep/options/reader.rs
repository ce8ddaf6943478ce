//! Reads the words of a command line one after another: clusters of letters, long names, operands.

use super::names::{self, Takes};
use super::{Binary, Folders, Glob, List, Matcher, Options, Source};
use crate::grep::errors::refuse;
use crate::Refusal;

/// Reads `args` (without `argv[0]`); refuses what grep would complain about, and what is not done here.
pub(in crate::grep) fn parse(
    args: &[Vec<u8>],
    matcher: Option<Matcher>,
) -> Result<Options, Refusal> {
    let mut reader = Reader {
        options: Options::new(),
        matcher,
        digits: None,
        context: None,
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == b"--" {
            reader.options.operands.extend(args.cloned());
            break;
        } else if let Some(long) = arg.strip_prefix(b"--") {
            reader.long(long, &mut args)?;
        } else if arg.len() > 1 && arg[0] == b'-' {
            reader.cluster(&arg[1..], &mut args)?;
        } else {
            reader.options.operands.push(arg.clone());
        }
    }
    reader.finish()
}

/// What has been read.
struct Reader {
    options: Options,
    /// The one that the name of the program or an option asked for.
    matcher: Option<Matcher>,
    /// `-NUM` under way: the digits of one argument.
    digits: Option<u64>,
    /// The context on both sides, which `-A` and `-B` overrule.
    context: Option<u64>,
}

/// The words still to be read.
type Args<'a> = std::slice::Iter<'a, Vec<u8>>;

impl Reader {
    fn long(&mut self, text: &[u8], args: &mut Args<'_>) -> Result<(), Refusal> {
        self.digits = None;
        let (name, inline) = match text.iter().position(|&b| b == b'=') {
            Some(at) => (&text[..at], Some(text[at + 1..].to_vec())),
            None => (text, None),
        };
        let Some((letter, takes)) = names::long(name) else {
            return refuse(format!("option --{}", String::from_utf8_lossy(name)));
        };
        let value = match (takes, inline) {
            (Takes::Value, None) => match args.next() {
                Some(value) => value.clone(),
                None => return refuse("an option lacks its value"),
            },
            (Takes::Nothing, Some(_)) => {
                return refuse("an option with a value that it does not take")
            }
            (Takes::Maybe, Some(value)) if value.is_empty() => {
                return refuse("an empty value of an option")
            }
            (_, value) => value.unwrap_or_default(),
        };
        self.option(letter, value)
    }

    fn cluster(&mut self, letters: &[u8], args: &mut Args<'_>) -> Result<(), Refusal> {
        self.digits = None;
        for (at, &letter) in letters.iter().enumerate() {
            if letter.is_ascii_digit() {
                let digits = self
                    .digits
                    .unwrap_or(0)
                    .saturating_mul(10)
                    .saturating_add(u64::from(letter - b'0'));
                self.digits = Some(digits);
                self.context = Some(digits);
                continue;
            }
            self.digits = None;
            if names::WITH_VALUE.as_bytes().contains(&letter) {
                let rest = &letters[at + 1..];
                let value = match (rest.is_empty(), args.clone().next()) {
                    (false, _) => rest.to_vec(),
                    (true, Some(value)) => {
                        args.next();
                        value.clone()
                    }
                    (true, None) => return refuse("an option lacks its value"),
                };
                return self.option(char::from(letter), value);
            }
            self.option(char::from(letter), Vec::new())?;
        }
        Ok(())
    }

    fn option(&mut self, letter: char, value: Vec<u8>) -> Result<(), Refusal> {
        let options = &mut self.options;
        match letter {
            'A' => options.after = Some(number(&value)?),
            'B' => options.before = Some(number(&value)?),
            'C' => self.context = Some(number(&value)?),
            'E' => self.set_matcher(Matcher::Extended)?,
            'F' => self.set_matcher(Matcher::Fixed)?,
            'G' => self.set_matcher(Matcher::Basic)?,
            'P' => self.set_matcher(Matcher::Perl)?,
            'H' => options.with_filename = Some(true),
            'h' => options.with_filename = Some(false),
            'I' => options.binary = Binary::WithoutMatch,
            'a' => options.binary = Binary::Text,
            'b' => options.byte_offsets = true,
            'c' => options.count = true,
            'e' => options.sources.push(Source::Given(value)),
            'f' => options.sources.push(Source::File(value)),
            'i' | 'y' => options.ignore_case = true,
            names::NO_IGNORE_CASE => options.ignore_case = false,
            'L' => options.list = List::NonMatching,
            'l' => options.list = List::Matching,
            'm' => options.max_count = number(&value)?,
            'n' => options.line_numbers = true,
            'o' => options.only_matching = true,
            'q' => options.quiet = true,
            'R' | 'r' => {
                options.folders = Folders::Recurse;
                options.follow |= letter == 'R';
            }
            's' => options.no_messages = true,
            'v' => options.invert = true,
            'w' => options.words = true,
            'x' => options.whole_lines = true,
            'Z' => options.null_names = true,
            names::BINARY_FILES => {
                options.binary = match value.as_slice() {
                    b"binary" => Binary::Message,
                    b"text" => Binary::Text,
                    b"without-match" => Binary::WithoutMatch,
                    _ => return refuse("--binary-files"),
                }
            }
            // No terminal: `auto` and no value mean never.
            names::COLOR => match value.as_slice() {
                b"never" | b"auto" | b"" => {}
                _ => return refuse("--color"),
            },
            'd' => {
                options.folders = match value.as_slice() {
                    b"read" => Folders::Read,
                    b"skip" => Folders::Skip,
                    b"recurse" => Folders::Recurse,
                    _ => return refuse("--directories"),
                }
            }
            names::EXCLUDE => options.files.push(Glob {
                pattern: value,
                include: false,
            }),
            names::INCLUDE => options.files.push(Glob {
                pattern: value,
                include: true,
            }),
            names::EXCLUDE_DIR => {
                let end = value
                    .iter()
                    .rposition(|&b| b != b'/')
                    .map_or(value.len().min(1), |at| at + 1);
                options.exclude_dirs.push(value[..end].to_vec());
            }
            names::GROUP_SEPARATOR => options.separator = Some(value),
            names::NO_GROUP_SEPARATOR => options.separator = None,
            names::LINE_BUFFERED => {}
            other => return refuse(format!("option {other:?}")),
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

fn number(value: &[u8]) -> Result<u64, Refusal> {
    match std::str::from_utf8(value)
        .ok()
        .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
    {
        Some(text) if !text.is_empty() && text.len() < 19 => Ok(text.parse().expect("digits")),
        _ => refuse(format!("number {:?}", String::from_utf8_lossy(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Options> {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.into()).collect();
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
