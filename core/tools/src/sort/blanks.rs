//! The blanks between the words of a line.

/// How many blanks `text` begins with.
#[inline]
pub(super) fn blanks(text: &[u8]) -> usize {
    text.iter()
        .position(|&byte| !is_blank(byte))
        .unwrap_or(text.len())
}

/// Whether it separates words.
pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
