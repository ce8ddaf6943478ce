//! Addresses: lines by number, by step or by expression, and how a range ends.

use super::reader::{refuse, Reader};
use crate::sed::command::{Address, End};
use crate::sed::regex::Matcher;
use crate::Refusal;

/// The address that stands next, if one does.
///
/// # Errors
/// Where it is none that is done here.
pub fn address(r: &mut Reader) -> Result<Option<Address>, Refusal> {
    let delimiter = match r.peek() {
        Some(b'0'..=b'9') => {
            let first = r.number()?.unwrap_or(0);
            r.spaces();
            if r.peek() == Some(b'~') {
                r.skip();
                let step = r.number()?.unwrap_or(0);
                if (first, step) == (0, 0) {
                    return refuse("line 0");
                }
                return Ok(Some(Address::Step(first, step)));
            }
            return Ok(Some(if first == 0 {
                Address::Zero
            } else {
                Address::Line(first)
            }));
        }
        Some(b'$') => {
            r.skip();
            return Ok(Some(Address::Last));
        }
        Some(b'/') => b'/',
        Some(b'\\') => {
            r.skip();
            match r.peek() {
                Some(b) if b.is_ascii_punctuation() && b != b'\\' => b,
                _ => return refuse("an unusual delimiter"),
            }
        }
        _ => return Ok(None),
    };
    r.skip();
    let pattern = r.delimited(delimiter, true)?;
    let mut fold = false;
    while r.peek() == Some(b'I') {
        fold = true;
        r.skip();
    }
    if r.peek() == Some(b'M') {
        return refuse("the flag M");
    }
    if pattern.is_empty() && !fold {
        return Ok(Some(Address::LastRegex));
    }
    Ok(Some(Address::Regex(Matcher::new(
        &pattern, r.extended, fold,
    )?)))
}

/// What ends a range, behind its comma.
///
/// # Errors
/// Where it is none that is done here.
pub fn end(r: &mut Reader) -> Result<End, Refusal> {
    r.spaces();
    let relative = r.peek();
    if let Some(b'+' | b'~') = relative {
        r.skip();
        let Some(n) = r.number()? else {
            return refuse("a range without end");
        };
        return Ok(if relative == Some(b'+') {
            End::Plus(n)
        } else {
            End::Multiple(n)
        });
    }
    match address(r)? {
        Some(Address::Step(..)) => refuse("a step as the end of a range"),
        Some(a) => Ok(End::At(a)),
        None => refuse("a range without end"),
    }
}
