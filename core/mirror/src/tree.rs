//! The workspace as one side knows it: nested entries in the client's order, and a hash for each folder.

use std::collections::BTreeMap;

use crate::entry::{Entry, Hash, Kind};
use crate::path::{Name, RelPath};

/// What a file system says of a node that changes whenever the node does.
pub type Stamp = [u64; 5];

/// A node, and all below it.
#[derive(Clone, Debug)]
pub struct Node {
    /// What its folder lists of it.
    pub entry: Entry,
    /// As what the content was read; None: look again.
    pub stamp: Option<Stamp>,
    /// Of a folder: the epoch in which the other side is known to have the same names in it.
    pub open: u64,
    nodes: BTreeMap<Name, Node>,
    order: Vec<Name>,
    hash: Option<Hash>,
}

/// Where a node that is new to its folder goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Behind all others.
    Last,
    /// Before all others.
    First,
    /// Directly behind this one.
    After(Name),
}

/// A name in a folder, as the server has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: Name,
    /// The node.
    pub entry: Entry,
    /// The hash of it and of all below.
    pub hash: Hash,
}

impl Node {
    /// A node with nothing below it.
    pub fn new(entry: Entry) -> Self {
        Node {
            entry,
            stamp: None,
            open: 0,
            nodes: BTreeMap::new(),
            order: Vec::new(),
            hash: None,
        }
    }

    /// The child of this name.
    pub fn child(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// The children's names, as the client's file system lists them.
    pub fn order(&self) -> &[Name] {
        &self.order
    }

    /// The children, in that order.
    pub fn children(&self) -> impl Iterator<Item = (&Name, &Node)> {
        self.order.iter().map(|name| (name, &self.nodes[name]))
    }

    /// The hash of the entry and of all that lies below.
    pub fn hash(&mut self) -> Hash {
        if let Some(hash) = self.hash {
            return hash;
        }
        let mut hasher = blake3::Hasher::new();
        digest(&self.entry, &mut hasher);
        for name in &self.order {
            hasher.update(&(name.len() as u32).to_le_bytes());
            hasher.update(name);
            let child = self.nodes.get_mut(name).expect("a name has its node");
            hasher.update(&child.hash().0);
        }
        let hash = Hash(*hasher.finalize().as_bytes());
        self.hash = Some(hash);
        hash
    }

    /// What is in this folder, as the wire has it.
    pub fn listed(&mut self) -> Vec<Listed> {
        let order = self.order.clone();
        let listed = order.into_iter().map(|name| {
            let child = self.nodes.get_mut(&name).expect("a name has its node");
            Listed {
                entry: child.entry.clone(),
                hash: child.hash(),
                name,
            }
        });
        listed.collect()
    }

    /// Says that the other side has all names below.
    pub fn open_all(&mut self, epoch: u64) {
        self.open = epoch;
        let folders = self.nodes.values_mut();
        for folder in folders.filter(|node| node.entry.is_folder()) {
            folder.open_all(epoch);
        }
    }
}

fn digest(entry: &Entry, hasher: &mut blake3::Hasher) {
    hasher.update(&entry.mode.to_le_bytes());
    hasher.update(&entry.mtime.to_le_bytes());
    match &entry.kind {
        Kind::Folder => hasher.update(b"d"),
        Kind::File { size, hash } => hasher
            .update(b"f")
            .update(&size.to_le_bytes())
            .update(&hash.0),
        Kind::Link { target } => hasher.update(b"l").update(target),
        Kind::Withheld { size, what } => hasher
            .update(b"w")
            .update(&size.to_le_bytes())
            .update(&[*what]),
    };
    hasher.update(&[0]);
}

/// A whole workspace.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Node,
}

impl Default for Tree {
    fn default() -> Self {
        let entry = Entry {
            mode: 0o755,
            mtime: 0,
            kind: Kind::Folder,
        };
        Tree {
            root: Node::new(entry),
        }
    }
}

