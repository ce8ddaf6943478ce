//! rg's command line: the flags that agents use; any other is refused.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::Refusal;
use curserve_text::options::{both, long, other, Given, Number, Style, Table, Takes, ANY};

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

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    AfterContext,
    BeforeContext,
    Context,
    FixedStrings,
    WithFilename,
    NoFilename,
    MaxColumns,
    NoLineNumber,
    SmartCase,
    TypeNot,
    Multiline,
    Text,
    ByteOffset,
    Count,
    MaxDepth,
    Regexp,
    Glob,
    IgnoreCase,
    Threads,
    FilesWithMatches,
    MaxCount,
    LineNumber,
    OnlyMatching,
    Quiet,
    Replace,
    CaseSensitive,
    Type,
    Unrestricted,
    InvertMatch,
    WordRegexp,
    LineRegexp,
    Null,
    Hidden,
    Binary,
    Color,
    Column,
    ContextSeparator,
    CountMatches,
    Files,
    FilesWithoutMatch,
    Heading,
    Iglob,
    IncludeZero,
    Json,
    MaxColumnsPreview,
    MultilineDotall,
    NoConfig,
    NoContextSeparator,
    NoHeading,
    NoHidden,
    NoIgnore,
    NoIgnoreVcs,
    NoMessages,
    NoMmap,
    PathSeparator,
    Sort,
    SortFiles,
    SortReverse,
    Trim,
    TypeList,
    Vimgrep,
}

/// 0 leaves it to rg; for many, it may not find the memory.
const THREADS: Number = Number::between(0, 128);

/// The options of `rg` that agents use, and some of the others.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Whole,
    &[
        both(Key::AfterContext, 'A', "after-context", Takes::Number(&ANY)),
        both(
            Key::BeforeContext,
            'B',
            "before-context",
            Takes::Number(&ANY),
        ),
        both(Key::Context, 'C', "context", Takes::Number(&ANY)),
        other('E', "encoding", Takes::Text),
        both(Key::FixedStrings, 'F', "fixed-strings", Takes::Nothing),
        both(Key::WithFilename, 'H', "with-filename", Takes::Nothing),
        both(Key::NoFilename, 'I', "no-filename", Takes::Nothing),
        other('L', "follow", Takes::Nothing),
        both(Key::MaxColumns, 'M', "max-columns", Takes::Number(&ANY)),
        both(Key::NoLineNumber, 'N', "no-line-number", Takes::Nothing),
        other('P', "pcre2", Takes::Nothing),
        both(Key::SmartCase, 'S', "smart-case", Takes::Nothing),
        both(Key::TypeNot, 'T', "type-not", Takes::Text),
        both(Key::Multiline, 'U', "multiline", Takes::Nothing),
        both(Key::Text, 'a', "text", Takes::Nothing),
        both(Key::ByteOffset, 'b', "byte-offset", Takes::Nothing),
        both(Key::Count, 'c', "count", Takes::Nothing),
        both(Key::MaxDepth, 'd', "max-depth", Takes::Number(&ANY)),
        both(Key::Regexp, 'e', "regexp", Takes::Text),
        both(Key::Glob, 'g', "glob", Takes::Text),
        other('h', "help", Takes::Nothing),
        both(Key::IgnoreCase, 'i', "ignore-case", Takes::Nothing),
        both(Key::Threads, 'j', "threads", Takes::Number(&THREADS)),
        both(
            Key::FilesWithMatches,
            'l',
            "files-with-matches",
            Takes::Nothing,
        ),
        both(Key::MaxCount, 'm', "max-count", Takes::Number(&ANY)),
        both(Key::LineNumber, 'n', "line-number", Takes::Nothing),
        both(Key::OnlyMatching, 'o', "only-matching", Takes::Nothing),
        other('p', "pretty", Takes::Nothing),
        both(Key::Quiet, 'q', "quiet", Takes::Nothing),
        both(Key::Replace, 'r', "replace", Takes::Text),
        both(Key::CaseSensitive, 's', "case-sensitive", Takes::Nothing),
        both(Key::Type, 't', "type", Takes::Text),
        both(Key::Unrestricted, 'u', "unrestricted", Takes::Nothing),
        both(Key::InvertMatch, 'v', "invert-match", Takes::Nothing),
        both(Key::WordRegexp, 'w', "word-regexp", Takes::Nothing),
        both(Key::LineRegexp, 'x', "line-regexp", Takes::Nothing),
        both(Key::Null, '0', "null", Takes::Nothing),
        both(Key::Hidden, '.', "hidden", Takes::Nothing),
        long(Key::Binary, "binary", Takes::Nothing),
        long(Key::Color, "color", Takes::Text),
        long(Key::Column, "column", Takes::Nothing),
        long(Key::ContextSeparator, "context-separator", Takes::Text),
        long(Key::CountMatches, "count-matches", Takes::Nothing),
        long(Key::Files, "files", Takes::Nothing),
        long(
            Key::FilesWithoutMatch,
            "files-without-match",
            Takes::Nothing,
        ),
        long(Key::Heading, "heading", Takes::Nothing),
        long(Key::Iglob, "iglob", Takes::Text),
        long(Key::IncludeZero, "include-zero", Takes::Nothing),
        long(Key::Json, "json", Takes::Nothing),
        long(
            Key::MaxColumnsPreview,
            "max-columns-preview",
            Takes::Nothing,
        ),
        long(Key::MaxDepth, "maxdepth", Takes::Number(&ANY)),
        long(Key::MultilineDotall, "multiline-dotall", Takes::Nothing),
        long(Key::NoConfig, "no-config", Takes::Nothing),
        long(
            Key::NoContextSeparator,
            "no-context-separator",
            Takes::Nothing,
        ),
        long(Key::NoHeading, "no-heading", Takes::Nothing),
        long(Key::NoHidden, "no-hidden", Takes::Nothing),
        long(Key::NoIgnore, "no-ignore", Takes::Nothing),
        long(Key::NoIgnoreVcs, "no-ignore-vcs", Takes::Nothing),
        long(Key::NoMessages, "no-messages", Takes::Nothing),
        long(Key::NoMmap, "no-mmap", Takes::Nothing),
        long(Key::PathSeparator, "path-separator", Takes::Text),
        long(Key::Sort, "sort", Takes::Text),
        long(Key::SortFiles, "sort-files", Takes::Nothing),
        long(Key::SortReverse, "sortr", Takes::Text),
        long(Key::Trim, "trim", Takes::Nothing),
        long(Key::TypeList, "type-list", Takes::Nothing),
        long(Key::Vimgrep, "vimgrep", Takes::Nothing),
    ],
);

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
