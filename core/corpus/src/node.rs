//! A node as tools see it: a view into one snapshot.

use crate::content::Content;
use crate::meta::{Kind, Meta};
use crate::snapshot::State;
use crate::tree::{Body, NodeData, Unreadable, ROOT};

/// A file, folder, link or other node in one snapshot; copied freely.
#[derive(Clone, Copy)]
pub struct Node<'s> {
    pub(crate) state: &'s State,
    pub(crate) id: u32,
}

impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.state, other.state) && self.id == other.id
    }
}

impl Eq for Node<'_> {}

impl std::hash::Hash for Node<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({:?})", String::from_utf8_lossy(&self.relative()))
    }
}

impl<'s> Node<'s> {
    pub(crate) fn data(&self) -> &'s NodeData {
        self.state.tree.get(self.id)
    }

    /// What it is (a link is not followed).
    pub fn kind(&self) -> Kind {
        self.data().meta.kind()
    }

    /// What `lstat` says.
    pub fn meta(&self) -> &'s Meta {
        &self.data().meta
    }

    /// Its name in its folder; empty for the root.
    pub fn name(&self) -> &'s [u8] {
        &self.data().name
    }

    /// The folder it lies in; None for the root.
    pub fn parent(&self) -> Option<Node<'s>> {
        (self.id != ROOT).then(|| Node {
            state: self.state,
            id: self.data().parent,
        })
    }

    /// A file's bytes. For anything but a file: `Unreadable::Unknown`.
    pub fn bytes(&self) -> Result<&'s Content, Unreadable> {
        match &self.data().body {
            Body::File { content, .. } => content.as_ref().map_err(|why| *why),
            _ => Err(Unreadable::Unknown),
        }
    }

    /// Where a link points, as written; None for anything but a link.
    pub fn link_target(&self) -> Option<&'s [u8]> {
        match &self.data().body {
            Body::Link(target) => Some(target),
            _ => None,
        }
    }

    /// A folder's entries in the file system's own order (readdir), without `.` and `..`.
    /// For anything but a folder: `Unreadable::Errno(ENOTDIR)`.
    pub fn entries(
        &self,
    ) -> Result<impl ExactSizeIterator<Item = (&'s [u8], Node<'s>)> + 's, Unreadable> {
        let state = self.state;
        Ok(self
            .children()?
            .iter()
            .map(move |&id| (state.tree.get(id).name.as_ref(), Node { state, id })))
    }

    /// A folder's entries in the order in which gnulib's fts gives them to `grep -r`, `find`, `du`: readdir's, but by
    /// inode in flat folders above 10,000 entries (not on tmpfs, where fts does not sort).
    pub fn entries_as_fts(&self) -> Result<Vec<Node<'s>>, Unreadable> {
        let state = self.state;
        let ids = state.as_fts(self.children()?.to_vec());
        Ok(ids.into_iter().map(|id| Node { state, id }).collect())
    }

    fn children(&self) -> Result<&'s [u32], Unreadable> {
        match &self.data().body {
            Body::Folder { listing, .. } => listing
                .as_ref()
                .map(|l| l.children.as_slice())
                .map_err(|why| *why),
            _ => Err(Unreadable::Errno(libc::ENOTDIR)),
        }
    }

    /// The child with this name, of a folder.
    pub fn child(&self, name: &[u8]) -> Option<Node<'s>> {
        if self.kind() != Kind::Folder {
            return None;
        }
        self.state.tree.child(self.id, name).map(|id| Node {
            state: self.state,
            id,
        })
    }

    /// The path below the root, without a leading slash; empty for the root.
    pub fn relative(&self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = self.id;
        while at != ROOT {
            let data = self.state.tree.get(at);
            names.push(data.name.as_ref());
            at = data.parent;
        }
        names.reverse();
        names.join(&b'/')
    }

    /// The absolute path, below the root's alias where there is one.
    pub fn path(&self) -> Vec<u8> {
        let mut path = self.state.place.at.clone();
        if self.id != ROOT {
            if path != b"/" {
                path.push(b'/');
            }
            path.extend_from_slice(&self.relative());
        }
        path
    }
}