impl Tree {
    /// The node at `path`.
    pub fn get(&self, path: &RelPath) -> Option<&Node> {
        path.names()
            .try_fold(&self.root, |node, name| node.child(name))
    }

    /// The node at `path`, to be changed: its hash and those of the folders above are made anew.
    pub fn get_mut(&mut self, path: &RelPath) -> Option<&mut Node> {
        self.get(path)?;
        let mut node = &mut self.root;
        node.hash = None;
        for name in path.names() {
            node = node.nodes.get_mut(name)?;
            node.hash = None;
        }
        Some(node)
    }

    /// The entry at `path`.
    pub fn entry(&self, path: &RelPath) -> Option<&Entry> {
        self.get(path).map(|node| &node.entry)
    }

    /// Whether there is a folder at `path`.
    pub fn is_folder(&self, path: &RelPath) -> bool {
        self.entry(path).is_some_and(Entry::is_folder)
    }

    /// Puts `node` at `path`. What was there goes, and leaves its place to it. False where its folder is none.
    pub fn insert(&mut self, path: &RelPath, node: Node, place: &Place) -> bool {
        let Some((parent, name)) = path.split() else {
            self.root = node;
            return true;
        };
        if !self.is_folder(&parent) {
            return false;
        }
        let folder = self.get_mut(&parent).expect("it was just there");
        let name: Name = name.into();
        if folder.nodes.insert(name.clone(), node).is_none() {
            let at = folder.position(place);
            folder.order.insert(at, name);
        }
        true
    }

    /// Takes the node at `path` out.
    pub fn remove(&mut self, path: &RelPath) -> Option<Node> {
        let (parent, name) = path.split()?;
        self.get(path)?;
        let folder = self.get_mut(&parent)?;
        folder.order.retain(|other| **other != *name);
        folder.nodes.remove(name)
    }

    /// Moves the names of `run` in the folder `path` to directly behind `place`. Names that are not there are passed over.
    pub fn arrange(&mut self, path: &RelPath, place: &Place, run: &[Name]) {
        let Some(folder) = self.get_mut(path) else {
            return;
        };
        let moved: std::collections::HashSet<&Name> = run.iter().collect();
        folder.order.retain(|name| !moved.contains(name));
        let at = folder.position(place);
        let nodes = &folder.nodes;
        let mut seen = std::collections::HashSet::new();
        let there = run
            .iter()
            .filter(|name| nodes.contains_key(*name) && seen.insert((*name).clone()));
        let there: Vec<Name> = there.cloned().collect();
        folder.order.splice(at..at, there);
    }

    /// The hash of the node at `path` and all below it.
    pub fn hash(&mut self, path: &RelPath) -> Option<Hash> {
        let mut node = &mut self.root;
        for name in path.names() {
            node = node.nodes.get_mut(name)?;
        }
        Some(node.hash())
    }

    /// All paths from `path` down, folders before what lies in them.
    pub fn walk(&self, path: &RelPath) -> Vec<RelPath> {
        let mut all = Vec::new();
        if let Some(node) = self.get(path) {
            collect(path, node, &mut all);
        }
        all
    }
}

fn collect(path: &RelPath, node: &Node, all: &mut Vec<RelPath>) {
    all.push(path.clone());
    for (name, child) in node.children() {
        // What a rename has moved too deep is passed over; who renames looks first.
        if let Ok(path) = path.join(name) {
            collect(&path, child, all);
        }
    }
}

impl Node {
    /// Before which of its children `place` is. An unknown neighbour counts as the last one.
    fn position(&self, place: &Place) -> usize {
        let order = &self.order;
        match place {
            Place::Last => order.len(),
            Place::First => 0,
            Place::After(name) if order.last() == Some(name) => order.len(),
            Place::After(name) => {
                let at = order.iter().position(|other| other == name);
                at.map_or(order.len(), |at| at + 1)
            }
        }
    }
}
