//! What a name consists of: characters, or bytes where it is not UTF-8.

/// What a name consists of.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Units {
    Characters,
    Bytes,
}

impl Units {
    /// The first unit of `s` and its length; a byte stands as the character of its number.
    pub(super) fn first(self, s: &[u8]) -> Option<(char, usize)> {
        match self {
            Units::Characters => first_char(s),
            Units::Bytes => s.first().map(|&b| (char::from(b), 1)),
        }
    }
}

/// The character at the start of `s` and its length in bytes; `None` where the bytes are not UTF-8.
pub(super) fn first_char(s: &[u8]) -> Option<(char, usize)> {
    let b = *s.first()?;
    if b < 0x80 {
        return Some((b as char, 1));
    }
    (2..=4.min(s.len())).find_map(|n| {
        std::str::from_utf8(&s[..n])
            .ok()?
            .chars()
            .next()
            .map(|c| (c, n))
    })
}
