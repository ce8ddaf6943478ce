//! rg's command line: the flags that agents use; any other is refused.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use super::names::{Key, TABLE};
use crate::Refusal;
use curserve_text::options::Given;

/// Whether `-t` knows this type of files.
fn is_type(name: &str) -> bool {
    static TYPES: OnceLock<BTreeSet<String>> = OnceLock::new();
    let all = || {
        let defaults = ignore::types::TypesBuilder::new()
            .add_defaults()
            .definitions();
        let names = defaults
            .iter()
            .map(|definition| definition.name().to_owned());
        names.chain(["all".to_owned()]).collect()
    };
    TYPES.get_or_init(all).contains(name)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Lines,
    WithMatch,
    WithoutMatch,
    Count,
    CountMatches,
    Json,
    Files,
    TypeList,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Sensitive,
    Insensitive,
    Smart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Path,
    Modified,
}

#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) mode: Mode,
    pub(super) patterns: Vec<String>,
    pub(super) case: Case,
    pub(super) fixed: bool,
    pub(super) word: bool,
    pub(super) line: bool,
    pub(super) invert: bool,
    pub(super) only_matching: bool,
    pub(super) quiet: bool,
    pub(super) line_number: Option<bool>,
    pub(super) column: bool,
    pub(super) byte_offset: bool,
    pub(super) with_filename: Option<bool>,
    pub(super) heading: bool,
    pub(super) null: bool,
    pub(super) trim: bool,
    pub(super) vimgrep: bool,
    pub(super) multiline: bool,
    pub(super) dotall: bool,
    pub(super) text: bool,
    pub(super) binary: bool,
    pub(super) max_count: Option<u64>,
    pub(super) max_depth: Option<usize>,
    pub(super) max_columns: Option<u64>,
    pub(super) max_columns_preview: bool,
    pub(super) replace: Option<String>,
    pub(super) before: Option<usize>,
    pub(super) after: Option<usize>,
    pub(super) context: Option<usize>,
    pub(super) separator: Option<Vec<u8>>,
    pub(super) include_zero: bool,
    pub(super) no_messages: bool,
    pub(super) hidden: bool,
    pub(super) no_ignore: bool,
    pub(super) no_vcs: bool,
    pub(super) globs: Vec<(String, bool)>,
    pub(super) types: Vec<(String, bool)>,
    pub(super) sort: Option<(Sort, bool)>,
    pub(super) unrestricted: u8,
    pub(super) threads: usize,
    pub(super) operands: Vec<Vec<u8>>,
}

pub(super) fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(format!("rg: {}", reason.into())))
}

impl Options {
    /// Reads `args` (without `argv[0]`).
    pub(super) fn parse<A: AsRef<[u8]>>(args: &[A]) -> Result<Options, Refusal> {
        let parsed = TABLE.parse(args)?;
        let mut options = Options::new();
        for given in &parsed.options {
            options.set(given)?;
        }
        let operands = parsed.operands.iter().map(|word| word.to_vec());
        options.operands = operands.collect();
        options.finish()
    }

    fn new() -> Options {
        Options {
            mode: Mode::Lines,
            patterns: Vec::new(),
            case: Case::Sensitive,
            fixed: false,
            word: false,
            line: false,
            invert: false,
            only_matching: false,
            quiet: false,
            line_number: None,
            column: false,
            byte_offset: false,
            with_filename: None,
            heading: false,
            null: false,
            trim: false,
            vimgrep: false,
            multiline: false,
            dotall: false,
            text: false,
            binary: false,
            max_count: None,
            max_depth: None,
            max_columns: None,
            max_columns_preview: false,
            replace: None,
            before: None,
            after: None,
            context: None,
            separator: Some(b"--".to_vec()),
            include_zero: false,
            no_messages: false,
            hidden: false,
            no_ignore: false,
            no_vcs: false,
            globs: Vec::new(),
            types: Vec::new(),
            sort: None,
            unrestricted: 0,
            threads: 0,
            operands: Vec::new(),
        }
    }

