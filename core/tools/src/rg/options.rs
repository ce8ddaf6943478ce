//! rg's command line: the flags that agents use; any other is refused.

use crate::Refusal;

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

/// Flags: short form (or a blank), long form, whether it takes a value.
const FLAGS: &[(char, &str, bool)] = &[
    ('A', "after-context", true),
    ('B', "before-context", true),
    ('C', "context", true),
    ('E', "encoding", true),
    ('F', "fixed-strings", false),
    ('H', "with-filename", false),
    ('I', "no-filename", false),
    ('L', "follow", false),
    ('M', "max-columns", true),
    ('N', "no-line-number", false),
    ('P', "pcre2", false),
    ('S', "smart-case", false),
    ('T', "type-not", true),
    ('U', "multiline", false),
    ('a', "text", false),
    ('b', "byte-offset", false),
    ('c', "count", false),
    ('d', "max-depth", true),
    ('e', "regexp", true),
    ('g', "glob", true),
    ('h', "help", false),
    ('i', "ignore-case", false),
    ('j', "threads", true),
    ('l', "files-with-matches", false),
    ('m', "max-count", true),
    ('n', "line-number", false),
    ('o', "only-matching", false),
    ('p', "pretty", false),
    ('q', "quiet", false),
    ('r', "replace", true),
    ('s', "case-sensitive", false),
    ('t', "type", true),
    ('u', "unrestricted", false),
    ('v', "invert-match", false),
    ('w', "word-regexp", false),
    ('x', "line-regexp", false),
    ('0', "null", false),
    ('.', "hidden", false),
    (' ', "binary", false),
    (' ', "color", true),
    (' ', "column", false),
    (' ', "context-separator", true),
    (' ', "count-matches", false),
    (' ', "files", false),
    (' ', "files-without-match", false),
    (' ', "heading", false),
    (' ', "iglob", true),
    (' ', "include-zero", false),
    (' ', "json", false),
    (' ', "max-columns-preview", false),
    (' ', "maxdepth", true),
    (' ', "multiline-dotall", false),
    (' ', "no-config", false),
    (' ', "no-context-separator", false),
    (' ', "no-heading", false),
    (' ', "no-hidden", false),
    (' ', "no-ignore", false),
    (' ', "no-ignore-vcs", false),
    (' ', "no-messages", false),
    (' ', "path-separator", true),
    (' ', "sort", true),
    (' ', "sort-files", false),
    (' ', "sortr", true),
    (' ', "trim", false),
    (' ', "type-list", false),
    (' ', "vimgrep", false),
];

impl Options {
    /// Reads `args` (without `argv[0]`).
    pub(super) fn parse(args: &[Vec<u8>]) -> Result<Options, Refusal> {
        let mut options = Options::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == b"--" {
                options.operands.extend(args.by_ref().cloned());
            } else if let Some(long) = arg.strip_prefix(b"--") {
                let (name, inline) = match long.iter().position(|&b| b == b'=') {
                    Some(at) => (&long[..at], Some(long[at + 1..].to_vec())),
                    None => (long, None),
                };
                let Some(&(_, name, takes_value)) =
                    FLAGS.iter().find(|flag| flag.1.as_bytes() == name)
                else {
                    return refuse(format!("option --{}", String::from_utf8_lossy(name)));
                };
                let value = match (takes_value, inline) {
                    (true, Some(value)) => value,
                    (true, None) => args
                        .next()
                        .cloned()
                        .map_or_else(|| refuse("an option lacks its value"), Ok)?,
                    (false, Some(_)) => return refuse("a value for an option that takes none"),
                    (false, None) => Vec::new(),
                };
                options.set(name, value)?;
            } else if arg.len() > 1 && arg[0] == b'-' {
                let mut at = 1;
                while at < arg.len() {
                    let letter = char::from(arg[at]);
                    at += 1;
                    let Some(&(_, name, takes_value)) =
                        FLAGS.iter().find(|flag| flag.0 == letter && letter != ' ')
                    else {
                        return refuse(format!("option -{letter}"));
                    };
                    let mut value = Vec::new();
                    if takes_value {
                        value = match &arg[at..] {
                            [] => args
                                .next()
                                .cloned()
                                .map_or_else(|| refuse("an option lacks its value"), Ok)?,
                            [b'=', rest @ ..] | rest => rest.to_vec(),
                        };
                        at = arg.len();
                    }
                    options.set(name, value)?;
                }
            } else {
                options.operands.push(arg.clone());
            }
        }
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

