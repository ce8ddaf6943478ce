//! The first walk with what an earlier start has kept: every file is read, and those whose bytes are the ones that were
//! indexed then need not be indexed again.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use curserve_index::Segment;
use rayon::prelude::*;

use super::store::Store;
use super::table::{Row, Table};
use crate::content::Content;
use crate::inner::Inner;
use crate::meta::Meta;
use crate::read::{append, Wanted};
use crate::state::{Indexed, KeptAs, Shelved, ROOT};

/// A kept segment, and which of the wanted files seem to be in it: their places in both.
struct Asked<'t> {
    row: &'t Row<'t>,
    files: Vec<(usize, usize)>,
}

/// A kept segment, and the files in it that are as they were: their place in it, that among those wanted, and their bytes.
struct Recalled<'t> {
    row: &'t Row<'t>,
    segment: Segment,
    files: Vec<(usize, usize, Content, Meta)>,
}

impl Inner {
    /// Reads those of the files `ids` that `store` has in its segments as they are; returns the others.
    pub(crate) fn recall(
        &mut self,
        store: &Store,
        ids: Vec<u32>,
        wanted: Vec<Wanted>,
    ) -> (Vec<u32>, Vec<Wanted>) {
        let bytes = match store.table() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return (ids, wanted),
            Err(trouble) => {
                self.trouble = Some(trouble);
                return (ids, wanted);
            }
        };
        let table = match Table::read(&bytes, store.root()) {
            Ok(table) => table,
            Err(what) => {
                self.trouble = Some(store.dropped(what));
                return (ids, wanted);
            }
        };
        let limit = self.options.file_limit;
        let found: Vec<Result<Recalled<'_>, String>> = asked(&table, store, &wanted)
            .into_par_iter()
            .map(|asked| read(asked, store, &wanted, limit))
            .collect();
        let mut is_done = vec![false; ids.len()];
        for recalled in found {
            match recalled {
                Ok(recalled) => self.shelve(recalled, &ids, &mut is_done),
                Err(trouble) => self.trouble = Some(trouble),
            }
        }
        let left = ids.into_iter().zip(wanted).zip(is_done);
        left.filter(|(_, is_done)| !is_done)
            .map(|(file, _)| file)
            .unzip()
    }

    fn shelve(&mut self, recalled: Recalled<'_>, ids: &[u32], is_done: &mut [bool]) {
        let Recalled {
            row,
            segment,
            files,
        } = recalled;
        let state = Arc::make_mut(&mut self.state);
        let number = state.segments.len() as u32;
        // Of a text that no file has, the root stands for the file: it is none.
        let mut nodes = vec![ROOT; segment.len()];
        self.counters.files_read += files.len() as u64;
        self.counters.recalled += files.len() as u64;
        for (at, file, content, meta) in files {
            nodes[at] = ids[file];
            is_done[file] = true;
            let indexed = Indexed::Segment(number, at as u16);
            state.fill(ids[file], Ok((content, Some(meta))), indexed);
        }
        let shelved = Shelved::new(segment, nodes);
        let _ = shelved.kept.set(KeptAs {
            digest: row.segment,
            texts: row.texts.iter().map(|text| text.digest).collect(),
        });
        Arc::make_mut(&mut state.segments).push(shelved);
    }
}

/// The segments that are worth asking for: those that may be true of more than half of their texts.
fn asked<'t>(table: &'t Table<'t>, store: &Store, wanted: &[Wanted]) -> Vec<Asked<'t>> {
    let mut places: HashMap<&[u8], (usize, usize)> = HashMap::new();
    for (number, row) in table.rows.iter().enumerate() {
        let texts = row.texts.iter().enumerate();
        let known = texts.filter(|(_, text)| !text.path.is_empty());
        places.extend(known.map(|(at, text)| (text.path, (number, at))));
    }
    let mut asked: Vec<Asked<'t>> = table
        .rows
        .iter()
        .map(|row| Asked {
            row,
            files: Vec::new(),
        })
        .collect();
    for (file, wanted) in wanted.iter().enumerate() {
        let path = wanted.path.strip_prefix(store.root());
        let place = path
            .ok()
            .and_then(|path| places.get(path.as_os_str().as_bytes()));
        if let Some(&(number, at)) = place {
            asked[number].files.push((at, file));
        }
    }
    asked.retain(|asked| asked.files.len() * 2 > asked.row.texts.len());
    asked
}

/// # Errors
/// Why the segment is not there, as a sentence.
fn read<'t>(
    asked: Asked<'t>,
    store: &Store,
    wanted: &[Wanted],
    limit: u64,
) -> Result<Recalled<'t>, String> {
    let Asked { row, files } = asked;
    let segment = store.segment(&row.segment)?;
    if segment.len() != row.texts.len() {
        return Err(store.dropped("is not of one piece"));
    }
    let room = files.iter().map(|&(_, file)| wanted[file].size);
    let room: u64 = room.filter(|&size| size <= limit).sum();
    let mut buffer = Vec::with_capacity(room as usize + 1);
    let mut slots = Vec::with_capacity(files.len());
    for (at, file) in files {
        let start = buffer.len();
        let Ok(meta) = append(&wanted[file].path, limit, &mut buffer) else {
            continue;
        };
        let digest = blake3::hash(&buffer[start..]);
        if digest.as_bytes()[..16] == row.texts[at].digest {
            slots.push((at, file, start..buffer.len(), meta));
        } else {
            buffer.truncate(start);
        }
    }
    buffer.shrink_to_fit();
    let buffer = Arc::new(buffer);
    let content =
        |range: std::ops::Range<usize>| Content::slice(buffer.clone(), range.start, range.len());
    let files = slots.into_iter();
    let files = files.map(|(at, file, range, meta)| (at, file, content(range), meta));
    Ok(Recalled {
        row,
        segment,
        files: files.collect(),
    })
}
