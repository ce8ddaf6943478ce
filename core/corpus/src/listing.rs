//! A folder's children in two blocks, what each is and its name, so that a walk which asks for no more than these
//! (`find -name`, globs, `ls -R`) touches no node. A node of its own costs three misses of the cache.

use std::sync::OnceLock;

use crate::meta::Kind;

/// The children of one folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    children: Vec<Child>,
    /// Their names, and those of some that are gone.
    names: Vec<u8>,
    /// Places among the children, by name.
    by_name: Vec<u32>,
    order: Order,
    /// How many bytes of names are gone.
    gone: usize,
}

#[derive(Clone, Copy, Debug)]
struct Child {
    id: u32,
    /// Where its name begins …
    start: u32,
    /// … and how long it is.
    len: u16,
    kind: Kind,
}

/// The file system's own order of the children.
#[derive(Clone, Debug, Default)]
enum Order {
    /// As they stand.
    #[default]
    Stored,
    /// Their places, once anybody has asked: a name came or went, and only the file system knows where.
    Asked(OnceLock<Box<[u32]>>),
}

impl Listing {
    /// A listing of these children, in the file system's order.
    pub(crate) fn new<'n>(children: impl ExactSizeIterator<Item = (u32, Kind, &'n [u8])>) -> Self {
        let mut listing = Listing {
            children: Vec::with_capacity(children.len()),
            ..Listing::default()
        };
        for (id, kind, name) in children {
            listing.push(id, kind, name);
        }
        listing.names.shrink_to_fit();
        let mut by_name: Vec<u32> = (0..listing.len() as u32).collect();
        by_name.sort_unstable_by_key(|&at| listing.name(at as usize));
        listing.by_name = by_name;
        listing
    }

    fn push(&mut self, id: u32, kind: Kind, name: &[u8]) {
        let (start, len) = (self.names.len() as u32, name.len() as u16);
        self.names.extend_from_slice(name);
        self.children.push(Child {
            id,
            start,
            len,
            kind,
        });
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.children.len()
    }

    /// Their ids, in no order.
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
        let child = self.children[at];
        &self.names[child.start as usize..][..child.len.into()]
    }

    /// The child of this name.
    pub(crate) fn find(&self, name: &[u8]) -> Option<u32> {
        self.place(name).map(|at| self.id(at))
    }

    /// The place of the child of this name.
    fn place(&self, name: &[u8]) -> Option<usize> {
        let rank = self.rank(name).ok()?;
        Some(self.by_name[rank] as usize)
    }

    /// Where this name comes among them; or where it would.
    fn rank(&self, name: &[u8]) -> Result<usize, usize> {
        let compare = |&at: &u32| self.name(at as usize).cmp(name);
        self.by_name.binary_search_by(compare)
    }

    /// The place of the child of this name, which is likely to be `near` or a little behind it.
    pub(crate) fn place_near(&self, name: &[u8], near: usize) -> Option<usize> {
        const LITTLE: usize = 8;
        let end = self.len().min(near + LITTLE);
        (near..end)
            .find(|&at| self.name(at) == name)
            .or_else(|| self.place(name))
    }

    /// The child of this name has become something else.
    pub(crate) fn retype(&mut self, name: &[u8], kind: Kind) {
        if let Some(at) = self.place(name) {
            self.children[at].kind = kind;
        }
    }
}

/// One name more or less, without a look at the others: where it stands among them is asked of the file system by whoever wants to
/// know. To list a folder of 50,000 names again takes 80 ms.
impl Listing {
    /// The order is not known any more.
    pub(crate) fn disturb(&mut self) {
        self.order = Order::Asked(OnceLock::new());
    }

    /// Takes in a child of a name that is not here.
    pub(crate) fn add(&mut self, id: u32, kind: Kind, name: &[u8]) {
        if let Err(rank) = self.rank(name) {
            self.by_name.insert(rank, self.len() as u32);
            self.push(id, kind, name);
            self.disturb();
        }
    }

