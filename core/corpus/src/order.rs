//! The walk order of the whole tree, computed once per shape: where each node comes when fts walks from the root.

use crate::node::Node;
use crate::snapshot::State;
use crate::tree::{Body, ROOT};

/// Ranks of all nodes; what lies below a folder has the ranks from its own to its end.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// By node id.
    rank: Vec<u32>,
    /// By node id: one more than the last rank below it.
    end: Vec<u32>,
    /// (rank, id) of every file with content, ascending.
    pub(crate) files: Vec<(u32, u32)>,
    /// Ranks of folders and files that could not be read, ascending.
    unreadable: Vec<u32>,
}

impl Order {
    fn of(state: &State) -> Order {
        let bound = state.tree.bound();
        let mut order = Order {
            rank: vec![u32::MAX; bound],
            end: vec![0; bound],
            ..Order::default()
        };
        let mut next = 0;
        order.visit(Node { state, id: ROOT }, &mut next);
        order
    }

    fn visit(&mut self, node: Node<'_>, next: &mut u32) {
        let rank = *next;
        *next += 1;
        self.rank[node.id as usize] = rank;
        match &node.data().body {
            Body::File { content: Ok(_), .. } => self.files.push((rank, node.id)),
            Body::File { .. }
            | Body::Folder {
                listing: Err(_), ..
            } => self.unreadable.push(rank),
            Body::Folder { .. } => {
                for child in node.entries_as_fts().unwrap_or_default() {
                    self.visit(child, next);
                }
            }
            Body::Link(_) | Body::Other => {}
        }
        self.end[node.id as usize] = *next;
    }

    pub(crate) fn rank(&self, id: u32) -> u32 {
        self.rank[id as usize]
    }

    /// The ranks of a node and all below it.
    pub(crate) fn below(&self, id: u32) -> std::ops::Range<u32> {
        self.rank[id as usize]..self.end[id as usize]
    }

    /// Whether all below a node could be read.
    pub(crate) fn is_readable(&self, id: u32) -> bool {
        let range = self.below(id);
        let first = self.unreadable.partition_point(|&rank| rank < range.start);
        self.unreadable
            .get(first)
            .is_none_or(|&rank| rank >= range.end)
    }
}

impl State {
    pub(crate) fn order(&self) -> &Order {
        self.order.get_or_init(|| Order::of(self))
    }
}
