//! The walk order: where nodes come when `find` or `grep -r` walks from a folder. Each node knows its place in its own folder, so that
//! a new name costs its folder's names and nothing else of the tree.

use crate::ids::IdMap;
use crate::listing::Listing;
use crate::state::{Body, State, Tree, ROOT};
use crate::volume::WalkOrder;

/// A folder was seen to be walked by inode when it has more entries than this (`find` 4.9 and `grep -r` on folders of 9,999,
/// 10,000 and 10,001 files on ext4) …
pub(crate) const SORTED_ABOVE: usize = 10_000;
/// … and so many at once (folders of 100,000, 100,001 and 150,000 files).
pub(crate) const SORTED_AT_ONCE: usize = 100_000;

impl State {
    /// The places of a folder's children in the order of a walk; None where that is readdir's.
    pub(crate) fn walk_places(&self, listing: &Listing) -> Option<Vec<u32>> {
        (listing.len() > SORTED_ABOVE).then(|| {
            self.by_inode((0..listing.len() as u32).collect(), |at| {
                listing.id(at as usize)
            })
        })
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
    pub(crate) fn files_of(&self, folder: u32, into: &mut Vec<u32>) {
        let Some(listing) = self.tree.listing(folder) else {
            return;
        };
        for id in self.as_walked(listing.ids().collect()) {
            match &self.tree.get(id).body {
                Body::File { content: Ok(_), .. } => into.push(id),
                Body::Folder { .. } => self.files_of(id, into),
                _ => {}
            }
        }
    }

    /// Those of `ids` that lie below `folder`, in walk order.
    pub(crate) fn in_walk_order(&self, folder: u32, ids: impl Iterator<Item = u32>) -> Vec<u32> {
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
        collect(folder, &mut below, &mut found);
        found
    }

    /// Whether all below a folder could be read.
    pub(crate) fn is_readable(&self, folder: u32) -> bool {
        !self
            .unreadable
            .iter()
            .any(|&id| self.tree.is_below(id, folder))
    }
}

fn collect(folder: u32, below: &mut IdMap<u32, Vec<(u32, u32)>>, into: &mut Vec<u32>) {
    let Some(mut children) = below.remove(&folder) else {
        return;
    };
    children.sort_unstable();
    for (_, id) in children {
        if below.contains_key(&id) {
            collect(id, below, into);
        } else {
            into.push(id);
        }
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
