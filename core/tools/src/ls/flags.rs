//! The command line of `ls`: which options it knows here, and what they ask for together.

use std::time::{SystemTime, UNIX_EPOCH};

use curserve_text::fnmatch::Pattern;

use crate::opts::{self, Takes};
use crate::Refusal;

const GROUP_DIRS: u8 = 200;
const COLOR: u8 = 201;
const FULL_TIME: u8 = 202;
const TIME_STYLE: u8 = 203;
const HIDE: u8 = 204;

/// The options known.
pub const KNOWN: &[opts::Known] = &[
    (b'a', "all", Takes::Nothing),
    (b'A', "almost-all", Takes::Nothing),
    (b'1', "", Takes::Nothing),
    (b'B', "ignore-backups", Takes::Nothing),
    (b'd', "directory", Takes::Nothing),
    (b'F', "classify", Takes::Maybe),
    (b'g', "", Takes::Nothing),
    (b'G', "no-group", Takes::Nothing),
    (b'h', "human-readable", Takes::Nothing),
    (b'i', "inode", Takes::Nothing),
    (b'I', "ignore", Takes::Value),
    (b'l', "", Takes::Nothing),
    (b'L', "dereference", Takes::Nothing),
    (b'n', "numeric-uid-gid", Takes::Nothing),
    (b'N', "literal", Takes::Nothing),
    (b'o', "", Takes::Nothing),
    (b'p', "", Takes::Nothing),
    (b'r', "reverse", Takes::Nothing),
    (b'R', "recursive", Takes::Nothing),
    (b's', "size", Takes::Nothing),
    (b'S', "", Takes::Nothing),
    (b't', "", Takes::Nothing),
    (b'U', "", Takes::Nothing),
    (b'X', "", Takes::Nothing),
    (GROUP_DIRS, "group-directories-first", Takes::Nothing),
    (COLOR, "color", Takes::Maybe),
    (FULL_TIME, "full-time", Takes::Nothing),
    (TIME_STYLE, "time-style", Takes::Value),
    (HIDE, "hide", Takes::Value),
];

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
    pub ignore: Vec<Pattern>,
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
    pub fn parse(parsed: &opts::Parsed) -> Result<Flags, Refusal> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut f = Flags {
            now: (now.as_secs() as i64, i64::from(now.subsec_nanos())),
            ..Flags::default()
        };
        for &(key, value) in &parsed.options {
            match (key, value) {
                (b'a', _) => (f.all, f.almost) = (true, false),
                (b'A', _) => (f.all, f.almost) = (false, true),
                (b'1' | b'N', _) => {}
                (b'B', _) => f.backups = true,
                (b'd', _) => f.directory = true,
                (b'F', None) => (f.classify, f.slash) = (true, false),
                (b'g', _) => (f.long, f.no_owner) = (true, true),
                (b'G', _) => f.no_group = true,
                (b'h', _) => f.human = true,
                (b'i', _) => f.inode = true,
                (b'I', Some(v)) => f.ignore.push(Pattern::new(v, false)?),
                (b'l', _) => f.long = true,
                (b'L', _) => f.follow = true,
                (b'n', _) => (f.long, f.numeric) = (true, true),
                (b'o', _) => (f.long, f.no_group) = (true, true),
                (b'p', _) => (f.classify, f.slash) = (false, true),
                (b'r', _) => f.reverse = true,
                (b'R', _) => f.recursive = true,
                (b's', _) => f.blocks = true,
                (b'S', _) => f.sort = Sort::Size,
                (b't', _) => f.sort = Sort::Time,
                (b'U', _) => f.sort = Sort::None,
                (b'X', _) => f.sort = Sort::Extension,
                (GROUP_DIRS, _) => f.folders_first = true,
                (COLOR, Some(b"never" | b"auto" | b"no" | b"none")) => {}
                (FULL_TIME, _) => (f.long, f.style) = (true, TimeStyle::FullIso),
                (TIME_STYLE, Some(b"long-iso")) => f.style = TimeStyle::LongIso,
                (TIME_STYLE, Some(b"full-iso")) => f.style = TimeStyle::FullIso,
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
