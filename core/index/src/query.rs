//! What a text must hold to be a candidate: trigrams, joined by and and or.

use std::collections::BTreeSet;

use crate::grams::Grams;

/// What a text must hold to be a candidate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Query {
    /// Any text may match.
    All,
    /// This trigram.
    Gram(u32),
    /// All of these.
    And(Vec<Query>),
    /// One of these.
    Or(Vec<Query>),
}

impl Query {
    /// Whether it prunes nothing.
    pub fn is_all(&self) -> bool {
        *self == Query::All
    }

    /// Whether a text with these trigrams may match.
    pub fn admits(&self, grams: &Grams) -> bool {
        match self {
            Query::All => true,
            Query::Gram(gram) => grams.has(*gram),
            Query::And(parts) => parts.iter().all(|part| part.admits(grams)),
            Query::Or(parts) => parts.iter().any(|part| part.admits(grams)),
        }
    }

    /// Both.
    pub(crate) fn and(self, other: Query) -> Query {
        let mut parts = Vec::new();
        for query in [self, other] {
            match query {
                Query::All => {}
                Query::And(more) => parts.extend(more),
                one => parts.push(one),
            }
        }
        parts.sort_unstable();
        parts.dedup();
        match parts.len() {
            0 => Query::All,
            1 => parts.remove(0),
            _ => Query::And(parts),
        }
    }

    /// One of `queries`.
    pub fn any(queries: impl IntoIterator<Item = Query>) -> Query {
        let mut parts = BTreeSet::new();
        for query in queries {
            match query {
                Query::All => return Query::All,
                Query::Or(more) => parts.extend(more),
                one => {
                    parts.insert(one);
                }
            }
        }
        match parts.len() {
            1 => parts.pop_first().expect("one"),
            _ => Query::Or(parts.into_iter().collect()),
        }
    }
}
