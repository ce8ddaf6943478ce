//! Writing what the next start may recall.

use super::store::Store;
use super::table::{Row, Table, Text};
use crate::state::{Indexed, KeptAs, Node, Shelved, State, TextDigest};

/// So many files that would have to be indexed again are worth a new table …
const MANY: usize = 256;
/// … or more than one in so many of all.
const SHARE: usize = 16;

impl State {
    /// Keeps the index in `store`, where enough of it is not there yet; whether it was written.
    ///
    /// # Errors
    /// Why it could not be written, as a sentence.
    pub(crate) fn keep(&self, store: &Store) -> Result<bool, String> {
        if !self.is_worth_keeping() {
            return Ok(false);
        }
        let Some(_lock) = store.lock() else {
            return Ok(false);
        };
        // Files that carry their own trigrams get a segment here, and stay as they are where answers come from.
        let mut state = self.clone();
        state.seal();
        let shelves = state.segments.iter().enumerate();
        let mut rows = Vec::new();
        for (number, shelved) in shelves.filter(|(_, shelved)| !shelved.nodes.is_empty()) {
            let kept = match shelved.kept.get() {
                Some(kept) if store.has(&kept.digest) => kept,
                _ => state.keep_segment(number, shelved, store)?,
            };
            rows.push(state.lying(number, shelved, kept));
        }
        let table = Table {
            rows: rows.iter().map(Lying::row).collect(),
        };
        store.put_table(&table.write(store.root()))?;
        store.sweep(&rows.iter().map(|row| row.kept.digest).collect());
        Ok(true)
    }

    /// Whether the next start would have much to index otherwise.
    fn is_worth_keeping(&self) -> bool {
        let is_kept = |number: u32| self.segments[number as usize].kept.get().is_some();
        let (mut files, mut new) = (0, 0);
        for id in 0..self.tree.bound() as u32 {
            let Some(indexed) = self.indexed(id) else {
                continue;
            };
            files += 1;
            new += usize::from(!matches!(indexed, Indexed::Segment(number, _) if is_kept(*number)));
        }
        new > MANY || new * SHARE > files
    }

    fn keep_segment<'s>(
        &self,
        number: usize,
        shelved: &'s Shelved,
        store: &Store,
    ) -> Result<&'s KeptAs, String> {
        let bytes = shelved.segment.to_bytes();
        let digest = *blake3::hash(&bytes).as_bytes();
        if !store.has(&digest) {
            store.put_segment(&digest, &bytes)?;
        }
        let text = |(at, &id): (usize, &u32)| {
            let content = self.is_at(id, number as u32, at as u16);
            let content = content.then(|| self.content(id)).flatten();
            content.map_or([0; 16], |content| half(&blake3::hash(content)))
        };
        let texts = shelved.nodes.iter().enumerate().map(text);
        Ok(shelved.kept.get_or_init(|| KeptAs {
            digest,
            texts: texts.collect(),
        }))
    }

    /// Where the files of a segment lie.
    fn lying<'s>(&self, number: usize, shelved: &Shelved, kept: &'s KeptAs) -> Lying<'s> {
        let path = |(at, &id): (usize, &u32)| {
            let is_live = self.is_at(id, number as u32, at as u16);
            match is_live {
                true => Node { state: self, id }.relative(),
                false => Vec::new(),
            }
        };
        let paths = shelved.nodes.iter().enumerate().map(path).collect();
        Lying { kept, paths }
    }
}

/// A segment that is kept, and where its files lie; of those that have changed since, nowhere.
struct Lying<'s> {
    kept: &'s KeptAs,
    paths: Vec<Vec<u8>>,
}

impl Lying<'_> {
    fn row(&self) -> Row<'_> {
        let texts = self.paths.iter().zip(&*self.kept.texts);
        let texts = texts.map(|(path, &digest)| Text { path, digest });
        Row {
            segment: self.kept.digest,
            texts: texts.collect(),
        }
    }
}

fn half(digest: &blake3::Hash) -> TextDigest {
    let mut half = [0; 16];
    half.copy_from_slice(&digest.as_bytes()[..16]);
    half
}
