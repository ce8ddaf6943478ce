//! A node as tools see it: a view into one snapshot.

use crate::content::Content;
use crate::listing::Listing;
use crate::meta::{Kind, Meta};
use crate::state::{Body, Node, NodeData, State, Unreadable, ROOT};

/// What a folder says of one of its children, without a look at the child.
#[derive(Clone, Copy)]
pub struct Entry<'s> {
    /// Its name.
    pub name: &'s [u8],
    /// What it is (a link is not followed).
    pub kind: Kind,
    /// The child itself.
    pub node: Node<'s>,
}

impl<'s> Entry<'s> {
    #[inline]
    fn of(state: &'s State, listing: &'s Listing, at: usize) -> Self {
        Entry {
            name: listing.name(at),
            kind: listing.kind(at),
            node: Node {
                state,
                id: listing.id(at),
            },
        }
    }
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
    ///
    /// # Errors
    /// Where it is no file, could not be read, or is too large.
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
    ///
    /// # Errors
    /// Where it is no folder (ENOTDIR), or could not be read.
    #[inline]
    pub fn entries(&self) -> Result<impl ExactSizeIterator<Item = Entry<'s>> + 's, Unreadable> {
        let (state, listing) = (self.state, self.listing()?);
        let places = state.listed(self.id, listing)?;
        let place = move |at| places.map_or(at, |places| places[at] as usize);
        Ok((0..listing.len()).map(move |at| Entry::of(state, listing, place(at))))
    }

    /// The same, sorted by name as bytes compare.
    ///
    /// # Errors
    /// As [`Node::entries`].
    #[inline]
    pub fn entries_by_name(
        &self,
    ) -> Result<impl ExactSizeIterator<Item = Entry<'s>> + 's, Unreadable> {
        let (state, listing) = (self.state, self.listing()?);
        let places = listing.by_name().iter();
        Ok(places.map(move |&at| Entry::of(state, listing, at as usize)))
    }

    /// A folder's entries in the order in which `grep -r` and `find` walk: readdir's, but by inode in folders above
    /// 10,000 entries (not on tmpfs).
    ///
    /// # Errors
    /// As [`Node::entries`].
    #[inline]
    pub fn entries_as_walked(
        &self,
    ) -> Result<impl ExactSizeIterator<Item = Entry<'s>> + 's, Unreadable> {
        let (state, listing) = (self.state, self.listing()?);
        let places = state.walk_places(self.id, listing)?;
        let place = move |at| places.as_ref().map_or(at, |places| places[at] as usize);
        Ok((0..listing.len()).map(move |at| Entry::of(state, listing, place(at))))
    }

    fn listing(&self) -> Result<&'s Listing, Unreadable> {
        match &self.data().body {
            Body::Folder { listing, .. } => listing.as_deref().map_err(|why| *why),
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
