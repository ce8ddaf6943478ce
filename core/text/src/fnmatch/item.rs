//! What a pattern consists of.

use super::set::Set;

/// One element of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// These bytes.
    Literal(Vec<u8>),
    /// `?`: one character.
    One,
    /// `*`: any characters.
    Many,
    /// `[…]`: one character of a set.
    Set(Set),
}

impl Item {
    /// Whether it takes one character, whichever that is in bytes.
    pub(super) fn takes_one(&self) -> bool {
        matches!(self, Item::One | Item::Set(_))
    }
}
