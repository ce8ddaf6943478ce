//! A part of a tree, looked at directly: what serves reads before the whole is loaded.
//!
//! The folders along some paths are listed and the files at their ends read. Nothing else is claimed: what was not
//! looked at is [`Unreadable::Unknown`], on which every tool refuses; so an answer from a glimpse is exact, or there is
//! none.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use curserve_index::Grams;

use crate::error::Error;
use crate::inner::Options;
use crate::lens::Glass;
use crate::merge::Merge;
use crate::meta::{Kind, Meta};
use crate::place::Place;
use crate::read;
use crate::scan::{is_beyond, is_searchable, names_in, Found, FoundBody, FoundFolder};
use crate::state::{Indexed, Rules, Snapshot, State, Unreadable, ROOT};
use crate::watch::Watches;
use crate::watched::Watched;

/// Folders with more names are not looked into: their listing would take as long as a load.
const MOST_NAMES: usize = 10_000;

/// The names that the paths have below a folder.
#[derive(Default)]
struct Names<'p>(BTreeMap<&'p [u8], Names<'p>>);

impl Snapshot {
    /// What lies along `paths`, which are absolute as tools see them, now. Paths outside the root, or with a `..`, and
    /// what lies behind links, stay unknown, as do ignore rules.
    ///
    /// # Errors
    /// Where the root cannot be read.
    pub fn glimpse(root: &Path, options: &Options, paths: &[Vec<u8>]) -> Result<Snapshot, Error> {
        let root_error = |source| Error::Root {
            path: root.to_path_buf(),
            source,
        };
        let real = root.canonicalize().map_err(root_error)?;
        let place = Place::new(&real, options.at.as_deref(), options.lens.clone());
        let mut wanted = Names::default();
        for path in paths {
            wanted.add(path, &place.components);
        }
        let mut state = State::empty(Arc::new(place));
        let Some(mut found) = look(&real, Some(&wanted)) else {
            return Err(Error::Vanished(real));
        };
        found.name = Box::default();
        // Nothing is watched: these are for the merge to name.
        let (mut watched, watches) = (Watched::default(), Watches::new(Some(0), Glass::default())?);
        Merge::new(&mut state, &mut watched, &watches).put(found, None, ROOT, &real, false);
        fill(&mut state, ROOT, &wanted, options.file_limit);
        state.rules = Arc::new(OnceLock::from(Rules::unknown()));
        Ok(Snapshot(Arc::new(state)))
    }
}

impl<'p> Names<'p> {
    /// Notes the components of `path` below the root, which lies at `at`.
    fn add(&mut self, path: &'p [u8], at: &[Box<[u8]>]) {
        if is_beyond(Path::new(OsStr::from_bytes(path))) {
            return;
        }
        let mut parts: Vec<&[u8]> = path
            .split(|&b| b == b'/')
            .filter(|part| !part.is_empty() && *part != b".")
            .collect();
        let below = parts.len() >= at.len() && parts.iter().zip(at).all(|(a, b)| *a == &**b);
        if !below || parts.contains(&&b".."[..]) {
            return;
        }
        let mut names = self;
        for part in parts.drain(at.len()..) {
            names = names.0.entry(part).or_default();
        }
    }
}

/// What lies at `path`; a folder is listed where names in it are wanted. None where there is nothing.
fn look(path: &Path, wanted: Option<&Names<'_>>) -> Option<Found> {
    let meta = Meta::of(&fs::symlink_metadata(path).ok()?);
    let body = match meta.kind() {
        Kind::File => FoundBody::File,
        Kind::Folder => FoundBody::Folder(FoundFolder {
            entries: wanted.map_or(Err(Unreadable::Unknown), |names| list(path, names)),
            searchable: wanted.is_none() || is_searchable(path),
        }),
        Kind::Link => FoundBody::Link(fs::read_link(path).ok()?.into_os_string().into_vec().into()),
        Kind::Other => FoundBody::Other,
    };
    let name = path.file_name().unwrap_or_default().as_bytes().into();
    Some(Found {
        name,
        meta,
        body,
        watch: None,
    })
}

/// The entries of a folder that can be read as a whole.
fn list(path: &Path, wanted: &Names<'_>) -> Result<Vec<Found>, Unreadable> {
    let names = names_in(path).map_err(|_| Unreadable::Unknown)?;
    if names.len() > MOST_NAMES || is_beyond(path) {
        return Err(Unreadable::Unknown);
    }
    let found = names.iter().map(|name| {
        let below = path.join(OsStr::from_bytes(name));
        look(&below, wanted.0.get(name.as_slice())).ok_or(Unreadable::Unknown)
    });
    found.collect()
}

/// Reads the files that are wanted.
fn fill(state: &mut State, folder: u32, wanted: &Names<'_>, limit: u64) {
    for (name, below) in &wanted.0 {
        let Some(child) = state.tree.child(folder, name) else {
            continue;
        };
        match state.tree.get(child).meta.kind() {
            Kind::Folder => fill(state, child, below, limit),
            Kind::File => {
                let reading = read::read_one(&state.live_path(child), limit);
                state.fill(child, reading, Indexed::Own(Arc::new(Grams::any())));
            }
            Kind::Link | Kind::Other => {}
        }
    }
}
