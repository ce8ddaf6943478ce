//! Which watch stands on which node, both ways. A file with several names has one watch for all of them.

use std::collections::BTreeSet;

use crate::ids::IdMap;
use crate::watch::Watches;

/// The watches of a tree.
#[derive(Default)]
pub(crate) struct Watched {
    /// The first node of a watch …
    node: IdMap<i32, u32>,
    /// … and the others.
    others: IdMap<i32, Vec<u32>>,
    watch: IdMap<u32, i32>,
    /// Nodes that nothing is reported of: whoever answers looks at them first.
    unwatched: BTreeSet<u32>,
    /// Watches that have lost a node. One may stand on another node by the end of the merge, where it was moved to.
    loose: Vec<i32>,
}

impl Watched {
    /// The nodes of this watch.
    pub(crate) fn nodes(&self, watch: i32) -> impl Iterator<Item = u32> + '_ {
        let others = self.others.get(&watch).into_iter().flatten();
        self.node.get(&watch).into_iter().chain(others).copied()
    }

    /// Nodes without a watch.
    pub(crate) fn unwatched(&self) -> &BTreeSet<u32> {
        &self.unwatched
    }

    /// Node `id` has this watch now, or none.
    pub(crate) fn put(&mut self, id: u32, watch: Option<i32>) {
        let Some(watch) = watch else {
            self.drop(id);
            self.unwatched.insert(id);
            return;
        };
        if self.watch.get(&id) == Some(&watch) {
            return;
        }
        self.drop(id);
        self.watch.insert(id, watch);
        match self.node.get(&watch) {
            None => {
                self.node.insert(watch, id);
            }
            Some(_) => self.others.entry(watch).or_default().push(id),
        }
    }

    /// Node `id` is gone, or another one now.
    pub(crate) fn drop(&mut self, id: u32) {
        self.unwatched.remove(&id);
        if let Some(watch) = self.watch.remove(&id) {
            self.part(watch, id);
            self.loose.push(watch);
        }
    }

    /// Takes node `id` from those of `watch`.
    fn part(&mut self, watch: i32, id: u32) {
        let mut others = self.others.remove(&watch).unwrap_or_default();
        others.retain(|&other| other != id);
        if self.node.get(&watch) == Some(&id) {
            match others.pop() {
                Some(other) => self.node.insert(watch, other),
                None => self.node.remove(&watch),
            };
        }
        if !others.is_empty() {
            self.others.insert(watch, others);
        }
    }

    /// The kernel has dropped this watch: until its nodes go too, they are looked at. False where it was none of ours.
    pub(crate) fn forget(&mut self, watch: i32) -> bool {
        let nodes: Vec<u32> = self.nodes(watch).collect();
        for id in nodes {
            self.watch.remove(&id);
            self.unwatched.insert(id);
        }
        self.others.remove(&watch);
        self.node.remove(&watch).is_some()
    }

    /// Ends the watches that have no node any more.
    pub(crate) fn sweep(&mut self, watches: &Watches) {
        for watch in std::mem::take(&mut self.loose) {
            if !self.node.contains_key(&watch) {
                watches.remove(watch);
            }
        }
    }

    /// Ends all watches.
    pub(crate) fn clear(&mut self, watches: &Watches) {
        let all = std::mem::take(self);
        for watch in all.node.into_keys().chain(all.loose) {
            watches.remove(watch);
        }
    }

    /// Ends a quarter of the watches on what `is_one` says, so that others of this user find some.
    pub(crate) fn spare(&mut self, watches: &Watches, is_one: impl Fn(u32) -> bool) {
        let held = self.watch.keys().copied().filter(|&id| is_one(id));
        let spared: Vec<u32> = held.step_by(4).collect();
        for id in spared {
            self.put(id, None);
        }
        self.sweep(watches);
    }
}
