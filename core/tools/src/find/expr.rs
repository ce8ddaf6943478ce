//! The expression of `find`: what its tests and actions are.

use curserve_text::fnmatch::Pattern;

use super::format::Piece;
use crate::Refusal;
use curserve_text::options::{Count, Number};

/// How a number compares: `+N`, `-N`, `N`.
#[derive(Clone, Copy)]
pub enum Compare {
    /// More than.
    More(u64),
    /// Less than.
    Less(u64),
    /// Exactly.
    Equal(u64),
}

impl Compare {
    /// Parses a number with its sign.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        const COMPARED: Number = Number::between(0, u64::MAX).signed(b"+-");
        let Count { sign, number } = COMPARED.read(text)?;
        Ok(match sign {
            Some(b'+') => Self::More(number),
            Some(_) => Self::Less(number),
            None => Self::Equal(number),
        })
    }

    /// Whether `n` passes.
    pub fn holds(self, n: u64) -> bool {
        match self {
            Self::More(than) => n > than,
            Self::Less(than) => n < than,
            Self::Equal(to) => n == to,
        }
    }
}

/// A test or an action.
pub enum Expr {
    /// `-a`, of any number.
    And(Vec<Expr>),
    /// `-o`.
    Or(Box<Expr>, Box<Expr>),
    /// `!`.
    Not(Box<Expr>),
    /// `-true`, and options that always hold.
    True,
    /// `-false`.
    False,
    /// `-name`, `-iname`.
    Name(Pattern),
    /// `-path`, `-ipath`.
    Path(Pattern),
    /// `-lname`.
    LinkName(Pattern),
    /// `-type`, the letters.
    Type(Vec<u8>),
    /// `-empty`.
    Empty,
    /// `-size`: in units of so many bytes, rounded up.
    Size(Compare, u64),
    /// `-newer`: later than this.
    Newer((i64, i64)),
    /// `-perm` exact, `-perm -all`, `-perm /any`.
    Perm(u8, u32),
    /// `-readable`, `-writable`, `-executable`: the bit that `access(2)` asks for.
    Access(u32),
    /// `-links`.
    Links(Compare),
    /// `-prune`.
    Prune,
    /// `-quit`.
    Quit,
    /// `-print`.
    Print,
    /// `-print0`.
    Print0,
    /// `-printf`.
    Printf(Vec<Piece>),
    /// `-exec … ;`.
    Exec(Vec<Vec<u8>>),
    /// `-exec … {} +`: the words before `{}`, and which one of these it is.
    ExecPlus(Vec<Vec<u8>>, usize),
}

/// A whole expression.
pub struct Parsed {
    /// The expression, with `-print` added where it has no action.
    pub expr: Expr,
    /// `-mindepth`.
    pub min_depth: usize,
    /// `-maxdepth`.
    pub max_depth: usize,
    /// `-depth`: contents before the folder.
    pub depth_first: bool,
    /// How many `-exec … +` there are.
    pub batches: usize,
}
