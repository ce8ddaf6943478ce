//! The walk order: where nodes come when `find` or `grep -r` walks from a folder. Each node knows its place in its own folder, so that
//! a new name costs its folder's names and nothing else of the tree.

use crate::ids::IdMap;
use crate::listing::Listing;
use crate::scan::names_in;
use crate::state::{Body, State, Tree, Unreadable, ROOT};
use crate::volume::WalkOrder;

/// A folder was seen to be walked by inode when it has more entries than this (`find` 4.9 and `grep -r` on folders of 9,999,
/// 10,000 and 10,001 files on ext4) …
pub(crate) const SORTED_ABOVE: usize = 10_000;
/// … and so many at once (folders of 100,000, 100,001 and 150,000 files).
pub(crate) const SORTED_AT_ONCE: usize = 100_000;

impl State {
    /// The places of a folder's children in readdir's order; None: as they stand.
    ///
    /// # Errors
    /// Where names came or went there, and the folder does not hold what it held any more.
    #[inline]
    pub(crate) fn listed<'s>(
        &'s self,
        folder: u32,
        listing: &'s Listing,
    ) -> Result<Option<&'s [u32]>, Unreadable> {
        let names = || names_in(&self.live_path(folder));
        listing.in_order(names, Unreadable::Unknown)
    }

    /// The places of a folder's children in the order of a walk; None: as they stand.
    ///
    /// # Errors
    /// As [`State::listed`].
    pub(crate) fn walk_places(
        &self,
        folder: u32,
        listing: &Listing,
    ) -> Result<Option<Vec<u32>>, Unreadable> {
        let stored = || (0..listing.len() as u32).collect();
        let id = |at| listing.id(at as usize);
        if self.is_by_inode_alone(listing) {
            return Ok(Some(self.by_inode(stored(), id)));
        }
        let listed = self.listed(folder, listing)?;
        Ok(match listing.len() > SORTED_ABOVE {
            true => Some(self.by_inode(listed.map_or_else(stored, <[u32]>::to_vec), id)),
            false => listed.map(<[u32]>::to_vec),
        })
    }

    /// Whether a walk of such a folder has nothing to do with readdir's order.
    fn is_by_inode_alone(&self, listing: &Listing) -> bool {
        let sorted_at_once = SORTED_ABOVE + 1..=SORTED_AT_ONCE;
        self.place.walk == WalkOrder::ByInode && sorted_at_once.contains(&listing.len())
    }

    /// A folder's children, given in readdir's order, in that of a walk.
    pub(crate) fn as_walked(&self, children: Vec<u32>) -> Vec<u32> {
        self.by_inode(children, |id| id)
    }

    fn by_inode(&self, mut items: Vec<u32>, id: impl Fn(u32) -> u32) -> Vec<u32> {
        let large = |batch: &&mut [u32]| batch.len() > SORTED_ABOVE;
        if self.place.walk == WalkOrder::ByInode {
            for batch in items.chunks_mut(SORTED_AT_ONCE).filter(large) {
                batch.sort_by_key(|&item| self.tree.get(id(item)).meta.ino);
            }
        }
        items
    }

    /// All files with content below `folder`, appended in walk order.
    ///
    /// # Errors
    /// As [`State::listed`].
    pub(crate) fn files_of(&self, folder: u32, into: &mut Vec<u32>) -> Result<(), Unreadable> {
        let Some(listing) = self.tree.listing(folder) else {
            return Ok(());
        };
        let places = self.walk_places(folder, listing)?;
        let place = |at| places.as_ref().map_or(at, |places| places[at] as usize);
        for id in (0..listing.len()).map(|at| listing.id(place(at))) {
            match &self.tree.get(id).body {
                Body::File { content: Ok(_), .. } => into.push(id),
                Body::Folder { .. } => self.files_of(id, into)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Those of `ids` that lie below `folder`, in walk order.
    ///
    /// # Errors
    /// As [`State::listed`].
    pub(crate) fn in_walk_order(
        &self,
        folder: u32,
        ids: impl Iterator<Item = u32>,
    ) -> Result<Vec<u32>, Unreadable> {
        let mut below: IdMap<u32, Vec<(u32, u32)>> = IdMap::default();
        for id in ids {
            let mut at = id;
            while at != folder && at != ROOT {
                let parent = self.tree.get(at).parent;
                let entry = (self.tree.position(at), at);
                match below.get_mut(&parent) {
                    Some(children) => {
                        children.push(entry);
                        break; // the rest of the way up was gone before
                    }
                    None => below.insert(parent, vec![entry]),
                };
                at = parent;
            }
        }
        let mut found = Vec::new();
        self.gather(folder, &mut below, &mut found)?;
        Ok(found)
    }

    fn gather(
        &self,
        folder: u32,
        below: &mut IdMap<u32, Vec<(u32, u32)>>,
        into: &mut Vec<u32>,
    ) -> Result<(), Unreadable> {
        let Some(mut children) = below.remove(&folder) else {
            return Ok(());
        };
        if children.len() > 1 {
            self.place_anew(folder, &mut children)?;
            children.sort_unstable();
        }
        for (_, id) in children {
            if below.contains_key(&id) {
                self.gather(id, below, into)?;
            } else {
                into.push(id);
            }
        }
        Ok(())
    }

    /// Gives children of a folder their places in a walk, where those that they have are not true any more.
    fn place_anew(&self, folder: u32, children: &mut [(u32, u32)]) -> Result<(), Unreadable> {
        let listing = self.tree.listing(folder);
        let Some(listing) = listing.filter(|listing| listing.was_disturbed()) else {
            return Ok(());
        };
        if self.is_by_inode_alone(listing) {
            children.sort_by_key(|&(_, id)| self.tree.get(id).meta.ino);
            for (at, child) in children.iter_mut().enumerate() {
                child.0 = at as u32;
            }
            return Ok(());
        }
        let places = self.walk_places(folder, listing)?.unwrap_or_default();
        let rank = |(at, &place): (usize, &u32)| (listing.id(place as usize), at as u32);
        let ranks: IdMap<u32, u32> = places.iter().enumerate().map(rank).collect();
        for (place, id) in children {
            *place = ranks.get(id).copied().ok_or(Unreadable::Unknown)?;
        }
        Ok(())
    }

    /// Whether all below a folder could be read.
    pub(crate) fn is_readable(&self, folder: u32) -> bool {
        !self
            .unreadable
            .iter()
            .any(|&id| self.tree.is_below(id, folder))
    }
}

impl Tree {
    /// Whether `id` is `folder`, or lies below it.
    fn is_below(&self, mut id: u32, folder: u32) -> bool {
        while id != folder {
            if id == ROOT {
                return false;
            }
            id = self.get(id).parent;
        }
        true
    }
}
