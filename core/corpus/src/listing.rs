//! A folder's children in two blocks, what each is and its name, so that a walk which asks for no more than these
//! (`find -name`, globs, `ls -R`) touches no node. A node of its own costs three misses of the cache.

use crate::meta::Kind;

/// The children of one folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    /// In the file system's own order.
    children: Vec<Child>,
    /// Their names, one behind the other.
    names: Vec<u8>,
    /// Places among the children, by name.
    by_name: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    id: u32,
    /// Where its name ends.
    end: u32,
    kind: Kind,
}

impl Listing {
    /// A listing of these children, in the file system's order.
    pub(crate) fn new<'n>(children: impl ExactSizeIterator<Item = (u32, Kind, &'n [u8])>) -> Self {
        let mut listing = Listing {
            children: Vec::with_capacity(children.len()),
            names: Vec::new(),
            by_name: Vec::new(),
        };
        for (id, kind, name) in children {
            listing.names.extend_from_slice(name);
            let end = listing.names.len() as u32;
            listing.children.push(Child { id, end, kind });
        }
        listing.names.shrink_to_fit();
        let mut by_name: Vec<u32> = (0..listing.len() as u32).collect();
        by_name.sort_unstable_by_key(|&at| listing.name(at as usize));
        listing.by_name = by_name;
        listing
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    /// Their ids, in the file system's own order.
    pub(crate) fn ids(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.children.iter().map(|child| child.id)
    }

    /// Their places, by name as bytes compare.
    #[inline]
    pub(crate) fn by_name(&self) -> &[u32] {
        &self.by_name
    }

    /// The id of the child at this place.
    #[inline]
    pub(crate) fn id(&self, at: usize) -> u32 {
        self.children[at].id
    }

    /// What the child at this place is.
    #[inline]
    pub(crate) fn kind(&self, at: usize) -> Kind {
        self.children[at].kind
    }

    /// The name of the child at this place.
    #[inline]
    pub(crate) fn name(&self, at: usize) -> &[u8] {
        let start = match at {
            0 => 0,
            _ => self.children[at - 1].end,
        };
        &self.names[start as usize..self.children[at].end as usize]
    }

    /// The child of this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<u32> {
        self.place(name).map(|at| self.id(at))
    }

    /// The place of the child of this name.
    fn place(&self, name: &[u8]) -> Option<usize> {
        let compare = |&at: &u32| self.name(at as usize).cmp(name);
        let rank = self.by_name.binary_search_by(compare).ok()?;
        Some(self.by_name[rank] as usize)
    }

    /// The place of the child of this name, which is likely to be `near` or a little behind it.
    pub(crate) fn place_near(&self, name: &[u8], near: usize) -> Option<usize> {
        const LITTLE: usize = 8;
        let end = self.len().min(near + LITTLE);
        (near..end)
            .find(|&at| self.name(at) == name)
            .or_else(|| self.place(name))
    }

    /// Child `id` has become something else.
    pub(crate) fn retype(&mut self, id: u32, kind: Kind) {
        if let Some(child) = self.children.iter_mut().find(|child| child.id == id) {
            child.kind = kind;
        }
    }
}
