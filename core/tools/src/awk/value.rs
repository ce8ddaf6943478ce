//! Values: numbers, strings, and what comes from the input, which is a number too where it looks like one.

use super::refuse::refuse;
use crate::Refusal;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Of a variable that nobody has set.
    Unset,
    Number(f64),
    Text(Vec<u8>),
    /// Of a field, a line, or an option.
    Input(Vec<u8>),
}

/// Larger numbers are shown in another form.
const LARGEST: f64 = i32::MAX as f64;

impl Value {
    /// As a truth.
    pub(super) fn is_true(&self) -> Result<bool, Refusal> {
        Ok(match self {
            Value::Unset => false,
            Value::Number(number) => *number != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Input(text) => match looks_like(text)? {
                Some(number) => number != 0.0,
                None => !text.is_empty(),
            },
        })
    }

    /// As a number: what a string begins with.
    pub(super) fn number(&self) -> Result<f64, Refusal> {
        match self {
            Value::Unset => Ok(0.0),
            Value::Number(number) => Ok(*number),
            Value::Text(text) | Value::Input(text) => Ok(prefix(text)?.0),
        }
    }

    /// As a whole number that is shown digit by digit.
    pub(super) fn whole(&self) -> Result<i64, Refusal> {
        let number = self.number()?;
        match number.fract() == 0.0 && number.abs() <= LARGEST {
            true => Ok(number as i64),
            false => refuse("a number that is large or not whole"),
        }
    }

    /// As a string.
    pub(super) fn text(&self) -> Result<Vec<u8>, Refusal> {
        Ok(match self {
            Value::Unset => Vec::new(),
            Value::Number(_) => self.whole()?.to_string().into_bytes(),
            Value::Text(text) | Value::Input(text) => text.clone(),
        })
    }

    /// Their order: as numbers where both are, else as strings.
    pub(super) fn compare(&self, other: &Value) -> Result<std::cmp::Ordering, Refusal> {
        let is_text = |value: &Value| matches!(value, Value::Text(_));
        if !is_text(self) && !is_text(other) {
            if let (Some(one), Some(two)) = (self.as_number()?, other.as_number()?) {
                return match one.partial_cmp(&two) {
                    Some(order) => Ok(order),
                    None => refuse("a number that is none"),
                };
            }
        }
        Ok(self.text()?.cmp(&other.text()?))
    }

    /// The number that it is, beside being a string.
    fn as_number(&self) -> Result<Option<f64>, Refusal> {
        match self {
            Value::Unset => Ok(Some(0.0)),
            Value::Number(number) => Ok(Some(*number)),
            Value::Text(_) => Ok(None),
            Value::Input(text) => looks_like(text),
        }
    }
}

/// The number that all of `text` is, blanks around it aside.
fn looks_like(text: &[u8]) -> Result<Option<f64>, Refusal> {
    let (number, digits, rest) = {
        let (number, length) = prefix(text)?;
        (number, length > 0, &text[length..])
    };
    Ok((digits && rest.iter().all(|b| matches!(b, b' ' | b'\t'))).then_some(number))
}

/// The number that `text` begins with, and how many bytes it takes; 0 and none where there is no digit.
fn prefix(text: &[u8]) -> Result<(f64, usize), Refusal> {
    let blanks = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    if text[..blanks].iter().any(|b| !matches!(b, b' ' | b'\t')) {
        return refuse("a number behind a blank of another kind");
    }
    let sign = usize::from(matches!(text.get(blanks), Some(b'+' | b'-')));
    let from = blanks + sign;
    let named =
        |name: &[u8]| text[from..].len() >= 3 && text[from..from + 3].eq_ignore_ascii_case(name);
    if named(b"inf") || named(b"nan") {
        return refuse("a word that begins like a number without end, or none");
    }
    let digits = |from: usize| {
        text[from..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let whole = digits(from);
    let mut end = from + whole;
    let mut all = whole;
    if text.get(end) == Some(&b'.') {
        let part = digits(end + 1);
        all += part;
        end += if all > 0 { 1 + part } else { 0 };
    }
    if all == 0 {
        return Ok((0.0, 0));
    }
    if matches!(text.get(end), Some(b'e' | b'E' | b'x' | b'X' | b'p' | b'P')) || all > 15 {
        return refuse("a number of another kind");
    }
    let number = std::str::from_utf8(&text[blanks..end])
        .ok()
        .and_then(|text| text.parse().ok());
    match number {
        Some(number) => Ok((number, end)),
        None => refuse("a number of another kind"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_number_where_it_looks_like_one() {
        let looks = |text: &str| looks_like(text.as_bytes()).unwrap();
        for (text, number) in [
            ("5", Some(5.0)),
            (" +5. ", Some(5.0)),
            ("-.5", Some(-0.5)),
            ("5a", None),
            ("", None),
            ("-", None),
            (".", None),
            ("name", None),
        ] {
            assert_eq!(looks(text), number, "{text}");
        }
        for text in [
            "0x1f",
            "1e5",
            "nan",
            "+Infinity",
            "info",
            "1234567890123456",
        ] {
            assert!(looks_like(text.as_bytes()).is_err(), "{text}");
        }
    }
}
