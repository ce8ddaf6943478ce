//! Backslash escapes, as `echo -e` and `printf` expand them.

use crate::Refusal;

/// Whose escapes: octal is `\0nnn` for `echo -e` and `%b`, `\nnn` for the format of `printf`.
#[derive(Clone, Copy, PartialEq)]
pub enum Escapes {
    /// Of `echo -e` and `%b`.
    Echo,
    /// Of the format of `printf`.
    Format,
}

/// Expands backslash escapes; true when `\c` ended the output.
///
/// # Errors
/// Where what an escape gives differs between the shell and the program, or depends on the locale.
pub fn unescape(text: &[u8], whose: Escapes) -> Result<(Vec<u8>, bool), Refusal> {
    let mut out = Vec::with_capacity(text.len());
    let mut i = 0;
    while i < text.len() {
        if text[i] != b'\\' {
            out.push(text[i]);
            i += 1;
            continue;
        }
        let Some(&c) = text.get(i + 1) else {
            if whose == Escapes::Format {
                return Err(Refusal::new("a backslash at the end of printf's text"));
            }
            out.push(b'\\');
            break;
        };
        i += 2;
        let take = |from: usize, most: usize, base: u32| {
            let digits = text[from..]
                .iter()
                .take(most)
                .map_while(|&b| (b as char).to_digit(base));
            let digits: Vec<u32> = digits.collect();
            (digits.iter().fold(0u32, |n, d| n * base + d), digits.len())
        };
        match c {
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'e' | b'E' => out.push(27),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'\\' => out.push(b'\\'),
            b'"' if whose == Escapes::Format => out.push(b'"'),
            b'\'' if whose == Escapes::Format => out.push(b'\''),
            b'c' => return Ok((out, true)),
            b'0' if whose == Escapes::Echo => {
                let (value, n) = take(i, 3, 8);
                out.push(value as u8);
                i += n;
            }
            b'0'..=b'7' if whose == Escapes::Format => {
                let (value, n) = take(i - 1, 3, 8);
                out.push(value as u8);
                i += n - 1;
            }
            b'1'..=b'7' => return Err(Refusal::new("an octal escape without a zero")),
            b'x' => {
                let (value, n) = take(i, 2, 16);
                if n == 0 {
                    return Err(Refusal::new("a hexadecimal escape without digits"));
                }
                out.push(value as u8);
                i += n;
            }
            b'u' | b'U' => return Err(Refusal::new("a Unicode escape")),
            _ if whose == Escapes::Format => {
                return Err(Refusal::new("an escape of printf not known here"))
            }
            c => out.extend_from_slice(&[b'\\', c]),
        }
    }
    Ok((out, false))
}
