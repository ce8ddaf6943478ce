//! Brace expansion of one word: `{a,b}`, `{1..3}`, `{01..10..2}`, `{a..e}`; quotes and `$…` stay as they are.

use brush_parser::word::{BraceExpressionMember, BraceExpressionOrText};

use crate::{syntax, Refusal};

/// More words than agents ask for are refused.
const MAX_WORDS: usize = 10_000;
/// And so are longer ones, all together.
const MAX_BYTES: usize = 8 << 20;

/// The words that `word` stands for.
///
/// # Errors
/// Where the braces do not nest or hold no list, stand beside other expansions, or make too many words.
pub fn expand(word: &str) -> Result<Vec<String>, Refusal> {
    match shape(word) {
        Shape::None => return Ok(vec![word.to_string()]),
        Shape::Nested => {}
        Shape::Odd => return Err(Refusal::new("braces that do not nest, or hold no list")),
    }
    let Some(pieces) = syntax::braces(word)? else {
        return Ok(vec![word.to_string()]);
    };
    let plain_name = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        end.is_some_and(|end| rest[end..].starts_with('}'))
    };
    if word.split("${").skip(1).any(|rest| !plain_name(rest)) {
        return Err(Refusal::new("braces beside an expansion with braces"));
    }
    let widths = widths(word, &pieces)?;
    let words = join(&pieces, &mut widths.into_iter())?;
    if words.len() > MAX_WORDS {
        return Err(Refusal::new("braces with too many words"));
    }
    Ok(words)
}

/// What the unquoted braces of a word are.
#[derive(PartialEq, Debug)]
enum Shape {
    /// There are none that bash would look into.
    None,
    /// Each is closed, and holds a list or a sequence.
    Nested,
    /// Anything else: what bash takes for an expression then, and what for text, is not known here.
    Odd,
}

fn shape(word: &str) -> Shape {
    let bytes = word.as_bytes();
    if !bytes.contains(&b'{') || !(word.contains(',') || word.contains("..")) {
        return Shape::None;
    }
    // Where each open brace stands, and whether a comma has been seen in it.
    let mut open: Vec<(usize, bool)> = Vec::new();
    let (mut at, mut found, mut odd) = (0, false, false);
    let mut quote = None;
    while let Some(&b) = bytes.get(at) {
        let next = bytes.get(at + 1);
        match (quote, b) {
            (None | Some(b'"'), b'\\') => at += 1,
            (Some(q), b) if q == b => quote = None,
            (Some(b'\''), _) => {}
            (_, b'$') if next == Some(&b'{') => match bytes[at..].iter().position(|&b| b == b'}') {
                // What else stands in such braces may hold braces itself.
                Some(end) if is_name(&bytes[at + 2..at + end]) => at += end,
                _ => (odd, at) = (true, at + 1),
            },
            // Where such a quote ends is not looked for.
            (_, b'$') if next == Some(&b'\'') => (odd, found) = (true, true),
            (_, b'$') if matches!(next, Some(b'(' | b'[' | b'"')) => odd = true,
            (_, b'`') => odd = true,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(b),
            (None, b'{') => {
                found = true;
                open.push((at + 1, false));
            }
            (None, b',') => {
                if let Some((_, list)) = open.last_mut() {
                    *list = true;
                }
            }
            (None, b'}') => match open.pop() {
                Some((_, true)) => {}
                Some((from, false)) if is_sequence(&word[from..at]) => {}
                _ => odd = true,
            },
            (None, _) => {}
        }
        at += 1;
    }
    match found {
        false => Shape::None,
        true if odd || quote.is_some() || !open.is_empty() => Shape::Odd,
        true => Shape::Nested,
    }
}

