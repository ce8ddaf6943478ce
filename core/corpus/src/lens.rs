//! How a copy of a folder is to be seen. What its own file system says of it is not all true of the original: names lie in
//! another order, and of some files there is no more than the name.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What stands behind a node of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// What is there.
    Itself,
    /// A file whose content is not in the copy.
    Nothing,
    /// A FIFO, socket or device: the type bits of its mode.
    Other(u32),
}

/// What is known of the original. Asked while the tree is read, from several threads at once.
pub trait Lens: fmt::Debug + Send + Sync {
    /// Puts the names of the folder `path` (below the root, without a leading slash) in the order of the original.
    fn arrange(&self, path: &[u8], names: &mut Vec<Vec<u8>>);

    /// What stands behind the node at `path`, which is no folder.
    fn behind(&self, path: &[u8]) -> Behind;

    /// Whether ignore rules lie, or may lie, in a folder above the original's root.
    fn has_rules_above(&self) -> bool;
}

/// A lens, and where the copy lies; or none.
#[derive(Debug, Default)]
pub(crate) struct Glass {
    lens: Option<Arc<dyn Lens>>,
    root: Mutex<PathBuf>,
}

impl Glass {
    pub(crate) fn new(lens: Option<Arc<dyn Lens>>) -> Glass {
        Glass {
            lens,
            root: Mutex::default(),
        }
    }

    /// The copy lies at `root` now.
    pub(crate) fn stand(&self, root: &Path) {
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = root.to_path_buf();
    }

    /// Puts the names of the folder at `path` in their order.
    pub(crate) fn arrange(&self, path: &Path, names: &mut Vec<Vec<u8>>) {
        if let Some(lens) = &self.lens {
            lens.arrange(&self.below(path), names);
        }
    }

    /// What stands behind the node at `path`.
    pub(crate) fn behind(&self, path: &Path) -> Behind {
        match &self.lens {
            Some(lens) => lens.behind(&self.below(path)),
            None => Behind::Itself,
        }
    }

    fn below(&self, path: &Path) -> Vec<u8> {
        let root = self.root.lock().unwrap_or_else(PoisonError::into_inner);
        let below = path.strip_prefix(&*root).unwrap_or(path);
        below.as_os_str().as_bytes().to_vec()
    }
}