    /// Takes out the child of this name; the last one moves into its place.
    pub(crate) fn take_out(&mut self, name: &[u8]) {
        let Ok(rank) = self.rank(name) else {
            return;
        };
        let last = self.len() - 1;
        let moved = self.rank(self.name(last)).expect("every child has a rank");
        self.by_name[moved] = self.by_name[rank];
        let place = self.by_name.remove(rank) as usize;
        self.gone += usize::from(self.children.swap_remove(place).len);
        self.disturb();
        if self.gone > self.names.len() / 2 {
            self.pack();
        }
    }

    /// Leaves out the names that are gone.
    fn pack(&mut self) {
        let mut names = Vec::with_capacity(self.names.len() / 2);
        for child in &mut self.children {
            let name = &self.names[child.start as usize..][..child.len.into()];
            child.start = names.len() as u32;
            names.extend_from_slice(name);
        }
        (self.names, self.gone) = (names, 0);
    }

    /// The places in the file system's own order, of which `names` says how it is now; None: as they stand. An error where a child
    /// is not among the names.
    pub(crate) fn in_order<E>(
        &self,
        names: impl FnOnce() -> Result<Vec<Vec<u8>>, E>,
        gone: E,
    ) -> Result<Option<&[u32]>, E> {
        let Order::Asked(order) = &self.order else {
            return Ok(None);
        };
        if let Some(order) = order.get() {
            return Ok(Some(order));
        }
        let names = names()?;
        let places: Vec<u32> = names
            .iter()
            .filter_map(|name| self.place(name).map(|at| at as u32))
            .collect();
        match places.len() == self.len() {
            true => Ok(Some(order.get_or_init(|| places.into()))),
            false => Err(gone),
        }
    }

    /// Whether the children do not stand in the file system's own order.
    pub(crate) fn was_disturbed(&self) -> bool {
        matches!(self.order, Order::Asked(_))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_that_come_and_go_are_found(edits in prop::collection::vec(("[a-d]{1,3}", any::<bool>()), 0..200)) {
            let mut listing = Listing::default();
            let mut held = BTreeMap::new();
            for (id, (name, comes)) in edits.iter().enumerate() {
                let name = name.as_bytes();
                match (comes, held.contains_key(name)) {
                    (true, false) => {
                        listing.add(id as u32, Kind::File, name);
                        held.insert(name, id as u32);
                    }
                    (true, true) => {}
                    (false, _) => {
                        listing.take_out(name);
                        held.remove(name);
                    }
                }
                let places = listing.by_name().iter().map(|&at| at as usize);
                let ours: Vec<(&[u8], u32)> = places.map(|at| (listing.name(at), listing.id(at))).collect();
                let theirs: Vec<(&[u8], u32)> = held.iter().map(|(name, id)| (*name, *id)).collect();
                prop_assert_eq!(ours, theirs);
            }
            let names: Vec<Vec<u8>> = held.keys().rev().map(|name| name.to_vec()).collect();
            let order = listing.in_order(|| Ok(names.clone()), ()).unwrap();
            let at = |place: usize| order.map_or(place, |order| order[place] as usize);
            if !edits.is_empty() {
                let ours: Vec<&[u8]> = (0..listing.len()).map(|place| listing.name(at(place))).collect();
                prop_assert_eq!(ours, names.iter().map(Vec::as_slice).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_order_that_lacks_a_name_is_none() {
        let mut listing = Listing::default();
        listing.add(1, Kind::File, b"a");
        assert_eq!(
            listing.in_order(|| Ok(vec![b"b".to_vec()]), "gone"),
            Err("gone")
        );
        assert_eq!(listing.in_order(|| Err("why"), "gone"), Err("why"));
        let names = || Ok(vec![b"b".to_vec(), b"a".to_vec()]);
        assert_eq!(listing.in_order(names, "gone"), Ok(Some(&[0][..])));
    }
}
