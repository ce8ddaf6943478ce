//! The tree as data: nodes in an arena, each knowing its parent, so that a changed file costs one chunk to publish.

use std::sync::Arc;

use crate::arena::Arena;
use crate::listing::Listing;
use crate::state::{Body, NodeData, Tree, ROOT};

impl Tree {
    pub(crate) fn new() -> Tree {
        Tree {
            nodes: Arena::new(),
            positions: Arena::new(),
            free: Vec::new(),
            named_in_utf8: true,
        }
    }

    /// Whether all names are UTF-8; one that is not is remembered when it is gone.
    pub(crate) fn is_named_in_utf8(&self) -> bool {
        self.named_in_utf8
    }

    fn note(&mut self, name: &[u8]) {
        self.named_in_utf8 &= std::str::from_utf8(name).is_ok();
    }

    pub(crate) fn get(&self, id: u32) -> &NodeData {
        self.nodes
            .get(id)
            .as_deref()
            .expect("ids in a listing are live")
    }

    /// One more than the largest id in use.
    pub(crate) fn bound(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn try_get(&self, id: u32) -> Option<&NodeData> {
        self.nodes.get(id).as_deref()
    }

    pub(crate) fn insert(&mut self, data: NodeData) -> u32 {
        self.note(&data.name);
        match self.free.pop() {
            Some(id) => {
                self.nodes.set(id, Some(Arc::new(data)));
                id
            }
            None => {
                self.positions.push(0);
                self.nodes.push(Some(Arc::new(data)))
            }
        }
    }

    /// Puts `data` in the place of what was at `id`, and tells the folder it lies in if it is of another kind now.
    pub(crate) fn set(&mut self, id: u32, data: NodeData) {
        self.note(&data.name);
        let (parent, kind, name) = (data.parent, data.meta.kind(), data.name.clone());
        let changed = self
            .try_get(id)
            .is_some_and(|old| old.meta.kind() != kind && id != ROOT);
        self.nodes.set(id, Some(Arc::new(data)));
        if changed {
            self.edit_listing(parent, |listing| listing.retype(&name, kind));
        }
    }

    /// Changes the listing of `folder`, if it has one, in its place where nobody looks at an earlier state.
    pub(crate) fn edit_listing(&mut self, folder: u32, edit: impl FnOnce(&mut Listing)) {
        if let Some(data) = self.nodes.get_mut(folder) {
            if let Body::Folder {
                listing: Ok(listing),
                ..
            } = &mut Arc::make_mut(data).body
            {
                edit(Arc::make_mut(listing));
            }
        }
    }

    /// Frees one id; the caller has taken it out of its parent's listing.
    pub(crate) fn remove(&mut self, id: u32) {
        self.nodes.set(id, None);
        self.free.push(id);
    }

    /// Where a node comes in its folder in a walk.
    pub(crate) fn position(&self, id: u32) -> u32 {
        *self.positions.get(id)
    }

    /// Gives nodes the places in which they come here.
    pub(crate) fn set_positions(&mut self, in_order: &[u32]) {
        for (place, &id) in in_order.iter().enumerate() {
            if self.position(id) != place as u32 {
                self.positions.set(id, place as u32);
            }
        }
    }

    pub(crate) fn listing(&self, id: u32) -> Option<&Listing> {
        match &self.get(id).body {
            Body::Folder { listing, .. } => listing.as_deref().ok(),
            _ => None,
        }
    }

    /// The child of folder `id` that has this name.
    pub(crate) fn child(&self, id: u32, name: &[u8]) -> Option<u32> {
        self.listing(id)?.find(name)
    }

    /// A listing of `children` that are already in the arena.
    pub(crate) fn listing_of(&self, children: &[u32]) -> Listing {
        Listing::new(children.iter().map(|&id| {
            let data = self.get(id);
            (id, data.meta.kind(), data.name.as_ref())
        }))
    }
}
