//! The ground that the rest stands on: what a tree in memory is made of. What is done with each type lies in the file named
//! after it.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use curserve_index::{Grams, Segment};
use ignore::gitignore::Gitignore;

use crate::arena::Arena;
use crate::content::Content;
use crate::listing::Listing;
use crate::meta::Meta;
use crate::place::Place;

/// The root's id; it never changes.
pub(crate) const ROOT: u32 = 0;

/// Why a file's bytes or a folder's entries are not in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Opening it failed with this errno, as it would for a real program.
    Errno(i32),
    /// It is larger than the corpus takes in; a real program could read it.
    TooLarge,
    /// A real program might see something of it that the corpus does not.
    Unknown,
}

/// Where a file's trigrams are.
#[derive(Clone, Debug)]
pub(crate) enum Indexed {
    /// Nowhere: there is no content.
    Not,
    /// In this segment, at this position.
    Segment(u32, u16),
    /// With the file itself, which changed since the segments were built.
    Own(Arc<Grams>),
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    File {
        content: Result<Content, Unreadable>,
        racy: bool,
        indexed: Indexed,
    },
    Folder {
        listing: Result<Arc<Listing>, Unreadable>,
        searchable: bool,
    },
    Link(Box<[u8]>),
    Other,
}

#[derive(Clone, Debug)]
pub(crate) struct NodeData {
    pub(crate) parent: u32,
    pub(crate) name: Box<[u8]>,
    pub(crate) meta: Meta,
    pub(crate) body: Body,
    /// What ignore rules say of it, as far as anybody asked.
    pub(crate) verdict: Memo,
}

/// All nodes. Ids of removed nodes are used again.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) nodes: Arena<Option<Arc<NodeData>>>,
    /// The place of each node in its folder, in the order of a walk.
    pub(crate) positions: Arena<u32>,
    pub(crate) free: Vec<u32>,
    /// All names that were ever in it are UTF-8.
    pub(crate) named_in_utf8: bool,
}

/// What the ignore files say of one node by itself, its parents aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// No rule matches.
    #[default]
    None,
    /// A rule says to leave it out.
    Ignore,
    /// A rule says to keep it, even if it is hidden.
    Whitelist,
}

/// The rules of all folders that have some, by id; None where some of them cannot be known.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) folders: Option<HashMap<u32, FolderRules>>,
    /// What repositories in the tree have beyond it.
    pub(crate) elsewhere: Vec<Elsewhere>,
    /// The folders that hold a file `commondir`, as worktrees' do.
    pub(crate) commons: Vec<PathBuf>,
    /// Which set of rules this is: no two sets ever made are of the same generation.
    pub(crate) generation: u64,
}

/// What a file `.git` names, where that does not lie below the root.
#[derive(Debug)]
pub(crate) enum Elsewhere {
    /// This folder.
    Folder(PathBuf),
    /// A folder of this path, seen from wherever a program is started.
    Relative(PathBuf),
}

/// The rules of one folder.
#[derive(Debug)]
pub(crate) struct FolderRules {
    pub(crate) rgignore: Gitignore,
    pub(crate) ignore: Gitignore,
    pub(crate) gitignore: Gitignore,
    pub(crate) exclude: Gitignore,
    pub(crate) has_git: bool,
    pub(crate) broken: Vec<BrokenRule>,
}

/// A line of rules that does not parse, and is left out.
#[derive(Clone, Debug)]
pub struct BrokenRule {
    /// The file, from its folder.
    pub file: &'static str,
    /// Which line it is, and what the real program says of it.
    pub said: String,
    /// It is a rule of version control.
    pub vcs: bool,
}

/// A node's verdicts under the rules of one generation.
#[derive(Debug, Default)]
pub(crate) struct Memo(pub(crate) AtomicU64);

/// A segment, and which node each of its texts belonged to when it was built.
#[derive(Debug)]
pub(crate) struct Shelved {
    pub(crate) segment: Segment,
    pub(crate) nodes: Vec<u32>,
    /// As what it is kept for the next start, once it is.
    pub(crate) kept: OnceLock<KeptAs>,
}

/// The digest of a segment's bytes.
pub(crate) type Digest = [u8; 32];
/// The first half of the digest of a text.
pub(crate) type TextDigest = [u8; 16];

/// A segment that is kept.
#[derive(Debug)]
pub(crate) struct KeptAs {
    pub(crate) digest: Digest,
    /// Of each text; of those that had changed by then it says nothing.
    pub(crate) texts: Box<[TextDigest]>,
}

impl Shelved {
    pub(crate) fn new(segment: Segment, nodes: Vec<u32>) -> Arc<Shelved> {
        Arc::new(Shelved {
            segment,
            nodes,
            kept: OnceLock::new(),
        })
    }
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) place: Arc<Place>,
    pub(crate) tree: Tree,
    pub(crate) segments: Arc<Vec<Arc<Shelved>>>,
    /// Files whose trigrams are with them.
    pub(crate) fresh: Arc<BTreeSet<u32>>,
    /// Files without content and folders without entries.
    pub(crate) unreadable: Arc<BTreeSet<u32>>,
    /// Computed when asked for; a new one after each change of a rule file.
    pub(crate) rules: Arc<OnceLock<Rules>>,
}

/// An immutable, consistent view of the corpus; a clone is one reference count.
#[derive(Clone)]
pub struct Snapshot(pub(crate) Arc<State>);

/// A file, folder, link or other node in one snapshot; copied freely.
#[derive(Clone, Copy)]
pub struct Node<'s> {
    pub(crate) state: &'s State,
    pub(crate) id: u32,
}
