//! `s` and `y`: the commands that put other text in the place of some.

use super::reader::{refuse, Reader};
use crate::sed::command::{Part, Substitute};
use crate::sed::regex::Matcher;
use crate::Refusal;

/// `s`, behind its letter.
///
/// # Errors
/// Where its expression, its replacement or a flag is not done here.
pub fn substitute(r: &mut Reader) -> Result<Substitute, Refusal> {
    let delimiter = match r.take() {
        Some(b) if b.is_ascii_punctuation() && b != b'\\' => b,
        _ => return refuse("an unusual delimiter"),
    };
    let pattern = r.delimited(delimiter, true)?;
    let replacement = r.delimited(delimiter, false)?;
    let (mut global, mut print, mut number, mut fold) = (false, false, None, false);
    loop {
        match r.peek() {
            Some(b'g') if !global => global = true,
            Some(b'p') if !print => print = true,
            Some(b'i' | b'I') => fold = true,
            Some(b'1'..=b'9') if number.is_none() => {
                number = r.number()?;
                continue;
            }
            Some(b) if b.is_ascii_alphanumeric() => return refuse("a flag of s not known here"),
            _ => break,
        }
        r.skip();
    }
    let matcher = match pattern.is_empty() && !fold {
        true => None,
        false => Some(Matcher::new(&pattern, r.extended, fold)?),
    };
    let parts = parts(&replacement)?;
    let used = parts
        .iter()
        .filter_map(|p| {
            if let Part::Group(n) = p {
                Some(*n)
            } else {
                None
            }
        })
        .max()
        .unwrap_or(0);
    let sure = match &matcher {
        None | Some(Matcher::Literal(_)) => 0,
        Some(Matcher::Regex(regex)) => regex.sure_groups().unwrap_or(0),
    };
    if used > sure {
        return refuse("a reference to a group that is not sure");
    }
    let number = number.unwrap_or(1) as usize;
    Ok(Substitute {
        matcher,
        parts,
        global,
        print,
        number,
    })
}

/// The replacement: plain text, and the groups that it names.
fn parts(text: &[u8]) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    let mut bytes = text.iter();
    while let Some(&b) = bytes.next() {
        let group = match b {
            b'&' => 0,
            b'\\' => match bytes.next() {
                Some(d @ b'0'..=b'9') => usize::from(d - b'0'),
                Some(b'n') => {
                    plain.push(b'\n');
                    continue;
                }
                Some(b't') => {
                    plain.push(b'\t');
                    continue;
                }
                Some(b'r') => {
                    plain.push(b'\r');
                    continue;
                }
                Some(&b) if !b.is_ascii_alphanumeric() => {
                    plain.push(b);
                    continue;
                }
                _ => return refuse("an escape in the replacement"),
            },
            b'\n' => return refuse("a bare newline in the replacement"),
            _ => {
                plain.push(b);
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        parts.push(Part::Group(group));
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
    Ok(parts)
}

/// `y`, behind its letter: what each byte becomes.
///
/// # Errors
/// Where its two halves are not as long, or beyond ASCII.
pub fn map(r: &mut Reader) -> Result<Box<[u8; 256]>, Refusal> {
    let Some(delimiter) = r.take().filter(|b| b.is_ascii_punctuation() && *b != b'\\') else {
        return refuse("an unusual delimiter");
    };
    let from = r.delimited(delimiter, false)?;
    let to = r.delimited(delimiter, false)?;
    if from.len() != to.len() || from.iter().chain(&to).any(|b| !b.is_ascii() || *b == b'\\') {
        return refuse("a map of y not known here");
    }
    let mut map: [u8; 256] = std::array::from_fn(|i| i as u8);
    let mut set = [false; 256];
    for (&f, &t) in from.iter().zip(&to) {
        if !std::mem::replace(&mut set[f as usize], true) {
            map[f as usize] = t;
        }
    }
    Ok(Box::new(map))
}
