//! Reading contents: files of one walk are packed, in walk order, into large buffers read in parallel.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use curserve_index::{Form, Segment, MOST_TEXTS};
use rayon::prelude::*;

use crate::content::Content;
use crate::meta::{Kind, Meta};
use crate::state::Unreadable;
use crate::straight;

/// A file to read: where, and how large the walk found it.
pub(crate) struct Wanted {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
}

/// What reading gave: the bytes, and the metadata of the file that was open.
pub(crate) type Reading = Result<(Content, Option<Meta>), Unreadable>;

/// At most this many files share a buffer (and an index segment).
const PACK_FILES: usize = MOST_TEXTS;
const PACK_BYTES: u64 = 64 << 20;

/// Splits `wanted` into runs that share a buffer.
pub(crate) fn packs(wanted: &[Wanted], limit: u64) -> Vec<&[Wanted]> {
    let total: u64 = wanted.iter().map(|file| file.size.min(limit)).sum();
    let goal = (total / (4 * rayon::current_num_threads() as u64)).clamp(1 << 20, PACK_BYTES);
    let mut packs = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, file) in wanted.iter().enumerate() {
        if at > start && (bytes + file.size.min(limit) > goal || at - start == PACK_FILES) {
            packs.push(&wanted[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += file.size.min(limit);
    }
    if start < wanted.len() {
        packs.push(&wanted[start..]);
    }
    packs
}

/// Reads a pack, and indexes it; files above `limit` bytes are left out.
pub(crate) fn read_pack(pack: &[Wanted], limit: u64) -> (Vec<Reading>, Segment) {
    let room: u64 = pack
        .iter()
        .filter(|file| file.size <= limit)
        .map(|file| file.size)
        .sum();
    let mut buffer = Vec::with_capacity(room as usize + 1);
    let mut slots = Vec::with_capacity(pack.len());
    for file in pack {
        let start = buffer.len();
        slots.push(
            append(&file.path, limit, &mut buffer).map(|meta| (start, buffer.len() - start, meta)),
        );
    }
    buffer.shrink_to_fit();
    let buffer = Arc::new(buffer);
    let readings: Vec<Reading> = slots
        .into_iter()
        .map(|slot| {
            slot.map(|(start, len, meta)| (Content::slice(buffer.clone(), start, len), Some(meta)))
        })
        .collect();
    let texts: Vec<(&[u8], Form)> = readings
        .iter()
        .map(|reading| {
            reading
                .as_ref()
                .map_or((&[][..], Form::Whole), |(content, _)| {
                    (&**content, form(content))
                })
        })
        .collect();
    let segment = Segment::build(&texts);
    (readings, segment)
}

/// How a content is indexed. Tools may search something else than the bytes of one with a mark (UTF-16 is transcoded),
/// and what has no lines is of no use by blocks.
pub(crate) fn form(content: &Content) -> Form {
    let facts = content.facts();
    match (facts.has_bom, facts.has_nul) {
        (true, _) => Form::Wild,
        (false, true) => Form::Whole,
        (false, false) => Form::Lines,
    }
}

/// Reads all of `wanted`, in parallel, in order: packs of readings, each with its index.
pub(crate) fn read_all(wanted: &[Wanted], limit: u64) -> Vec<(Vec<Reading>, Segment)> {
    packs(wanted, limit)
        .into_par_iter()
        .map(|pack| read_pack(pack, limit))
        .collect()
}

/// Reads one file into a buffer of its own.
pub(crate) fn read_one(path: &Path, limit: u64) -> Reading {
    let mut buffer = Vec::new();
    append(path, limit, &mut buffer).map(|meta| (Content::owned(buffer), Some(meta)))
}

/// Appends the file at `path`; on an error `buffer` is as it was. A path that is no longer a regular file, or is gone,
/// is `Unknown`: an event about that is on its way.
pub(crate) fn append(path: &Path, limit: u64, buffer: &mut Vec<u8>) -> Result<Meta, Unreadable> {
    let file =
        straight::open(path, libc::O_NONBLOCK | libc::O_NOCTTY).map_err(|error| errno(&error))?;
    let meta = Meta::of(&file.metadata().map_err(|error| errno(&error))?);
    if meta.kind() != Kind::File {
        return Err(Unreadable::Unknown);
    }
    let start = buffer.len();
    let result = fill(file, meta.size, limit, buffer);
    if result.is_err() {
        buffer.truncate(start);
    }
    result.map(|()| meta)
}

fn fill(file: File, size: u64, limit: u64, buffer: &mut Vec<u8>) -> Result<(), Unreadable> {
    if size > limit {
        return Err(Unreadable::TooLarge);
    }
    let start = buffer.len();
    buffer.reserve(size as usize + 1);
    file.take(limit + 1)
        .read_to_end(buffer)
        .map_err(|error| errno(&error))?;
    if (buffer.len() - start) as u64 > limit {
        return Err(Unreadable::TooLarge);
    }
    Ok(())
}

fn errno(error: &std::io::Error) -> Unreadable {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ELOOP | libc::ENXIO) | None => Unreadable::Unknown,
        Some(errno) => Unreadable::Errno(errno),
    }
}
