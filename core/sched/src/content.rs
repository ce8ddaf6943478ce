//! What a sequence of tokens says, without the tokens.
//!
//! A prefix cache must know whether two sequences begin alike. vLLM hashes each block with all before it; that costs
//! the length of the prompt, every turn. Here text is named instead: token `offset` of stream `stream` (a system
//! prompt, a session's conversation). A sequence is a way through a tree, whose nodes are "this stream from this
//! offset, after that way": two sequences are alike as far as they go through the same nodes. What two streams say is
//! taken to differ at every token.

use std::collections::HashMap;

/// A place in the [`Tree`].
pub type NodeId = u32;

/// Where a node begins: after `depth` tokens of the way to `parent`, with token `offset` of `stream`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Node {
    parent: NodeId,
    depth: u32,
    stream: u64,
    offset: u32,
}

/// Tokens `offset .. offset + tokens` of one stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Which text.
    pub stream: u64,
    /// The first token of it.
    pub offset: u32,
    /// How many.
    pub tokens: u32,
}

/// A sequence: the nodes that it goes through, each with the depth at which it leaves it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Path {
    steps: Vec<Step>,
}

/// A node, and the part of the sequence that lies in it: tokens `start .. end`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// The node.
    pub node: NodeId,
    /// The sequence's first token in it.
    pub start: u32,
    /// One past its last.
    pub end: u32,
}

impl Path {
    /// Tokens of the sequence.
    pub fn tokens(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.end)
    }

    /// The parts of the sequence in their order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Forget all but the first `tokens`.
    pub fn truncate(&mut self, tokens: u32) {
        while self.steps.last().is_some_and(|step| step.start >= tokens) {
            self.steps.pop();
        }
        if let Some(last) = self.steps.last_mut() {
            last.end = last.end.min(tokens);
        }
    }
}

/// Every way that any sequence took.
#[derive(Debug, Default)]
pub struct Tree {
    nodes: Vec<Node>,
    ids: HashMap<Node, NodeId>,
}

const ROOT: NodeId = NodeId::MAX;

impl Tree {
    /// Let `path` go on with `segment`; a segment that goes on in the last one's stream stays in its node.
    pub fn append(&mut self, path: &mut Path, segment: Segment) {
        if segment.tokens == 0 || self.go_on(path, segment) {
            return;
        }
        let depth = path.tokens();
        let node = self.after(path, segment);
        let next = self.nodes.len() as NodeId;
        let id = *self.ids.entry(node).or_insert(next);
        if id == next {
            self.nodes.push(node);
        }
        path.steps.push(Step {
            node: id,
            start: depth,
            end: depth + segment.tokens,
        });
    }

    /// The way of a sequence, as far as any other went it.
    pub fn known(&self, prompt: &[Segment]) -> Path {
        let mut path = Path::default();
        for &segment in prompt.iter().filter(|segment| segment.tokens > 0) {
            if !self.go_on(&mut path, segment) {
                let node = self.after(&path, segment);
                let Some(&node) = self.ids.get(&node) else {
                    break;
                };
                let start = path.tokens();
                let end = start + segment.tokens;
                path.steps.push(Step { node, start, end });
            }
        }
        path
    }

    /// Let `path` go on in its last node, if `segment` is what follows there.
    fn go_on(&self, path: &mut Path, segment: Segment) -> bool {
        let depth = path.tokens();
        let Some(last) = path.steps.last_mut() else {
            return false;
        };
        let node = self.nodes[last.node as usize];
        let goes_on =
            node.stream == segment.stream && node.offset + (depth - node.depth) == segment.offset;
        if goes_on {
            last.end += segment.tokens;
        }
        goes_on
    }

    /// The node that `segment` begins after `path`.
    fn after(&self, path: &Path, segment: Segment) -> Node {
        Node {
            parent: path.steps.last().map_or(ROOT, |step| step.node),
            depth: path.tokens(),
            stream: segment.stream,
            offset: segment.offset,
        }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether no sequence was ever named.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(tree: &mut Tree, segments: &[(u64, u32, u32)]) -> Path {
        let mut path = Path::default();
        for &(stream, offset, tokens) in segments {
            tree.append(
                &mut path,
                Segment {
                    stream,
                    offset,
                    tokens,
                },
            );
        }
        path
    }

    #[test]
    fn a_sequence_in_pieces_is_the_sequence() {
        let mut tree = Tree::default();
        assert_eq!(
            path(&mut tree, &[(1, 0, 30)]),
            path(&mut tree, &[(1, 0, 10), (1, 10, 15), (1, 25, 5)])
        );
    }

    #[test]
    fn what_parts_stays_parted() {
        let mut tree = Tree::default();
        let one = path(&mut tree, &[(1, 0, 20), (2, 0, 9)]);
        let other = path(&mut tree, &[(1, 0, 20), (3, 0, 9)]);
        let later = path(&mut tree, &[(1, 0, 21), (2, 0, 9)]);
        assert_eq!(one.steps()[0], other.steps()[0]);
        assert_ne!(one.steps()[1].node, other.steps()[1].node);
        assert_ne!(one.steps()[1].node, later.steps()[1].node);
    }

    #[test]
    fn a_way_cut_off_and_gone_again_is_the_same() {
        let mut tree = Tree::default();
        let whole = path(&mut tree, &[(1, 0, 20), (2, 0, 9)]);
        let mut cut = whole.clone();
        cut.truncate(12);
        assert_eq!(cut.tokens(), 12);
        tree.append(
            &mut cut,
            Segment {
                stream: 1,
                offset: 12,
                tokens: 8,
            },
        );
        tree.append(
            &mut cut,
            Segment {
                stream: 2,
                offset: 0,
                tokens: 9,
            },
        );
        assert_eq!(cut, whole);
    }
}
