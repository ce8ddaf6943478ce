//! Path resolution as the kernel does it, confined to the root.

use std::borrow::Cow;

use crate::node::Node;
use crate::snapshot::Snapshot;
use crate::tree::{Body, Tree, ROOT};

/// The kernel follows this many links in one resolution (MAXSYMLINKS).
const MAX_LINKS: usize = 40;
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 4096;

/// Why a path leads to no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Errno {
    /// ENOENT.
    #[error("No such file or directory")]
    NotFound,
    /// ENOTDIR.
    #[error("Not a directory")]
    NotDirectory,
    /// ELOOP.
    #[error("Too many levels of symbolic links")]
    TooManyLinks,
    /// EACCES.
    #[error("Permission denied")]
    Denied,
    /// ENAMETOOLONG.
    #[error("File name too long")]
    NameTooLong,
    /// Not an error of the kernel: the path leaves the root (or the part of it that could be read), where real
    /// programs could see something; the tool must refuse.
    #[error("outside the root")]
    Outside,
}

/// Where a walk stands: in the tree, or above the root with so many components of the root's own path matched.
#[derive(Clone, Copy)]
enum Place {
    Inside(u32),
    Above(usize),
}

impl Snapshot {
    /// The node that `path` names, seen from `cwd` (absolute). `follow_last`: whether a link in the last component is
    /// followed (`stat` or `lstat`); a trailing slash always follows and asks for a folder.
    pub fn resolve(&self, cwd: &[u8], path: &[u8], follow_last: bool) -> Result<Node<'_>, Errno> {
        let mut walk = Walk::new(self);
        let place = walk.resolve(cwd, path, follow_last)?;
        self.node_at(place)
    }

    fn node_at(&self, place: Place) -> Result<Node<'_>, Errno> {
        match place {
            Place::Inside(id) => Ok(Node {
                state: self.state(),
                id,
            }),
            Place::Above(_) => Err(Errno::Outside),
        }
    }
}

/// Resolves many paths seen from one folder; neighbours, as `find` gives them to `xargs grep`, share the way to their
/// folder.
pub struct Lookup<'s> {
    snapshot: &'s Snapshot,
    cwd: &'s [u8],
    /// The path of the folder of the last one, to its slash, and where that led without any link.
    last: Option<(Vec<u8>, Place)>,
}

impl<'s> Lookup<'s> {
    /// Paths seen from `cwd` (absolute).
    pub fn new(snapshot: &'s Snapshot, cwd: &'s [u8]) -> Self {
        Lookup {
            snapshot,
            cwd,
            last: None,
        }
    }

    /// As [`Snapshot::resolve`].
    pub fn resolve(&mut self, path: &[u8], follow_last: bool) -> Result<Node<'s>, Errno> {
        let slash = memchr::memrchr(b'/', path).filter(|at| at + 1 < path.len());
        let (Some(slash), true) = (slash, path.len() < PATH_MAX) else {
            return self.snapshot.resolve(self.cwd, path, follow_last);
        };
        let (folder, name) = path.split_at(slash + 1);
        let mut walk = Walk::new(self.snapshot);
        let place = match &self.last {
            Some((path, place)) if path == folder => *place,
            _ => {
                let place = walk.resolve(self.cwd, folder, true)?;
                let straight = walk.links == 0; // else fewer may follow than the kernel allows
                self.last = straight.then(|| (folder.to_vec(), place));
                place
            }
        };
        let place = walk.step(place, name, follow_last)?;
        self.snapshot.node_at(place)
    }
}

struct Walk<'t> {
    tree: &'t Tree,
    at: &'t [Box<[u8]>],
    links: usize,
}

impl<'t> Walk<'t> {
    fn new(snapshot: &'t Snapshot) -> Self {
        Walk {
            tree: &snapshot.state().tree,
            at: &snapshot.state().place.components,
            links: 0,
        }
    }

    fn resolve(&mut self, cwd: &[u8], path: &[u8], follow_last: bool) -> Result<Place, Errno> {
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::NameTooLong);
        }
        let start = match path[0] {
            b'/' => self.top(),
            _ if cwd.first() == Some(&b'/') => self.walk(self.top(), cwd, true)?,
            _ => return Err(Errno::NotFound),
        };
        self.walk(start, path, follow_last)
    }

    /// `/`, which is the root itself where the alias is `/`.
    fn top(&self) -> Place {
        if self.at.is_empty() {
            Place::Inside(ROOT)
        } else {
            Place::Above(0)
        }
    }

    fn walk(&mut self, start: Place, path: &[u8], follow_last: bool) -> Result<Place, Errno> {
        let mut place = if path.first() == Some(&b'/') {
            self.top()
        } else {
            start
        };
        let wants_folder = path.last() == Some(&b'/');
        let mut names = path
            .split(|&b| b == b'/')
            .filter(|name| !name.is_empty())
            .peekable();
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            place = self.step(place, name, !last || follow_last || wants_folder)?;
        }
        if wants_folder {
            self.folder(place)?;
        }
        Ok(place)
    }

    fn step(&mut self, place: Place, name: &[u8], follow: bool) -> Result<Place, Errno> {
        let folder = match place {
            Place::Inside(id) => id,
            Place::Above(depth) => return self.step_above(depth, name),
        };
        self.folder(place)?;
        match name {
            b"." => return Ok(place),
            b".." if folder == ROOT => {
                return Ok(if self.at.is_empty() {
                    place
                } else {
                    Place::Above(self.at.len() - 1)
                })
            }
            b".." => return Ok(Place::Inside(self.tree.get(folder).parent)),
            _ if name.len() > NAME_MAX => return Err(Errno::NameTooLong),
            _ => {}
        }
        if self.tree.listing(folder).is_none() {
            return Err(Errno::Outside);
        }
        let child = self.tree.child(folder, name).ok_or(Errno::NotFound)?;
        match &self.tree.get(child).body {
            Body::Link(target) if follow => {
                self.links += 1;
                if self.links > MAX_LINKS {
                    return Err(Errno::TooManyLinks);
                }
                let target: Cow<'_, [u8]> = Cow::Owned(target.to_vec());
                self.walk(place, &target, true)
            }
            _ => Ok(Place::Inside(child)),
        }
    }

    fn step_above(&self, depth: usize, name: &[u8]) -> Result<Place, Errno> {
        match name {
            b"." => Ok(Place::Above(depth)),
            b".." => Ok(Place::Above(depth.saturating_sub(1))),
            _ if name == self.at[depth].as_ref() && depth + 1 == self.at.len() => {
                Ok(Place::Inside(ROOT))
            }
            _ if name == self.at[depth].as_ref() => Ok(Place::Above(depth + 1)),
            _ => Err(Errno::Outside),
        }
    }

    /// Fails unless `place` is a folder that may be searched.
    fn folder(&self, place: Place) -> Result<(), Errno> {
        let Place::Inside(id) = place else {
            return Ok(());
        };
        match self.tree.get(id).body {
            Body::Folder {
                searchable: true, ..
            } => Ok(()),
            Body::Folder { .. } => Err(Errno::Denied),
            _ => Err(Errno::NotDirectory),
        }
    }
}
