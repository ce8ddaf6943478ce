//! What a script of `sed` means: addresses, commands and their parts, as the parser leaves them and the run reads them.

use super::regex::Matcher;

/// Where a command applies.
pub enum Address {
    /// This line.
    Line(u64),
    /// The last line of the input.
    Last,
    /// Lines that match.
    Regex(Matcher),
    /// Lines that match the expression used last: `//`.
    LastRegex,
    /// `first~step`.
    Step(u64, u64),
    /// `0` as the first address of `0,/re/`.
    Zero,
}

/// How a range ends.
pub enum End {
    /// At an address.
    At(Address),
    /// So many lines later.
    Plus(u64),
    /// At the next line that is a multiple.
    Multiple(u64),
}

/// A part of the replacement of `s`.
pub enum Part {
    /// These bytes.
    Text(Vec<u8>),
    /// The group of this number; 0 is the whole match.
    Group(usize),
}

/// `s/…/…/`.
pub struct Substitute {
    /// What is sought; `None` is the expression used last: `s//…/`.
    pub matcher: Option<Matcher>,
    /// What replaces it.
    pub parts: Vec<Part>,
    /// Every match from `number` on.
    pub global: bool,
    /// Print if replaced.
    pub print: bool,
    /// The first match that is replaced.
    pub number: usize,
}

/// What a command does; `usize` is the index of a command to go to.
pub enum Action {
    /// `{`: goes on behind the block where the address does not match.
    Block(usize),
    /// `p`, `P`.
    Print,
    PrintFirst,
    /// `d`, `D`.
    Delete,
    DeleteFirst,
    /// `q`, `Q` with the exit status.
    Quit(i32),
    QuitSilently(i32),
    /// `=`.
    Number,
    /// `n`, `N`.
    Next,
    Append,
    /// `h H g G x`.
    Hold,
    HoldAppend,
    Get,
    GetAppend,
    Exchange,
    /// `s`.
    Substitute(Substitute),
    /// `y`.
    Map(Box<[u8; 256]>),
    /// `a`, `i`, `c` with their text and newline.
    After(Vec<u8>),
    Before(Vec<u8>),
    Change(Vec<u8>),
    /// `b`, `t`, `T` and where to; past the end ends the cycle.
    Branch(usize),
    BranchIf(usize),
    BranchUnless(usize),
    /// `}` and `:label`.
    Nothing,
}

/// One command.
pub struct Command {
    /// The first address.
    pub start: Option<Address>,
    /// How a range ends.
    pub end: Option<End>,
    /// `!`.
    pub negated: bool,
    /// What it does.
    pub action: Action,
}

impl Command {
    /// Whether what it leaves, or its end, is seen by the file after: with `-s` and `-i` each is a text of its own.
    pub fn outlasts_a_file(&self) -> bool {
        use Action::{Exchange, Get, GetAppend, Hold, HoldAppend, Quit, QuitSilently};
        matches!(
            self.action,
            Exchange | Get | GetAppend | Hold | HoldAppend | Quit(_) | QuitSilently(_)
        )
    }

    /// Whether it means nothing by a newline, so that `-z` changes where lines end and no more.
    pub fn heeds_no_newline(&self) -> bool {
        use Action::{Block, Delete, Map, Nothing, Print, Substitute};
        matches!(
            self.action,
            Block(_) | Delete | Map(_) | Nothing | Print | Substitute(_)
        )
    }
}
