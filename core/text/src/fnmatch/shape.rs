//! Patterns that need no matching item by item, which most are: `*.py`, `test_*`, `*cache*`.

use super::item::Item;

/// A pattern of one literal and stars, which is matched byte by byte in every name.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// `LITERAL`
    Is(Vec<u8>),
    /// `LITERAL*`
    Starts(Vec<u8>),
    /// `*LITERAL`
    Ends(Vec<u8>),
    /// `*LITERAL*`
    Holds(Box<memchr::memmem::Finder<'static>>),
    /// Anything else.
    Other,
}

impl Shape {
    /// The shape of `items`.
    pub(super) fn of(items: &[Item]) -> Shape {
        match items {
            [Item::Literal(l)] => Shape::Is(l.clone()),
            [Item::Literal(l), Item::Many] => Shape::Starts(l.clone()),
            [Item::Many, Item::Literal(l)] => Shape::Ends(l.clone()),
            [Item::Many, Item::Literal(l), Item::Many] => {
                Shape::Holds(Box::new(memchr::memmem::Finder::new(l).into_owned()))
            }
            _ => Shape::Other,
        }
    }

    /// Whether `name` matches; `None` where the items themselves must say.
    #[inline]
    pub(super) fn matches(&self, name: &[u8]) -> Option<bool> {
        Some(match self {
            Shape::Is(literal) => name == literal,
            Shape::Starts(literal) => name.starts_with(literal),
            Shape::Ends(literal) => name.ends_with(literal),
            Shape::Holds(finder) => finder.find(name).is_some(),
            Shape::Other => return None,
        })
    }
}
