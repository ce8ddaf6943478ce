//! grep's command line, as GNU getopt and grep 3.8 read it.

use crate::Refusal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matcher {
    Basic,
    Extended,
    Fixed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Nothing,
    Matching,
    NonMatching,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binary {
    Message,
    Text,
    WithoutMatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folders {
    Read,
    Skip,
    Recurse,
}

/// One `--include` or `--exclude`, in the order given.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    pub(super) pattern: Vec<u8>,
    pub(super) include: bool,
}

/// Where patterns come from, in the order given.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Given(Vec<u8>),
    File(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) matcher: Matcher,
    pub(super) sources: Vec<Source>,
    pub(super) ignore_case: bool,
    pub(super) words: bool,
    pub(super) whole_lines: bool,
    pub(super) invert: bool,
    pub(super) count: bool,
    pub(super) list: List,
    pub(super) only_matching: bool,
    pub(super) quiet: bool,
    pub(super) no_messages: bool,
    pub(super) line_numbers: bool,
    pub(super) with_filename: Option<bool>,
    pub(super) null_names: bool,
    pub(super) max_count: u64,
    pub(super) after: Option<u64>,
    pub(super) before: Option<u64>,
    pub(super) separator: Option<Vec<u8>>,
    pub(super) folders: Folders,
    pub(super) follow: bool,
    pub(super) binary: Binary,
    pub(super) files: Vec<Glob>,
    pub(super) exclude_dirs: Vec<Vec<u8>>,
    pub(super) operands: Vec<Vec<u8>>,
}

/// Long options: name, the short option that it stands for (or a letter of our own), whether it takes a value.
const LONG: &[(&str, char, bool)] = &[
    ("basic-regexp", 'G', false),
    ("extended-regexp", 'E', false),
    ("fixed-regexp", 'F', false),
    ("fixed-strings", 'F', false),
    ("perl-regexp", 'P', false),
    ("after-context", 'A', true),
    ("before-context", 'B', true),
    ("binary-files", '\u{1}', true),
    ("byte-offset", 'b', false),
    ("context", 'C', true),
    ("color", '\u{2}', false),
    ("colour", '\u{2}', false),
    ("count", 'c', false),
    ("devices", 'D', true),
    ("directories", 'd', true),
    ("exclude", '\u{3}', true),
    ("exclude-from", '\u{4}', true),
    ("exclude-dir", '\u{5}', true),
    ("file", 'f', true),
    ("files-with-matches", 'l', false),
    ("files-without-match", 'L', false),
    ("group-separator", '\u{6}', true),
    ("help", '\u{7}', false),
    ("include", '\u{8}', true),
    ("ignore-case", 'i', false),
    ("no-ignore-case", '\u{9}', false),
    ("initial-tab", 'T', false),
    ("label", '\u{b}', true),
    ("line-buffered", '\u{c}', false),
    ("line-number", 'n', false),
    ("line-regexp", 'x', false),
    ("max-count", 'm', true),
    ("no-filename", 'h', false),
    ("no-group-separator", '\u{e}', false),
    ("no-messages", 's', false),
    ("null", 'Z', false),
    ("null-data", 'z', false),
    ("only-matching", 'o', false),
    ("quiet", 'q', false),
    ("recursive", 'r', false),
    ("dereference-recursive", 'R', false),
    ("regexp", 'e', true),
    ("invert-match", 'v', false),
    ("silent", 'q', false),
    ("text", 'a', false),
    ("binary", 'U', false),
    ("unix-byte-offsets", 'u', false),
    ("version", 'V', false),
    ("with-filename", 'H', false),
    ("word-regexp", 'w', false),
];

const WITH_VALUE: &str = "ABCDXdefm";

pub(super) fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(format!("grep: {}", reason.into())))
}