    fn set(&mut self, given: &Given<'_, Key>) -> Result<(), Refusal> {
        let Ok(text) = std::str::from_utf8(given.text()) else {
            return refuse("an option's value that is not UTF-8");
        };
        let number = given.number();
        match given.key {
            Key::AfterContext => self.after = Some(number as usize),
            Key::BeforeContext => self.before = Some(number as usize),
            Key::Context => self.context = Some(number as usize),
            Key::FixedStrings => self.fixed = true,
            Key::WithFilename => self.with_filename = Some(true),
            Key::NoFilename => self.with_filename = Some(false),
            Key::MaxColumns => self.max_columns = Some(number).filter(|&columns| columns > 0),
            Key::MaxColumnsPreview => self.max_columns_preview = true,
            Key::LineNumber => self.line_number = Some(true),
            Key::NoLineNumber => self.line_number = Some(false),
            Key::SmartCase => self.case = Case::Smart,
            Key::IgnoreCase => self.case = Case::Insensitive,
            Key::CaseSensitive => self.case = Case::Sensitive,
            // A type that there is not ends rg, whatever it searches.
            Key::Type | Key::TypeNot if !is_type(text) => {
                return refuse("an unknown type of files")
            }
            Key::Type => self.types.push((text.to_owned(), true)),
            Key::TypeNot => self.types.push((text.to_owned(), false)),
            Key::Multiline => self.multiline = true,
            Key::MultilineDotall => self.dotall = true,
            Key::Text => (self.text, self.binary) = (true, false),
            Key::Binary => (self.text, self.binary) = (false, true),
            Key::ByteOffset => self.byte_offset = true,
            Key::Count => self.mode = Mode::Count,
            Key::CountMatches => self.mode = Mode::CountMatches,
            Key::FilesWithMatches => self.mode = Mode::WithMatch,
            Key::FilesWithoutMatch => self.mode = Mode::WithoutMatch,
            Key::Json => self.mode = Mode::Json,
            Key::Files => self.mode = Mode::Files,
            Key::TypeList => self.mode = Mode::TypeList,
            Key::Regexp => self.patterns.push(text.to_owned()),
            Key::Glob => self.globs.push((text.to_owned(), false)),
            Key::Iglob => self.globs.push((text.to_owned(), true)),
            Key::MaxCount => self.max_count = Some(number),
            Key::MaxDepth => self.max_depth = Some(number as usize),
            Key::OnlyMatching => self.only_matching = true,
            Key::Quiet => self.quiet = true,
            Key::Replace => self.replace = Some(text.to_owned()),
            Key::InvertMatch => self.invert = true,
            Key::WordRegexp => (self.word, self.line) = (true, false),
            Key::LineRegexp => (self.word, self.line) = (false, true),
            Key::Null => self.null = true,
            Key::Hidden => self.hidden = true,
            Key::NoHidden => self.hidden = false,
            Key::Unrestricted => {
                self.unrestricted += 1;
                match self.unrestricted {
                    1 => self.no_ignore = true,
                    2 => self.hidden = true,
                    3 => (self.text, self.binary) = (false, true),
                    _ => return refuse("-u more than three times"),
                }
            }
            Key::NoIgnore => self.no_ignore = true,
            Key::NoIgnoreVcs => self.no_vcs = true,
            Key::NoMessages => self.no_messages = true,
            Key::Column => self.column = true,
            Key::Heading => self.heading = true,
            Key::NoHeading => self.heading = false,
            Key::IncludeZero => self.include_zero = true,
            Key::Trim => self.trim = true,
            Key::Vimgrep => self.vimgrep = true,
            Key::ContextSeparator if !text.contains('\\') => {
                self.separator = Some(text.as_bytes().to_vec())
            }
            Key::NoContextSeparator => self.separator = None,
            Key::Sort | Key::SortReverse => {
                let reverse = given.key == Key::SortReverse;
                self.sort = match text {
                    "path" => Some((Sort::Path, reverse)),
                    "modified" => Some((Sort::Modified, reverse)),
                    "none" => None,
                    _ => return refuse("this order"),
                }
            }
            Key::SortFiles => self.sort = Some((Sort::Path, false)),
            Key::Color if matches!(text, "never" | "auto") => {}
            Key::PathSeparator if text == "/" => {}
            Key::NoConfig => {}
            Key::Threads => self.threads = number as usize,
            other => return refuse(format!("a value of {other:?}")),
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Options, Refusal> {
        if !matches!(self.mode, Mode::Files | Mode::TypeList) && self.patterns.is_empty() {
            if self.operands.is_empty() {
                return refuse("no pattern");
            }
            let Ok(pattern) = String::from_utf8(self.operands.remove(0)) else {
                return refuse("a pattern not in UTF-8");
            };
            self.patterns.push(pattern);
        }
        self.mode = match self.mode {
            Mode::CountMatches if self.invert => Mode::Count,
            Mode::Count if self.only_matching => Mode::CountMatches,
            mode => mode,
        };
        let json_unfit = self.only_matching || self.replace.is_some() || self.quiet;
        if self.mode == Mode::Json && json_unfit {
            return refuse("--json with flags that change it");
        }
        if self.heading && self.mode == Mode::Lines {
            return refuse("--heading");
        }
        if self.multiline && self.invert {
            return refuse("-U with -v");
        }
        Ok(self)
    }

    /// Lines of context (before, after).
    pub(super) fn context(&self) -> (usize, usize) {
        let both = self.context.unwrap_or(0);
        (self.before.unwrap_or(both), self.after.unwrap_or(both))
    }
}
