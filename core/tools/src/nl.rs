//! `nl`: numbers lines.

use crate::deadline::Watch;
use crate::{input, Call, Refusal};
use curserve_text::options::{both, other, Number, Style, Table, Takes};

/// What the options are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Body,
    Width,
    Separator,
    Start,
    Step,
    Format,
}

/// How wide the numbers may be; wider is extreme.
const WIDTH: Number = Number::between(1, 1000);
const LINE: Number = Number::between(0, i64::MAX as u64);

/// The options of `nl`.
pub(crate) const TABLE: Table<Key> = Table::new(
    Style::Gnu,
    &[
        both(Key::Body, 'b', "body-numbering", Takes::Text),
        both(Key::Width, 'w', "number-width", Takes::Number(&WIDTH)),
        both(Key::Separator, 's', "number-separator", Takes::Text),
        both(
            Key::Start,
            'v',
            "starting-line-number",
            Takes::Number(&LINE),
        ),
        both(Key::Step, 'i', "line-increment", Takes::Number(&LINE)),
        both(Key::Format, 'n', "number-format", Takes::Text),
        other('d', "section-delimiter", Takes::Text),
        other('f', "footer-numbering", Takes::Text),
        other('h', "header-numbering", Takes::Text),
        other('l', "join-blank-lines", Takes::Text),
        other('p', "no-renumber", Takes::Nothing),
        other(' ', "help", Takes::Nothing),
        other(' ', "version", Takes::Nothing),
    ],
);

/// Runs `nl` (header and footer sections are refused).
///
/// # Errors
/// Where an option is not done here, a section begins, or an operand is not in memory.
pub fn nl(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = TABLE.parse(&args)?;
    let (mut all, mut none, mut width, mut line, mut step) = (false, false, 6usize, 1i64, 1i64);
    let (mut separator, mut format) = (&b"\t"[..], &b"rn"[..]);
    for given in &parsed.options {
        match (given.key, given.text()) {
            (Key::Body, b"a") => (all, none) = (true, false),
            (Key::Body, b"t") => (all, none) = (false, false),
            (Key::Body, b"n") => (all, none) = (false, true),
            (Key::Width, _) => width = given.number() as usize,
            (Key::Separator, text) => separator = text,
            (Key::Start, _) => line = given.number() as i64,
            (Key::Step, _) => step = given.number() as i64,
            (Key::Format, text @ (b"ln" | b"rn" | b"rz")) => format = text,
            _ => return Err(Refusal::new("a numbering of nl not known here")),
        }
    }
    let mut watch = Watch::new(call.deadline);
    input::each(call, "nl", parsed.operands, |call, content| {
        for text in input::lines(content) {
            watch.pass(text.len())?;
            if matches!(text, b"\\:" | b"\\:\\:" | b"\\:\\:\\:") {
                return Err(Refusal::new("sections in the input of nl"));
            }
            let mut out = Vec::with_capacity(text.len() + 16);
            if !none && (all || !text.is_empty()) {
                let number = match format {
                    b"ln" => format!("{line:<width$}"),
                    b"rz" => format!("{line:0>width$}"),
                    _ => format!("{line:>width$}"),
                };
                out.extend_from_slice(number.as_bytes());
                out.extend_from_slice(separator);
                line = line
                    .checked_add(step)
                    .ok_or_else(|| Refusal::new("a line number out of range"))?;
            } else {
                out.resize(width + separator.len(), b' ');
            }
            out.extend_from_slice(text);
            out.push(b'\n');
            call.out.write(&out);
        }
        Ok(())
    })
}
