//! Guards around brush-parser: hostile input neither panics nor runs away.

use std::cell::Cell;
use std::panic::{catch_unwind, set_hook, take_hook, AssertUnwindSafe};
use std::sync::Once;

use brush_parser::ast::Program;
use brush_parser::{word, ParserOptions, SourceSpan, Token};

use crate::{documents, Refusal};

/// Longer command lines are refused; agents' stay far below.
const MAX_LENGTH: usize = 64 << 10;
/// The parsers are recursive, and backtrack: this bounds both.
const MAX_OPENINGS: usize = 300;
/// Each level takes the parser a quarter longer than the one before: 16 are 10 ms, 24 were 400, and nothing looks at the clock there.
const MAX_DEPTH: usize = 16;
/// Where it fails, it tries what stands in a `case` twice, and so what stands in `n` of them 2^n times. Three levels of the
/// others take as long as one of these: together that is a tenth of a second.
const MAX_CASES: usize = 9;
/// The parser goes one deeper at each of so many words at most …
const MAX_NESTING: usize = 1000;
/// … of which a thread's own stack bears so many.
const FLAT: usize = 24;
/// So much of a stack do they take there, and what runs them.
const ROOM: usize = 1 << 20;
/// Operators of an arithmetic expression, each of which may be one level.
const MAX_OPERATORS: usize = 60;

fn options() -> &'static ParserOptions {
    static OPTIONS: std::sync::OnceLock<ParserOptions> = std::sync::OnceLock::new();
    OPTIONS.get_or_init(|| ParserOptions {
        enable_extended_globbing: false,
        ..ParserOptions::default()
    })
}

/// How many levels deep the parser may go in a command line, at most: every word that may open something counts, also
/// where it is an argument or quoted.
fn nesting(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut levels = 0;
    for (at, &b) in bytes.iter().enumerate() {
        levels += usize::from(match b {
            b'(' | b'{' | b'`' => true,
            b'!' => matches!(bytes.get(at + 1), Some(b' ' | b'\t' | b'\n')),
            b'i' | b'w' | b'u' | b'f' | b'c' | b's' | b'e' | b't' | b'[' | b'&' | b'|' => {
                let before = at.checked_sub(1).map(|before| bytes[before]);
                let opens = before.is_none_or(|b| !b.is_ascii_alphanumeric());
                opens && opening(&bytes[at..])
            }
            _ => false,
        });
    }
    levels
}

/// Whether `text` begins with a word, or an operator within `[[ ]]`, behind which the parser may go deeper.
fn opening(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 11] = [
        b"if",
        b"elif",
        b"while",
        b"until",
        b"for",
        b"case",
        b"select",
        b"time",
        b"coproc",
        b"function",
        b"[[",
    ];
    let operator = text.starts_with(b"&&") || text.starts_with(b"||");
    operator || WORDS.iter().any(|word| text.starts_with(word))
}

/// Whether a thread's own stack is long enough for a command line, as far as it goes by now.
pub fn is_flat(text: &str) -> bool {
    let left = curserve_tools::stack::left();
    text.len() <= MAX_LENGTH && nesting(text) <= FLAT && left >= ROOM
}

/// How many words of a command line may be `case`: which is one, and where it ends, only the parser knows.
fn cases(text: &str) -> usize {
    let joined = text.replace("\\\n", "");
    let begins = |at: usize| {
        let before = joined[..at].bytes().next_back();
        before.is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'_')
    };
    joined
        .match_indices("case")
        .filter(|(at, _)| begins(*at))
        .count()
}

