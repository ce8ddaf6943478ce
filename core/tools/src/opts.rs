//! Command lines of the GNU kind: options anywhere, bundled letters, `--name=value`, `--`.
//!
//! Only options that a tool lists are known; anything else, abbreviated long names included, is refused.

use crate::Refusal;

/// What an option takes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A value, in the same word or the next.
    Value,
    /// A value only behind the long name (`--color=never`).
    Maybe,
    /// Nothing, but letters behind it in the same word, or `=`, would be its value, and are refused.
    Last,
}

/// One known option: its letter (0 where it has none), its long name (empty where it has none), what it takes.
/// Tools tell options apart by the letter, or by a key above 127 where there is only a long name.
pub type Known = (u8, &'static str, Takes);

/// The parsed words: options in order with their values, and operands.
#[derive(Debug, Default)]
pub struct Parsed<'a> {
    /// Key and value of each option, in order.
    pub options: Vec<(u8, Option<&'a [u8]>)>,
    /// What is not an option.
    pub operands: Vec<&'a [u8]>,
}

/// Parses `args` (without the program's name). With `stop` the first operand ends the options, as for `xargs`.
pub fn parse<'a, A: AsRef<[u8]>>(
    known: &[Known],
    args: &'a [A],
    stop: bool,
) -> Result<Parsed<'a>, Refusal> {
    let mut parsed = Parsed::default();
    let mut words = args.iter().map(AsRef::as_ref);
    while let Some(word) = words.next() {
        if word == b"--" {
            parsed.operands.extend(words);
            break;
        }
        if let Some(long) = word.strip_prefix(b"--") {
            let (name, value) = match memchr::memchr(b'=', long) {
                Some(i) => (&long[..i], Some(&long[i + 1..])),
                None => (long, None),
            };
            let Some(&(key, _, takes)) = known
                .iter()
                .find(|k| !k.1.is_empty() && k.1.as_bytes() == name)
            else {
                return Err(unknown(word));
            };
            let value = match (takes, value) {
                (Takes::Nothing | Takes::Maybe | Takes::Last, None) => None,
                (Takes::Nothing | Takes::Last, Some(_)) => return Err(unknown(word)),
                (_, Some(v)) => Some(v),
                (Takes::Value, None) => Some(words.next().ok_or_else(|| unknown(word))?),
            };
            parsed.options.push((key, value));
        } else if word.len() > 1 && word[0] == b'-' {
            let mut i = 1;
            while i < word.len() {
                let letter = word[i];
                let Some(&(key, _, takes)) = known.iter().find(|k| k.0 == letter && letter < 128)
                else {
                    return Err(unknown(word));
                };
                i += 1;
                let value = match takes {
                    Takes::Nothing => None,
                    Takes::Value if i < word.len() => Some(&word[i..]),
                    Takes::Value => Some(words.next().ok_or_else(|| unknown(word))?),
                    Takes::Last if i < word.len() => return Err(unknown(word)),
                    Takes::Maybe | Takes::Last => None,
                };
                parsed.options.push((key, value));
                if takes == Takes::Value {
                    break;
                }
            }
        } else {
            parsed.operands.push(word);
            if stop {
                parsed.operands.extend(words);
                break;
            }
        }
    }
    Ok(parsed)
}

fn unknown(word: &[u8]) -> Refusal {
    Refusal::new(format!(
        "an option not known here: {}",
        String::from_utf8_lossy(word)
    ))
}

/// A plain decimal number, as `head -n` and others take it; suffixes and signs are the caller's.
pub fn number(text: &[u8]) -> Result<u64, Refusal> {
    let text = std::str::from_utf8(text).unwrap_or("");
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Refusal::new(format!("not a plain number: {text:?}")));
    }
    text.parse()
        .map_err(|_| Refusal::new("a number out of range"))
}
