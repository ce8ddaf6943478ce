//! A program as a tree.

use super::pattern::Matcher;

/// A program.
#[derive(Default)]
pub(super) struct Program {
    pub(super) rules: Vec<Rule>,
    pub(super) names: Vec<Name>,
}

/// A name of the program's own.
pub(super) struct Name {
    pub(super) name: String,
    pub(super) is_array: bool,
}

pub(super) struct Rule {
    pub(super) when: When,
    pub(super) action: Vec<Statement>,
}

pub(super) enum When {
    Begin,
    End,
    Always,
    Is(Expression),
    /// From a line to a line.
    Range(Expression, Expression),
}

pub(super) enum Statement {
    Print(Vec<Expression>),
    Format(Vec<u8>, Vec<Expression>),
    If(Expression, Vec<Statement>, Vec<Statement>),
    /// A condition, what is done, and what follows it.
    While(Expression, Vec<Statement>, Option<Expression>),
    Next,
    Exit(Option<Expression>),
    Do(Expression),
}

pub(super) enum Expression {
    Number(f64),
    Text(Vec<u8>),
    /// Whether a text, or the line, matches.
    Matches(Option<Box<Expression>>, Box<Matcher>),
    Own(Own),
    At(Place),
    Field(Box<Expression>),
    Assign(Place, Option<Sum>, Box<Expression>),
    /// So much is added, and what was there is the value, or what is.
    Step(Place, f64, bool),
    Not(Box<Expression>),
    Minus(Box<Expression>),
    Calculate(Sum, Box<[Expression; 2]>),
    Compare(Comparison, Box<[Expression; 2]>),
    And(Box<[Expression; 2]>),
    Or(Box<[Expression; 2]>),
    Choose(Box<[Expression; 3]>),
    Join(Box<[Expression; 2]>),
    Call(Function, Vec<Expression>),
}

/// What can be assigned to.
pub(super) enum Place {
    Variable(usize),
    Element(usize, Box<Expression>),
    OutputSeparator,
    FieldSeparator,
}

/// A variable of awk's own that is read.
#[derive(Clone, Copy)]
pub(super) enum Own {
    Record,
    FileRecord,
    Fields,
}

#[derive(Clone, Copy)]
pub(super) enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy)]
pub(super) enum Function {
    Length,
    Index,
    Substring,
    Lower,
    Upper,
    Whole,
}

impl Program {
    pub(super) fn begin(&self) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(|rule| matches!(rule.when, When::Begin))
    }

    pub(super) fn end(&self) -> impl Iterator<Item = &Rule> {
        self.rules
            .iter()
            .filter(|rule| matches!(rule.when, When::End))
    }

    /// Whether it reads its input.
    pub(super) fn reads(&self) -> bool {
        self.rules
            .iter()
            .any(|rule| !matches!(rule.when, When::Begin))
    }
}
