//! The copy, as the daemon on it sees it: in the client's order, without what is withheld, and with edits that are proposed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Weak};

use curserve_corpus::{Behind, Lens};
use curserve_mirror::{Change, Content, Disk, Hash, Kind, RelPath};
use curserve_serve::Keeper;

use super::shared::Shared;

/// The copy of a session, which may be over.
pub(super) struct Copy(pub(super) Weak<Shared>);

impl fmt::Debug for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Copy")
    }
}

impl Lens for Copy {
    fn arrange(&self, path: &[u8], names: &mut Vec<Vec<u8>>) {
        let (Some(shared), Ok(path)) = (self.0.upgrade(), RelPath::new(path)) else {
            return;
        };
        let state = shared.lock();
        let Some(folder) = state.replica.base().get(&path) else {
            return;
        };
        let places: HashMap<&[u8], usize> = folder
            .order()
            .iter()
            .enumerate()
            .map(|(at, name)| (&**name, at))
            .collect();
        names.sort_by_key(|name| places.get(name.as_slice()).copied().unwrap_or(usize::MAX));
    }

    fn behind(&self, path: &[u8]) -> Behind {
        let (Some(shared), Ok(path)) = (self.0.upgrade(), RelPath::new(path)) else {
            return Behind::Nothing;
        };
        let state = shared.lock();
        match state.replica.base().entry(&path).map(|entry| &entry.kind) {
            Some(Kind::Withheld { what, .. }) => match what {
                b'p' => Behind::Other(libc::S_IFIFO),
                b's' => Behind::Other(libc::S_IFSOCK),
                b'c' => Behind::Other(libc::S_IFCHR),
                b'b' => Behind::Other(libc::S_IFBLK),
                _ => Behind::Nothing,
            },
            _ => Behind::Itself,
        }
    }

    fn has_rules_above(&self) -> bool {
        let shared = self.0.upgrade();
        shared.is_none_or(|shared| {
            shared
                .lock()
                .facts
                .as_ref()
                .is_none_or(|facts| facts.rules_above)
        })
    }
}

impl Keeper for Copy {
    fn put(&self, path: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), String> {
        let shared = self.0.upgrade().ok_or("the session is over")?;
        let path = RelPath::new(path).map_err(|fault| fault.to_string())?;
        let mut guard = shared.lock();
        let state = &mut *guard;
        if !state.replica.is_in_step() {
            return Err("the copy is not in step".to_owned());
        }
        let entry = state.replica.base().entry(&path);
        if entry.is_none_or(|entry| entry.content().is_none()) {
            return Err(format!("{path} is not a file of the copy"));
        }
        let there = state
            .replica
            .disk
            .read(&path)
            .map_err(|error| error.to_string())?;
        if Some(there.as_slice()) != old {
            return Err(format!("{path} has changed meanwhile"));
        }
        let change = Change::File {
            mode: None,
            size: new.len() as u64,
            hash: Hash::of(new),
            content: Content::Whole(Arc::from(new)),
        };
        state
            .replica
            .edit(&path, change)
            .map_err(|error| error.to_string())?;
        state.edits += 1;
        shared.flush(state);
        Ok(())
    }
}