fn is_name(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

/// `1..3`, `a..e`, and either with a step.
fn is_sequence(text: &str) -> bool {
    let parts: Vec<&str> = text.split("..").collect();
    let number = |text: &str| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let letter = |text: &str| text.len() == 1 && text.as_bytes()[0].is_ascii_alphabetic();
    match parts.as_slice() {
        [start, end, step @ ..] if step.len() < 2 => {
            let both = |of: &dyn Fn(&str) -> bool| of(start) && of(end);
            (both(&number) || both(&letter)) && step.iter().all(|step| number(step))
        }
        _ => false,
    }
}

/// How wide each sequence of numbers in `word` is padded with zeros, in their order.
///
/// The parser tells the numbers and not how they were written, so they are found again in the text. Quoted text may
/// look like a sequence to this and not to the parser: then which is which is not known.
fn widths(word: &str, pieces: &[BraceExpressionOrText]) -> Result<Vec<usize>, Refusal> {
    let written: Vec<usize> = word.split('{').skip(1).filter_map(padded).collect();
    let parsed = pieces.iter().map(sequences).sum::<usize>();
    if written.iter().all(|&width| width == 0) {
        return Ok(vec![0; parsed]);
    }
    if written.len() != parsed {
        return Err(Refusal::new("zero-padded numbers beside quoted braces"));
    }
    Ok(written)
}

/// The width that bash gives the numbers of `START..END}` or `START..END..STEP}`, which `text` may begin with.
fn padded(text: &str) -> Option<usize> {
    let (inner, _) = text.split_once('}')?;
    let number = |text: &str| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let parts: Vec<&str> = inner.split("..").collect();
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(|part| number(part)) {
        return None;
    }
    // `-0` alone is no padding, nor is `+01`.
    let pads = |text: &str| {
        text.len() > 1 && text.starts_with('0') || text.len() > 2 && text.starts_with("-0")
    };
    let (start, end) = (parts[0], parts[1]);
    Some(match pads(start) || pads(end) {
        true => start.len().max(end.len()),
        false => 0,
    })
}

/// How many sequences of numbers there are.
fn sequences(piece: &BraceExpressionOrText) -> usize {
    let BraceExpressionOrText::Expr(members) = piece else {
        return 0;
    };
    let of_member = |member: &BraceExpressionMember| match member {
        BraceExpressionMember::NumberSequence { .. } => 1,
        BraceExpressionMember::CharSequence { .. } => 0,
        BraceExpressionMember::Child(pieces) => pieces.iter().map(sequences).sum(),
    };
    members.iter().map(of_member).sum()
}

fn join(
    pieces: &[BraceExpressionOrText],
    widths: &mut dyn Iterator<Item = usize>,
) -> Result<Vec<String>, Refusal> {
    let mut words = vec![String::new()];
    for piece in pieces {
        let options = match piece {
            BraceExpressionOrText::Text(text) => vec![text.clone()],
            BraceExpressionOrText::Expr(members) => {
                let mut options = Vec::new();
                for member in members {
                    options.extend(alternatives(member, widths)?);
                }
                options
            }
        };
        let length = |of: &[String]| of.iter().map(String::len).sum::<usize>();
        let bytes = length(&words) * options.len() + length(&options) * words.len();
        if words.len() * options.len() > MAX_WORDS || bytes > MAX_BYTES {
            return Err(Refusal::new("braces with too many words"));
        }
        words = words
            .iter()
            .flat_map(|w| options.iter().map(move |o| format!("{w}{o}")))
            .collect();
    }
    Ok(words)
}

fn alternatives(
    member: &BraceExpressionMember,
    widths: &mut dyn Iterator<Item = usize>,
) -> Result<Vec<String>, Refusal> {
    match member {
        BraceExpressionMember::Child(pieces) => join(pieces, widths),
        BraceExpressionMember::NumberSequence {
            start,
            end,
            increment,
        } => {
            let width = widths.next().unwrap_or_default();
            let numbers = sequence(*start, *end, *increment)?;
            Ok(numbers.map(|n| format!("{n:0width$}")).collect())
        }
        BraceExpressionMember::CharSequence {
            start,
            end,
            increment,
        } => {
            let (start, end) = (i64::from(*start as u32), i64::from(*end as u32));
            if (start < 91) != (end < 91) {
                return Err(Refusal::new("a sequence in braces that mixes cases"));
            }
            let letters = sequence(start, end, *increment)?;
            Ok(letters.map(|n| char::from(n as u8).to_string()).collect())
        }
    }
}

/// From `start` to `end`, both included, whatever the sign of `step`.
fn sequence(start: i64, end: i64, step: i64) -> Result<impl Iterator<Item = i64>, Refusal> {
    let (span, step) = ((end - start).abs(), step.abs().max(1));
    if span > MAX_WORDS as i64 {
        return Err(Refusal::new("a long sequence in braces"));
    }
    let sign = (end - start).signum();
    Ok((0..=span)
        .step_by(step as usize)
        .map(move |n| start + sign * n))
}
