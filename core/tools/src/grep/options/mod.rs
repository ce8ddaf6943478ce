//! grep's command line, as its manual and getopt_long(3) have it: here what it asks for, in [`reader`] how it is read.

mod names;
mod reader;

pub(crate) use names::{Key, TABLE};
pub(super) use reader::parse;

/// How the patterns are spelt.
pub(super) use curserve_text::expression::Syntax as Matcher;

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
    pub(super) byte_offsets: bool,
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

impl Options {
    /// What is asked for without any option.
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
            byte_offsets: false,
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

    /// Whether files without a match say something too.
    pub(super) fn speaks_of_all(&self) -> bool {
        self.invert || self.count || self.list == List::NonMatching
    }

    /// Whether context was asked for, even of zero lines: groups are then separated.
    pub(super) fn groups(&self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}
