//! The few strings that most of agents' patterns mean: no automaton is made for them.

use aho_corasick::packed;
use memchr::memmem;
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind, Look, LookSet};

/// More strings than this are left to an automaton.
const MOST: usize = 32;

/// Finds the first of some strings.
pub(super) struct Strings {
    search: Search,
    /// Those that begin a line, which are looked for with the newline before them.
    first: Vec<Vec<u8>>,
}

enum Search {
    One(Box<memmem::Finder<'static>>),
    Few(Box<packed::Searcher>),
}

impl Strings {
    /// What the expression means, if it means nothing but strings, some at the beginning of a line.
    pub(super) fn of(hir: &Hir) -> Option<Strings> {
        let looks = hir.properties().look_set();
        if !looks.subtract(LookSet::singleton(Look::StartLF)).is_empty() {
            return None;
        }
        let branches = match hir.kind() {
            HirKind::Alternation(branches) => branches.as_slice(),
            _ => std::slice::from_ref(hir),
        };
        let (mut all, mut first) = (Vec::new(), Vec::new());
        if looks.is_empty() {
            all = exact(hir)?;
        } else {
            for branch in branches {
                match branch.kind() {
                    HirKind::Concat(parts) if is_line_start(&parts[0]) => {
                        let strings = exact(&Hir::concat(parts[1..].to_vec()))?;
                        let with_newline = |string: &Vec<u8>| [b"\n", string.as_slice()].concat();
                        all.extend(strings.iter().map(with_newline));
                        first.extend(strings);
                    }
                    _ => all.extend(exact(branch)?),
                }
            }
        }
        Some(Strings {
            search: Search::new(&all)?,
            first,
        })
    }

    /// Of these strings, none of which has a newline or is empty.
    pub(super) fn any(strings: &[Vec<u8>]) -> Option<Strings> {
        Some(Strings {
            search: Search::new(strings)?,
            first: Vec::new(),
        })
    }

    /// A place in the first line at or after `from` (a line's beginning) that has one of them.
    pub(super) fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        if self.first.is_empty() {
            return self.search.find(bytes, from);
        }
        if from == 0 && self.first.iter().any(|string| bytes.starts_with(string)) {
            return Some(0);
        }
        let at = self.search.find(bytes, from.saturating_sub(1))?;
        Some(at + usize::from(bytes[at] == b'\n'))
    }
}

impl Search {
    fn new(strings: &[Vec<u8>]) -> Option<Search> {
        if let [one] = strings {
            let finder = memmem::Finder::new(one).into_owned();
            return Some(Search::One(Box::new(finder)));
        }
        packed::Searcher::new(strings).map(|searcher| Search::Few(Box::new(searcher)))
    }

    fn find(&self, bytes: &[u8], from: usize) -> Option<usize> {
        match self {
            Search::One(string) => Some(from + string.find(&bytes[from..])?),
            Search::Few(strings) => {
                Some(strings.find_in(bytes, (from..bytes.len()).into())?.start())
            }
        }
    }
}

fn is_line_start(part: &Hir) -> bool {
    *part.kind() == HirKind::Look(Look::StartLF)
}

/// All strings that the expression means, if they are few, and it asks for no place.
fn exact(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    if !hir.properties().look_set().is_empty() {
        return None;
    }
    let found = Extractor::new().limit_total(MOST).extract(hir);
    let all = found.literals().filter(|_| found.is_exact())?;
    let plain = |bytes: &[u8]| !bytes.is_empty() && !bytes.contains(&b'\n');
    all.iter()
        .map(|literal| plain(literal.as_bytes()).then(|| literal.as_bytes().to_vec()))
        .collect()
}
