//! Where the root lies.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::lens::Lens;
use crate::volume::{walk, WalkOrder};

/// Where the root lies, and how its large folders are walked.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The root's absolute path as tools see it: the alias, or its real path.
    pub(crate) at: Vec<u8>,
    pub(crate) components: Vec<Box<[u8]>>,
    pub(crate) real: PathBuf,
    /// How large folders are walked here.
    pub(crate) walk: WalkOrder,
    /// What is known of what this is a copy of.
    pub(crate) lens: Option<Arc<dyn Lens>>,
}

impl Place {
    pub(crate) fn new(root: &Path, at: Option<&Path>, lens: Option<Arc<dyn Lens>>) -> Place {
        let shown = at.unwrap_or(root).as_os_str().as_bytes();
        let components: Vec<Box<[u8]>> = shown
            .split(|&b| b == b'/')
            .filter(|name| !name.is_empty())
            .map(Into::into)
            .collect();
        let mut at = b"/".to_vec();
        at.extend_from_slice(&components.join(&b'/'));
        Place {
            at,
            components,
            real: root.to_path_buf(),
            // By inode, it may be: those of the original are not here.
            walk: match lens {
                Some(_) => WalkOrder::Unknown,
                None => walk(root),
            },
            lens,
        }
    }
}