impl Options {
    /// Reads `args` (without `argv[0]`); refuses what grep would complain about, and what is not done here.
    pub(super) fn parse(args: &[Vec<u8>], matcher: Option<Matcher>) -> Result<Options, Refusal> {
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

    fn new() -> Options {
        Options {
            matcher: Matcher::Basic,
            sources: Vec::new(),
            ignore_case: false,
            words: false,
            whole_lines: false,
            invert: false,
            count: false,
            list: List::Nothing,
            only_matching: false,
            quiet: false,
            no_messages: false,
            line_numbers: false,
            with_filename: None,
            null_names: false,
            max_count: u64::MAX,
            after: None,
            before: None,
            separator: Some(b"--".to_vec()),
            folders: Folders::Read,
            follow: false,
            binary: Binary::Message,
            files: Vec::new(),
            exclude_dirs: Vec::new(),
            operands: Vec::new(),
        }
    }

    /// Whether context was asked for, even of zero lines: groups are then separated.
    pub(super) fn groups(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}

struct Reader {
    options: Options,
    matcher: Option<Matcher>,
    /// `-NUM` under way: the digits of one argument.
    digits: Option<u64>,
    context: Option<u64>,
}

type Args<'a> = std::slice::Iter<'a, Vec<u8>>;

impl Reader {
    fn long(&mut self, text: &[u8], args: &mut Args<'_>) -> Result<(), Refusal> {
        self.digits = None;
        let (name, inline) = match text.iter().position(|&b| b == b'=') {
            Some(at) => (&text[..at], Some(text[at + 1..].to_vec())),
            None => (text, None),
        };
        let exact = LONG.iter().find(|(long, ..)| long.as_bytes() == name);
        let mut starting = LONG
            .iter()
            .filter(|(long, ..)| long.as_bytes().starts_with(name));
        let found = match (exact, starting.next(), starting.next()) {
            (Some(exact), ..) => exact,
            (None, Some(only), None) => only,
            _ => return refuse(format!("option --{}", String::from_utf8_lossy(name))),
        };
        let &(_, letter, takes_value) = found;
        let value = match (takes_value, inline) {
            (true, Some(value)) => value,
            (true, None) => match args.next() {
                Some(value) => value.clone(),
                None => return refuse("an option lacks its value"),
            },
            (false, Some(value)) if letter == '\u{2}' => value,
            (false, Some(_)) => return refuse("an option with a value that it does not take"),
            (false, None) => Vec::new(),
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
            if WITH_VALUE.as_bytes().contains(&letter) {
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
            'H' => options.with_filename = Some(true),
            'h' => options.with_filename = Some(false),
            'I' => options.binary = Binary::WithoutMatch,
            'a' => options.binary = Binary::Text,
            'c' => options.count = true,
            'e' => options.sources.push(Source::Given(value)),
            'f' => options.sources.push(Source::File(value)),
            'i' | 'y' => options.ignore_case = true,
            '\u{9}' => options.ignore_case = false,
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
            '\u{1}' => {
                options.binary = match value.as_slice() {
                    b"binary" => Binary::Message,
                    b"text" => Binary::Text,
                    b"without-match" => Binary::WithoutMatch,
                    _ => return refuse("--binary-files"),
                }
            }
            // No terminal: `auto` and no value mean never.
            '\u{2}' => match value.as_slice() {
                b"never" | b"no" | b"none" | b"auto" | b"tty" | b"if-tty" | b"" => {}
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
            '\u{3}' => options.files.push(Glob {
                pattern: value,
                include: false,
            }),
            '\u{8}' => options.files.push(Glob {
                pattern: value,
                include: true,
            }),
            '\u{5}' => {
                let end = value
                    .iter()
                    .rposition(|&b| b != b'/')
                    .map_or(value.len().min(1), |at| at + 1);
                options.exclude_dirs.push(value[..end].to_vec());
            }
            '\u{6}' => options.separator = Some(value),
            '\u{e}' => options.separator = None,
            '\u{c}' => {}
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
