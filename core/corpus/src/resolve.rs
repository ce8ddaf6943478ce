//! Path resolution as the kernel does it, confined to the root.

use std::borrow::Cow;

use crate::meta::Kind;
use crate::state::{Body, Node, Snapshot, Tree, ROOT};

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
    ///
    /// # Errors
    /// The kernel's, and [`Errno::Outside`] where the path leads to what is not here.
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
    /// The path of the last one's folder, as far as it led without any link.
    path: Vec<u8>,
    /// The folders along it.
    trail: Vec<Stop>,
}

/// A folder along a path.
struct Stop {
    /// The length of the path to it, to its slash.
    end: usize,
    place: Place,
    /// The place behind the entry asked for last: `find` gives a folder's entries in its own order.
    near: usize,
}

impl<'s> Lookup<'s> {
    /// Paths seen from `cwd` (absolute).
    pub fn new(snapshot: &'s Snapshot, cwd: &'s [u8]) -> Self {
        Lookup {
            snapshot,
            cwd,
            path: Vec::new(),
            trail: Vec::new(),
        }
    }

    /// As [`Snapshot::resolve`].
    ///
    /// # Errors
    /// The kernel's, and [`Errno::Outside`] where the path leads to what is not here.
    pub fn resolve(&mut self, path: &[u8], follow_last: bool) -> Result<Node<'s>, Errno> {
        let slash = memchr::memrchr(b'/', path).filter(|at| at + 1 < path.len());
        if let (Some(slash), true) = (slash, path.len() < PATH_MAX) {
            let (folder, name) = path.split_at(slash + 1);
            if self.go_to(folder).is_ok_and(|straight| straight) {
                if let Some((node, _)) = self.entry(name) {
                    return Ok(node);
                }
            }
        }
        self.snapshot.resolve(self.cwd, path, follow_last)
    }

    /// Lays the trail to `folder`, a path with a slash at its end; false where a link lies on the way, since no more of
    /// them may follow than the kernel allows.
    fn go_to(&mut self, folder: &[u8]) -> Result<bool, Errno> {
        if self.path == folder && !self.trail.is_empty() {
            return Ok(true);
        }
        let pairs = self.path.iter().zip(folder);
        let common = pairs.take_while(|(a, b)| a == b).count();
        while self.trail.pop_if(|stop| stop.end > common).is_some() {}
        let mut walk = Walk::new(self.snapshot);
        if self.trail.is_empty() || folder[0] == b'/' && self.trail[0].end == 0 {
            self.trail.clear();
            let (end, place) = match folder[0] {
                b'/' => (1, walk.top()),
                _ => (0, walk.resolve(self.cwd, b".", true)?),
            };
            self.add(end, place);
        }
        let mut end = self.trail.last().map_or(0, |stop| stop.end);
        self.path.clear();
        self.path.extend_from_slice(&folder[..end]);
        while let Some(length) = memchr::memchr(b'/', &folder[end..]) {
            let name = &folder[end..end + length];
            end += length + 1;
            if !name.is_empty() {
                let place = match (self.entry(name), self.trail.last()) {
                    (Some((_, place)), _) => place,
                    (None, Some(stop)) => walk.step(stop.place, name, true)?,
                    (None, None) => return Ok(false),
                };
                if walk.links > 0 {
                    return Ok(false);
                }
                self.add(end, place);
            }
            self.path.clear();
            self.path.extend_from_slice(&folder[..end]);
        }
        Ok(walk.links == 0)
    }

    fn add(&mut self, end: usize, place: Place) {
        self.trail.push(Stop {
            end,
            place,
            near: 0,
        });
    }

    /// What `name` is in the folder at the trail's end, where that needs no more than a look into it.
    fn entry(&mut self, name: &[u8]) -> Option<(Node<'s>, Place)> {
        let stop = self.trail.last_mut()?;
        let Place::Inside(folder) = stop.place else {
            return None;
        };
        let state = self.snapshot.state();
        let Body::Folder {
            searchable: true,
            listing: Ok(listing),
        } = &state.tree.get(folder).body
        else {
            return None;
        };
        let at = listing.place_near(name, stop.near)?;
        stop.near = at + 1;
        let id = listing.id(at);
        let straight = listing.kind(at) != Kind::Link;
        straight.then_some((Node { state, id }, Place::Inside(id)))
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
