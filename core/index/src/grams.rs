//! The trigrams of a text.

/// Texts with more different trigrams than this (binary ones, mostly) are not worth listing: they are always candidates.
const MOST_GRAMS: usize = 200_000;

/// Sorting the trigrams of a text no larger than this is quicker than clearing a bit for each there is.
const SMALL: usize = 64 << 10;

/// A trigram: three folded bytes, the first in the highest place.
pub(crate) type Gram = u32;

pub(crate) fn fold(byte: u8) -> u8 {
    byte.to_ascii_lowercase()
}

/// The trigram of three folded bytes; None across a line end.
pub(crate) fn gram(bytes: &[u8]) -> Option<Gram> {
    match bytes {
        &[a, b, c] if a != b'\n' && b != b'\n' && c != b'\n' => {
            Some(u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c))
        }
        _ => None,
    }
}

/// A bit for each trigram, cleared after each text by the list of those that were set. It takes 2 MB, so whoever needs
/// it holds it no longer than it takes.
pub(crate) struct Seen(Vec<u64>);

impl Seen {
    pub(crate) fn new() -> Seen {
        Seen(vec![0; (1 << 24) / 64])
    }

    /// The different trigrams of `text`, in order of appearance, appended to `into`; false (and nothing appended) where
    /// there are too many.
    pub(crate) fn collect(&mut self, text: &[u8], into: &mut Vec<Gram>) -> bool {
        let start = into.len();
        for gram in grams(text) {
            let word = &mut self.0[(gram >> 6) as usize];
            let bit = 1u64 << (gram & 63);
            if *word & bit == 0 {
                *word |= bit;
                into.push(gram);
                if into.len() - start > MOST_GRAMS {
                    break;
                }
            }
        }
        for &gram in &into[start..] {
            self.0[(gram >> 6) as usize] = 0;
        }
        let few = into.len() - start <= MOST_GRAMS;
        if !few {
            into.truncate(start);
        }
        few
    }
}

/// All trigrams of `text`, as they come.
fn grams(text: &[u8]) -> impl Iterator<Item = Gram> + '_ {
    let mut window = 0u32;
    // How many bytes of the current line are in the window.
    let mut filled = 0u32;
    text.iter().filter_map(move |&byte| {
        if byte == b'\n' {
            filled = 0;
            return None;
        }
        window = (window << 8 | u32::from(fold(byte))) & 0xFF_FFFF;
        filled += 1;
        (filled >= 3).then_some(window)
    })
}

/// The trigrams of one text by itself: what a text needs that was changed since its segment was built.
#[derive(Clone, Debug)]
pub struct Grams(Option<Box<[Gram]>>);

impl Grams {
    /// The trigrams of `text`.
    pub fn of(text: &[u8]) -> Grams {
        let mut found = Vec::new();
        if text.len() <= SMALL {
            found.extend(grams(text));
        } else if !Seen::new().collect(text, &mut found) {
            return Grams(None);
        }
        found.sort_unstable();
        found.dedup();
        Grams(Some(found.into()))
    }

    /// Grams of a text that must always be looked at.
    pub fn any() -> Grams {
        Grams(None)
    }

    /// The bytes of memory that they take.
    pub fn memory(&self) -> usize {
        self.0.as_ref().map_or(0, |grams| size_of_val(&**grams))
    }

    pub(crate) fn has(&self, gram: Gram) -> bool {
        self.0
            .as_ref()
            .is_none_or(|grams| grams.binary_search(&gram).is_ok())
    }
}