fn guard(text: &str) -> Result<(), Refusal> {
    if text.len() > MAX_LENGTH {
        return Err(Refusal::new("a command line beyond 64 KiB"));
    }
    let (mut openings, mut depth, mut deepest) = (0usize, 0usize, 0usize);
    for b in text.bytes() {
        match b {
            0 => return Err(Refusal::new("a NUL in a command line")),
            b'(' | b'{' => {
                openings += 1;
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b'}' => depth = depth.saturating_sub(1),
            b'`' => openings += 1,
            _ => {}
        }
    }
    let cases = cases(text) + deepest / 3;
    if openings > MAX_OPENINGS || deepest > MAX_DEPTH || cases > MAX_CASES {
        return Err(Refusal::new("a command line nested too deeply"));
    }
    curserve_tools::stack::check()
}

thread_local! {
    static PARSING: Cell<bool> = const { Cell::new(false) };
}

/// Runs a parser of brush-parser; a panic in it, as at the number of a descriptor beyond 31 bits, is a refusal and says nothing.
fn guarded<T, E>(what: &str, parse: impl FnOnce() -> Result<T, E>) -> Result<T, Refusal> {
    static SILENCE: Once = Once::new();
    SILENCE.call_once(|| {
        let tell = take_hook();
        set_hook(Box::new(move |panic| {
            if !PARSING.get() {
                tell(panic);
            }
        }));
    });
    PARSING.set(true);
    let parsed = catch_unwind(AssertUnwindSafe(parse));
    PARSING.set(false);
    match parsed {
        Ok(Ok(value)) => Ok(value),
        _ => Err(Refusal::new(format!("{what} that does not parse"))),
    }
}

/// Parses a command line that stood within one that [`check::parse`](crate::check::parse) took.
///
/// # Errors
/// Where it does not parse, or is too large or too deep to be tried.
pub fn parse_unchecked(command: &str) -> Result<Program, Refusal> {
    guard(command)?;
    if nesting(command) > MAX_NESTING {
        return Err(Refusal::new("a command line nested too deeply"));
    }
    if !documents::are_clear(command) {
        return Err(Refusal::new(
            "a here-document whose place or end is not clear",
        ));
    }
    let mut parser = brush_parser::Parser::new(command.as_bytes(), options());
    let program = guarded("a command line", || parser.parse_program())?;
    if command.starts_with(['-', '+']) {
        return Err(Refusal::new("a command line that is an option of bash"));
    }
    if names_a_descriptor(command) {
        return Err(Refusal::new("a descriptor in a variable"));
    }
    if changes_an_expansion(command)? {
        return Err(Refusal::new("a blank in ${…} that the parser drops"));
    }
    Ok(program)
}

/// `{name}>file`, which is a word and a redirection to the parser.
fn names_a_descriptor(command: &str) -> bool {
    command.match_indices(['<', '>']).any(|(at, _)| {
        let before = &command[..at];
        before.ends_with('}') && before.rfind('{').is_some_and(|open| open + 2 < at)
    })
}

/// Whether a word with `${…}` in it is another one to the parser than it is here: within the braces it drops blanks and
/// comments, as between words. What it makes of a line broken by a backslash is right.
fn changes_an_expansion(command: &str) -> Result<bool, Refusal> {
    if !command.contains("${") {
        return Ok(false);
    }
    let tokens = guarded("a command line", || {
        brush_parser::uncached_tokenize_str(command, &options().tokenizer_options())
    })?;
    let unbroken = |text: &str| text.replace("\\\n", "");
    let changed = |value: &str, span: &SourceSpan| {
        let (start, end) = (span.start.index, span.end.index);
        let stands: String = match command.is_ascii() {
            true => command[start..end].to_owned(),
            false => command.chars().take(end).skip(start).collect(),
        };
        unbroken(value) != unbroken(&stands)
    };
    let mut tokens = tokens.iter();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(value, span) if value.contains("${") && changed(value, span) => {
                return Ok(true)
            }
            // The tag, the body and the end of a here-document follow, which are as they were.
            Token::Operator(operator, _) if operator == "<<" || operator == "<<-" => {
                tokens.nth(2);
            }
            Token::Word(..) | Token::Operator(..) => {}
        }
    }
    Ok(false)
}

/// Parses a word into its pieces.
///
/// # Errors
/// As [`parse_unchecked`].
pub fn pieces(text: &str) -> Result<Vec<word::WordPieceWithSource>, Refusal> {
    guard(text)?;
    guarded("a word", || word::parse(text, options()))
}

/// Parses the body of a here-document that is subject to expansion.
///
/// # Errors
/// As [`parse_unchecked`].
pub fn heredoc(text: &str) -> Result<Vec<word::WordPieceWithSource>, Refusal> {
    guard(text)?;
    guarded("a here-document", || word::parse_heredoc(text, options()))
}

/// Parses a word for its brace expressions; `None` where it has none.
///
/// # Errors
/// As [`parse_unchecked`], and where there are many braces, or a long number in them.
pub fn braces(text: &str) -> Result<Option<Vec<word::BraceExpressionOrText>>, Refusal> {
    guard(text)?;
    if text.bytes().filter(|&b| b == b'{').count() > 6 {
        return Err(Refusal::new("many braces in one word"));
    }
    // The parser unwraps numbers that do not fit.
    if text
        .as_bytes()
        .split(|b| !b.is_ascii_digit())
        .any(|digits| digits.len() > 9)
    {
        return Err(Refusal::new("a long number in braces"));
    }
    guarded("braces", || word::parse_brace_expansions(text, options()))
}

/// Parses an arithmetic expression.
///
/// # Errors
/// As [`parse_unchecked`], and where it has many operators.
pub fn arithmetic(text: &str) -> Result<brush_parser::ast::ArithmeticExpr, Refusal> {
    guard(text)?;
    let operators = text.bytes().filter(|b| b"!~+-*/%?=<>&|^,".contains(b));
    if operators.count() > MAX_OPERATORS {
        return Err(Refusal::new("arithmetic nested too deeply"));
    }
    guarded("arithmetic", || brush_parser::arithmetic::parse(text))
}
