//! Many operands, as `xargs grep` has them: the index says once which of them have nothing to say.

// Nodes are hashed and compared by their ids, which nothing changes.
#![allow(clippy::mutable_key_type)]

use curserve_corpus::{IdMap, Kind, Node, Snapshot};
use curserve_index::{Query, Within};

use super::matcher::Pattern;
use super::options::Options;

/// For fewer operands than this, asking the index costs more than looking at the files.
const MANY: usize = 64;

/// The files that an operand may name without any effect.
#[derive(Default)]
pub(super) struct Silent<'s>(Option<IdMap<Node<'s>, ()>>);

impl<'s> Silent<'s> {
    /// What is silent for `pattern` among `operands` of them.
    pub(super) fn of(
        snapshot: &'s Snapshot,
        pattern: &Pattern,
        options: &Options,
        operands: usize,
    ) -> Self {
        if operands < MANY || options.speaks_of_all() {
            return Silent(None);
        }
        let query = Query::of(pattern.hir(), Within::Line);
        Silent(snapshot.candidates(&query, Within::Line))
    }

    /// Whether this one is.
    pub(super) fn has(&self, node: Node<'s>) -> bool {
        let may_match = |candidates: &IdMap<Node<'s>, ()>| candidates.contains_key(&node);
        self.0
            .as_ref()
            .is_some_and(|candidates| !may_match(candidates))
            && node.kind() == Kind::File
            && node.bytes().is_ok()
    }
}