    fn set(&mut self, name: &str, value: Vec<u8>) -> Result<(), Refusal> {
        let Ok(text) = String::from_utf8(value) else {
            return refuse("an option's value that is not UTF-8");
        };
        match name {
            "after-context" => self.after = Some(number(&text)?),
            "before-context" => self.before = Some(number(&text)?),
            "context" => self.context = Some(number(&text)?),
            "fixed-strings" => self.fixed = true,
            "with-filename" => self.with_filename = Some(true),
            "no-filename" => self.with_filename = Some(false),
            "max-columns" => {
                self.max_columns = Some(number(&text)? as u64).filter(|&columns| columns > 0)
            }
            "max-columns-preview" => self.max_columns_preview = true,
            "line-number" => self.line_number = Some(true),
            "no-line-number" => self.line_number = Some(false),
            "smart-case" => self.case = Case::Smart,
            "ignore-case" => self.case = Case::Insensitive,
            "case-sensitive" => self.case = Case::Sensitive,
            "type" => self.types.push((text, true)),
            "type-not" => self.types.push((text, false)),
            "multiline" => self.multiline = true,
            "multiline-dotall" => self.dotall = true,
            "text" => (self.text, self.binary) = (true, false),
            "binary" => (self.text, self.binary) = (false, true),
            "byte-offset" => self.byte_offset = true,
            "count" => self.mode = Mode::Count,
            "count-matches" => self.mode = Mode::CountMatches,
            "files-with-matches" => self.mode = Mode::WithMatch,
            "files-without-match" => self.mode = Mode::WithoutMatch,
            "json" => self.mode = Mode::Json,
            "files" => self.mode = Mode::Files,
            "type-list" => self.mode = Mode::TypeList,
            "regexp" => self.patterns.push(text),
            "glob" => self.globs.push((text, false)),
            "iglob" => self.globs.push((text, true)),
            "max-count" => self.max_count = Some(number(&text)? as u64),
            "max-depth" | "maxdepth" => self.max_depth = Some(number(&text)?),
            "only-matching" => self.only_matching = true,
            "quiet" => self.quiet = true,
            "replace" => self.replace = Some(text),
            "invert-match" => self.invert = true,
            "word-regexp" => (self.word, self.line) = (true, false),
            "line-regexp" => (self.word, self.line) = (false, true),
            "null" => self.null = true,
            "hidden" => self.hidden = true,
            "no-hidden" => self.hidden = false,
            "unrestricted" => {
                self.unrestricted += 1;
                match self.unrestricted {
                    1 => self.no_ignore = true,
                    2 => self.hidden = true,
                    3 => (self.text, self.binary) = (false, true),
                    _ => return refuse("-u more than three times"),
                }
            }
            "no-ignore" => self.no_ignore = true,
            "no-ignore-vcs" => self.no_vcs = true,
            "no-messages" => self.no_messages = true,
            "column" => self.column = true,
            "heading" => self.heading = true,
            "no-heading" => self.heading = false,
            "include-zero" => self.include_zero = true,
            "trim" => self.trim = true,
            "vimgrep" => self.vimgrep = true,
            "context-separator" if !text.contains('\\') => self.separator = Some(text.into_bytes()),
            "no-context-separator" => self.separator = None,
            "sort" | "sortr" => {
                let reverse = name == "sortr";
                self.sort = match text.as_str() {
                    "path" => Some((Sort::Path, reverse)),
                    "modified" => Some((Sort::Modified, reverse)),
                    "none" => None,
                    _ => return refuse("this order"),
                }
            }
            "sort-files" => self.sort = Some((Sort::Path, false)),
            "color" if text == "never" || text == "auto" => {}
            "path-separator" if text == "/" => {}
            "no-config" => {}
            "threads" => self.threads = number(&text)?,
            other => return refuse(format!("option --{other}")),
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

fn number(text: &str) -> Result<usize, Refusal> {
    match text.parse() {
        Ok(number) if !text.starts_with('+') => Ok(number),
        _ => refuse(format!("number {text:?}")),
    }
}
