//! One consistent state of the tree; queries run on it while the corpus moves on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::ignored::Rules;
use crate::meta::Meta;
use crate::node::Node;
use crate::select::Shelved;
use crate::tree::{Tree, ROOT};

/// An immutable, consistent view of the corpus; a clone is one reference count.
#[derive(Clone)]
pub struct Snapshot(pub(crate) Arc<State>);

/// Where the root lies, and what its file system is like.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The root's absolute path as tools see it: the alias, or its real path.
    pub(crate) at: Vec<u8>,
    pub(crate) components: Vec<Box<[u8]>>,
    pub(crate) real: std::path::PathBuf,
    /// Large folders too are walked in readdir's order here.
    pub(crate) walked_as_listed: bool,
}

impl Place {
    pub(crate) fn new(root: &Path, at: Option<&Path>) -> Place {
        use std::os::unix::ffi::OsStrExt;
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
            walked_as_listed: walked_as_listed(root),
        }
    }
}

/// Whether large folders are walked in readdir's order: seen on tmpfs. On file systems whose inode numbers come over a network,
/// which were not at hand, it is taken to be so too.
fn walked_as_listed(root: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    const CIFS: i64 = 0xFF53_4D42;
    const LUSTRE: i64 = 0x0BD0_0BD0;
    const NFS: i64 = 0x6969;
    const TMPFS: i64 = 0x0102_1994;
    let Ok(path) = std::ffi::CString::new(root.as_os_str().as_bytes()) else {
        return false;
    };
    let mut stat = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `path` is NUL-terminated and `stat` is a writable statfs, fully zeroed before the call.
    let kind = unsafe {
        if libc::statfs(path.as_ptr(), stat.as_mut_ptr()) != 0 {
            return false;
        }
        stat.assume_init().f_type
    };
    [CIFS, LUSTRE, NFS, TMPFS].contains(&(kind as i64))
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) place: Arc<Place>,
    pub(crate) tree: Tree,
    pub(crate) segments: Arc<Vec<Arc<Shelved>>>,
    /// Files whose trigrams are with them.
    pub(crate) fresh: Arc<BTreeSet<u32>>,
    /// Files without content and folders without entries.
    pub(crate) unreadable: Arc<BTreeSet<u32>>,
    /// Computed when asked for; a new one after each change of a rule file.
    pub(crate) rules: Arc<OnceLock<Rules>>,
}

impl State {
    /// Nothing yet.
    pub(crate) fn empty(place: Arc<Place>) -> State {
        State {
            place,
            tree: Tree::new(),
            segments: Arc::default(),
            fresh: Arc::default(),
            unreadable: Arc::default(),
            rules: Arc::default(),
        }
    }
}

impl Snapshot {
    pub(crate) fn state(&self) -> &State {
        &self.0
    }

    /// The root folder.
    pub fn root(&self) -> Node<'_> {
        Node {
            state: &self.0,
            id: ROOT,
        }
    }

    /// The root's absolute path as tools see it: the alias, or its real path.
    pub fn at(&self) -> &[u8] {
        &self.0.place.at
    }

    /// Whether all folders and files in it could be read.
    pub fn is_readable(&self) -> bool {
        self.0.unreadable.is_empty()
    }

    /// Whether all names in it are UTF-8. True is sure; false may speak of a name that is gone.
    pub fn is_named_in_utf8(&self) -> bool {
        self.0.tree.is_named_in_utf8()
    }

    /// `lstat` of the root's parent, taken now: `ls -la` of the root shows it. None where the root goes by an alias,
    /// whose parent is not here.
    pub fn parent_meta(&self) -> Option<Meta> {
        use std::os::unix::ffi::OsStrExt;
        let place = &self.0.place;
        if place.real.as_os_str().as_bytes() != place.at.as_slice() {
            return None;
        }
        std::fs::symlink_metadata(place.real.parent()?)
            .ok()
            .map(|m| Meta::of(&m))
    }
}
