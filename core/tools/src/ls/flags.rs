//! The command line of `ls`: which options it knows here, and what they ask for together.

use std::time::{SystemTime, UNIX_EPOCH};

use curserve_text::fnmatch::Pattern;

use crate::Refusal;
use curserve_text::options::{both, letter, long, other, Parsed, Style, Table, Takes, Value};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    All,
    AlmostAll,
    Plain,
    Backups,
    Directory,
    Classify,
    NoOwner,
    NoGroup,
    Human,
    Inode,
    Ignore,
    Long,
    Follow,
    Numeric,
    LongNoGroup,
    Slash,
    Reverse,
    Recursive,
    Size,
    BySize,
    ByTime,
    Unsorted,
    ByExtension,
    FoldersFirst,
    Color,
    FullTime,
    TimeStyle,
    Hide,
}

/// The options of `ls`.
pub const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::All, 'a', "all", Takes::Nothing),
        both(Key::AlmostAll, 'A', "almost-all", Takes::Nothing),
        letter(Key::Plain, '1', Takes::Nothing),
        both(Key::Backups, 'B', "ignore-backups", Takes::Nothing),
        both(Key::Directory, 'd', "directory", Takes::Nothing),
        both(Key::Classify, 'F', "classify", Takes::Maybe),
        letter(Key::NoOwner, 'g', Takes::Nothing),
        both(Key::NoGroup, 'G', "no-group", Takes::Nothing),
        both(Key::Human, 'h', "human-readable", Takes::Nothing),
        both(Key::Inode, 'i', "inode", Takes::Nothing),
        both(Key::Ignore, 'I', "ignore", Takes::Text),
        letter(Key::Long, 'l', Takes::Nothing),
        both(Key::Follow, 'L', "dereference", Takes::Nothing),
        both(Key::Numeric, 'n', "numeric-uid-gid", Takes::Nothing),
        both(Key::Plain, 'N', "literal", Takes::Nothing),
        letter(Key::LongNoGroup, 'o', Takes::Nothing),
        letter(Key::Slash, 'p', Takes::Nothing),
        both(Key::Reverse, 'r', "reverse", Takes::Nothing),
        both(Key::Recursive, 'R', "recursive", Takes::Nothing),
        both(Key::Size, 's', "size", Takes::Nothing),
        letter(Key::BySize, 'S', Takes::Nothing),
        letter(Key::ByTime, 't', Takes::Nothing),
        letter(Key::Unsorted, 'U', Takes::Nothing),
        letter(Key::ByExtension, 'X', Takes::Nothing),
        long(Key::FoldersFirst, "group-directories-first", Takes::Nothing),
        long(Key::Color, "color", Takes::Maybe),
        long(Key::FullTime, "full-time", Takes::Nothing),
        long(Key::TimeStyle, "time-style", Takes::Text),
        long(Key::Hide, "hide", Takes::Text),
        other(' ', "author", Takes::Nothing),
        other('b', "escape", Takes::Nothing),
        other(' ', "block-size", Takes::Text),
        other('c', "", Takes::Nothing),
        other('C', "", Takes::Nothing),
        other('D', "dired", Takes::Nothing),
        other('f', "", Takes::Nothing),
        other(' ', "file-type", Takes::Nothing),
        other(' ', "format", Takes::Text),
        other(' ', "si", Takes::Nothing),
        other('H', "dereference-command-line", Takes::Nothing),
        other(
            ' ',
            "dereference-command-line-symlink-to-dir",
            Takes::Nothing,
        ),
        other(' ', "hyperlink", Takes::Maybe),
        other(' ', "indicator-style", Takes::Text),
        other('k', "kibibytes", Takes::Nothing),
        other('m', "", Takes::Nothing),
        other('q', "hide-control-chars", Takes::Nothing),
        other(' ', "show-control-chars", Takes::Nothing),
        other('Q', "quote-name", Takes::Nothing),
        other(' ', "quoting-style", Takes::Text),
        other(' ', "sort", Takes::Text),
        other(' ', "time", Takes::Text),
        other('T', "tabsize", Takes::Text),
        other('u', "", Takes::Nothing),
        other('v', "", Takes::Nothing),
        other('w', "width", Takes::Text),
        other('x', "", Takes::Nothing),
        other('Z', "context", Takes::Nothing),
        other(' ', "zero", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// What entries are ordered by.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum Sort {
    /// Their names, bytes compared.
    #[default]
    Name,
    /// The latest first.
    Time,
    /// The largest first.
    Size,
    /// What follows their last dot, then their names.
    Extension,
    /// Nothing: as the folder has them.
    None,
}

/// How times are printed.
#[derive(Clone, Copy, Default, PartialEq)]
pub enum TimeStyle {
    /// `Nov 20 23:48`, or with the year.
    #[default]
    Default,
    /// `2026-11-20 23:48`.
    LongIso,
    /// To the nanosecond.
    FullIso,
}

/// A pattern of names, whose wildcards match no dot that a name begins with.
pub struct Glob {
    pattern: Pattern,
    has_dot: bool,
}

