//! What is known of one part of a pattern, and of parts one after another.

use std::collections::BTreeSet;

use crate::grams::{gram, Gram};
use crate::query::Query;

/// More exact strings than this are given up for their beginnings, ends and trigrams.
const MOST_STRINGS: usize = 24;
/// Exact strings longer than this in all are cut as well.
const MOST_BYTES: usize = 4096;

pub(super) type Strings = BTreeSet<Vec<u8>>;

/// What is known of one part of a pattern.
#[derive(Clone, Debug)]
pub(super) struct Part {
    /// All strings that it matches, where they are few.
    exact: Option<Strings>,
    /// Every match begins with one of these …
    begins: Strings,
    /// … and ends with one of these.
    ends: Strings,
    /// Every match holds this.
    holds: Query,
}

impl Part {
    pub(super) fn exactly(strings: Strings) -> Part {
        Part {
            exact: Some(strings),
            begins: Strings::new(),
            ends: Strings::new(),
            holds: Query::All,
        }
        .cut()
    }

    pub(super) fn anything() -> Part {
        Part::beginning([Vec::new()].into())
    }

    /// Something that begins with one of `begins`.
    pub(super) fn beginning(begins: Strings) -> Part {
        Part {
            exact: None,
            begins,
            ends: [Vec::new()].into(),
            holds: Query::All,
        }
    }

    /// Gives exact strings up where they are too many.
    fn cut(mut self) -> Part {
        if let Some(exact) = &self.exact {
            let bytes: usize = exact.iter().map(Vec::len).sum();
            if exact.len() > MOST_STRINGS || bytes > MOST_BYTES {
                self.give_up();
            }
        }
        self
    }

    fn give_up(&mut self) {
        if let Some(exact) = self.exact.take() {
            self.holds = std::mem::replace(&mut self.holds, Query::All).and(one_of(&exact));
            self.begins = exact
                .iter()
                .map(|string| string[..string.len().min(2)].to_vec())
                .collect();
            self.ends = exact
                .iter()
                .map(|string| string[string.len() - string.len().min(2)..].to_vec())
                .collect();
        }
        for set in [&mut self.begins, &mut self.ends] {
            if set.len() > MOST_STRINGS {
                *set = [Vec::new()].into();
            }
        }
    }

    fn begins(&self) -> &Strings {
        self.exact.as_ref().unwrap_or(&self.begins)
    }

    fn ends(&self) -> &Strings {
        self.exact.as_ref().unwrap_or(&self.ends)
    }

    pub(super) fn then(self, next: Part) -> Part {
        if let (Some(a), Some(b)) = (&self.exact, &next.exact) {
            if a.len() * b.len() <= MOST_STRINGS {
                return Part::exactly(cross(a, b));
            }
        }
        let holds = match self.ends().len() * next.begins().len() <= MOST_STRINGS {
            true => one_of(&cross(self.ends(), next.begins())),
            false => Query::All,
        };
        let begins = match &self.exact {
            Some(exact) if exact.len() * next.begins().len() <= MOST_STRINGS => {
                cross(exact, next.begins())
            }
            _ => self.begins().clone(),
        };
        let ends = match &next.exact {
            Some(exact) if exact.len() * self.ends().len() <= MOST_STRINGS => {
                cross(self.ends(), exact)
            }
            _ => next.ends().clone(),
        };
        let (mut a, mut b) = (self, next);
        a.give_up();
        b.give_up();
        let holds = holds
            .and(one_of(&begins))
            .and(one_of(&ends))
            .and(a.holds)
            .and(b.holds);
        let first = |string: &Vec<u8>| string[..string.len().min(2)].to_vec();
        let last = |string: &Vec<u8>| string[string.len() - string.len().min(2)..].to_vec();
        let mut part = Part {
            exact: None,
            begins: begins.iter().map(first).collect(),
            ends: ends.iter().map(last).collect(),
            holds,
        };
        part.give_up();
        part
    }

    pub(super) fn or(mut self, mut other: Part) -> Part {
        if let (Some(a), Some(b)) = (&self.exact, &other.exact) {
            if a.len() + b.len() <= MOST_STRINGS {
                return Part::exactly(a | b);
            }
        }
        self.give_up();
        other.give_up();
        let mut part = Part {
            exact: None,
            begins: &self.begins | &other.begins,
            ends: &self.ends | &other.ends,
            holds: Query::any([self.holds, other.holds]),
        };
        part.give_up();
        part
    }

    pub(super) fn finish(mut self) -> Query {
        self.give_up();
        self.holds
    }
}

fn cross(a: &Strings, b: &Strings) -> Strings {
    a.iter()
        .flat_map(|first| {
            b.iter()
                .map(move |second| [first.as_slice(), second].concat())
        })
        .collect()
}

/// The query for "one of these strings occurs".
fn one_of(strings: &Strings) -> Query {
    if strings.is_empty() {
        return Query::All;
    }
    Query::any(strings.iter().map(|string| {
        let grams: BTreeSet<Gram> = string.windows(3).filter_map(gram).collect();
        grams
            .into_iter()
            .fold(Query::All, |all, gram| all.and(Query::Gram(gram)))
    }))
}