impl Glob {
    fn new(glob: &[u8]) -> Result<Glob, Refusal> {
        Ok(Glob {
            pattern: Pattern::new(glob, false)?,
            has_dot: glob.strip_prefix(b"\\").unwrap_or(glob).starts_with(b"."),
        })
    }

    /// Whether the name matches.
    ///
    /// # Errors
    /// Where that depends on tables of characters.
    pub fn matches(&self, name: &[u8]) -> Result<bool, Refusal> {
        Ok((self.has_dot || !name.starts_with(b".")) && self.pattern.matches(name)?)
    }
}

/// What is asked for.
#[derive(Default)]
pub struct Flags {
    /// Hidden names too, `.` and `..` among them.
    pub all: bool,
    /// Hidden names too, without those two.
    pub almost: bool,
    /// `-B`: names that end in `~` are left out.
    pub backups: bool,
    /// `-d`: a folder is an entry, not a list of its own.
    pub directory: bool,
    /// A sign behind the name tells what it is.
    pub classify: bool,
    /// A slash behind the names of folders.
    pub slash: bool,
    /// The long format.
    pub long: bool,
    /// The long format does not name owners.
    pub no_owner: bool,
    /// The long format does not name groups.
    pub no_group: bool,
    /// Owners and groups are numbers.
    pub numeric: bool,
    /// Sizes in powers of 1024.
    pub human: bool,
    /// The number of the inode before each entry.
    pub inode: bool,
    /// The space on disk before each entry.
    pub blocks: bool,
    /// `-R`: the folders below, too.
    pub recursive: bool,
    /// The order is the other way round.
    pub reverse: bool,
    /// `-L`: a link is listed as what it leads to.
    pub follow: bool,
    /// What entries are ordered by.
    pub sort: Sort,
    /// Folders come before everything else.
    pub folders_first: bool,
    /// How times are printed.
    pub style: TimeStyle,
    /// Names that match one of these are left out.
    pub ignore: Vec<Glob>,
    /// And these, unless hidden names are listed.
    pub hide: Vec<Glob>,
    /// Now, in seconds and nanoseconds: times long past are printed otherwise.
    pub now: (i64, i64),
}

impl Flags {
    /// Whether a listing is names in their order and nothing else.
    pub fn names_alone(&self) -> bool {
        let looks = self.long || self.blocks || self.inode || self.classify || self.slash;
        let moves = self.reverse || self.folders_first || self.sort != Sort::Name;
        !(looks || moves || self.all || self.follow)
    }

    /// Reads the options; refuses those whose effect upon each other is not known here.
    ///
    /// # Errors
    /// As it says.
    pub fn parse(parsed: &Parsed<'_, Key>) -> Result<Flags, Refusal> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut f = Flags {
            now: (now.as_secs() as i64, i64::from(now.subsec_nanos())),
            ..Flags::default()
        };
        for given in &parsed.options {
            match (given.key, given.value) {
                (Key::All, _) => (f.all, f.almost) = (true, false),
                (Key::AlmostAll, _) => (f.all, f.almost) = (false, true),
                (Key::Plain, _) => {}
                (Key::Backups, _) => f.backups = true,
                (Key::Directory, _) => f.directory = true,
                (Key::Classify, Value::None) => (f.classify, f.slash) = (true, false),
                (Key::NoOwner, _) => (f.long, f.no_owner) = (true, true),
                (Key::NoGroup, _) => f.no_group = true,
                (Key::Human, _) => f.human = true,
                (Key::Inode, _) => f.inode = true,
                (Key::Ignore, Value::Text(glob)) => f.ignore.push(Glob::new(glob)?),
                (Key::Hide, Value::Text(glob)) => f.hide.push(Glob::new(glob)?),
                (Key::Long, _) => f.long = true,
                (Key::Follow, _) => f.follow = true,
                (Key::Numeric, _) => (f.long, f.numeric) = (true, true),
                (Key::LongNoGroup, _) => (f.long, f.no_group) = (true, true),
                (Key::Slash, _) => (f.classify, f.slash) = (false, true),
                (Key::Reverse, _) => f.reverse = true,
                (Key::Recursive, _) => f.recursive = true,
                (Key::Size, _) => f.blocks = true,
                (Key::BySize, _) => f.sort = Sort::Size,
                (Key::ByTime, _) => f.sort = Sort::Time,
                (Key::Unsorted, _) => f.sort = Sort::None,
                (Key::ByExtension, _) => f.sort = Sort::Extension,
                (Key::FoldersFirst, _) => f.folders_first = true,
                (Key::Color, Value::Text(b"never" | b"auto" | b"no" | b"none")) => {}
                (Key::FullTime, _) => (f.long, f.style) = (true, TimeStyle::FullIso),
                (Key::TimeStyle, Value::Text(b"long-iso")) => f.style = TimeStyle::LongIso,
                (Key::TimeStyle, Value::Text(b"full-iso")) => f.style = TimeStyle::FullIso,
                _ => return Err(Refusal::new("an option of ls not known here")),
            }
        }
        // Where -d is, -R lists nothing; -L changes what a link is at every step.
        if f.recursive && (f.follow || f.directory) {
            return Err(Refusal::new("options of ls that work upon each other"));
        }
        Ok(f)
    }
}
