//! A path below the root of a workspace, as bytes: checked once, where it comes in.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::fault::Fault;

/// One component of a path.
pub type Name = Arc<[u8]>;

/// The longest path, in bytes: what the kernel takes, less its NUL.
pub const MAX_PATH: usize = 4095;
/// The longest name, in bytes.
pub const MAX_NAME: usize = 255;
/// How deep a node may lie. Trees are walked by recursion.
pub const MAX_DEPTH: usize = 256;

/// A path relative to the root; the root itself is the empty one. It has no `.`, no `..`, no empty name and no NUL.
///
/// Paths are ordered by their names, so that a folder stands directly before all that lies in it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct RelPath(Arc<[u8]>);

impl RelPath {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// `bytes` as a path.
    ///
    /// # Errors
    /// Where it is none, or beyond a limit.
    pub fn new(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.is_empty() {
            return Ok(Self::root());
        }
        if bytes.len() > MAX_PATH {
            return Err(Fault::new(format!("a path of {} bytes", bytes.len())));
        }
        let mut depth = 0;
        for name in bytes.split(|&byte| byte == b'/') {
            check_name(name)?;
            depth += 1;
        }
        match depth > MAX_DEPTH {
            true => Err(Fault::new(format!("a path of {depth} names"))),
            false => Ok(RelPath(bytes.into())),
        }
    }

    /// The bytes, with `/` between names.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The names from the root down.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        let names = self.0.split(|&byte| byte == b'/');
        names.filter(|name| !name.is_empty())
    }

    /// The folder it lies in, and its name there; None for the root.
    pub fn split(&self) -> Option<(RelPath, &[u8])> {
        if self.is_root() {
            return None;
        }
        let cut = self.0.iter().rposition(|&byte| byte == b'/');
        Some(match cut {
            Some(at) => (RelPath(self.0[..at].into()), &self.0[at + 1..]),
            None => (Self::root(), &self.0),
        })
    }

    /// The folder it lies in; the root's is the root.
    pub fn parent(&self) -> RelPath {
        self.split().map_or_else(Self::root, |(parent, _)| parent)
    }

    /// The node `name` in this folder.
    ///
    /// # Errors
    /// Where the name is none, or the path would be beyond a limit.
    pub fn join(&self, name: &[u8]) -> Result<RelPath, Fault> {
        check_name(name)?;
        match self.is_root() {
            true => Self::new(name),
            false => Self::new(&[&self.0, &b"/"[..], name].concat()),
        }
    }

    /// Whether it is `other`, or lies below it.
    pub fn is_within(&self, other: &RelPath) -> bool {
        other.is_root()
            || (self.0.starts_with(&other.0)
                && matches!(self.0.get(other.0.len()), None | Some(b'/')))
    }

    /// Whether one of the two is, or lies below, the other.
    pub fn overlaps(&self, other: &RelPath) -> bool {
        self.is_within(other) || other.is_within(self)
    }

    /// The folders on the way, from the one below the root down to the parent.
    pub fn ancestors(&self) -> Vec<RelPath> {
        let cuts = self.0.iter().enumerate().filter(|(_, &byte)| byte == b'/');
        cuts.map(|(at, _)| RelPath(self.0[..at].into())).collect()
    }
}

/// Whether `name` may be one.
fn check_name(name: &[u8]) -> Result<(), Fault> {
    let fault = match name {
        b"" => "an empty name",
        b"." | b".." => "a name of dots",
        _ if name.len() > MAX_NAME => "a name of more than 255 bytes",
        _ if name.contains(&0) || name.contains(&b'/') => "a name with a NUL or a slash",
        _ => return Ok(()),
    };
    Err(Fault::new(fault))
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.names().cmp(other.names())
    }
}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_root() {
            true => write!(f, "."),
            false => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_is_no_path() {
        let long = vec![b'n'; 256];
        let deep = b"d/".repeat(300);
        let wrong: [&[u8]; 10] = [
            b"/", b"/etc", b"a//b", b"a/", b"..", b"a/../b", b"./a", b"a\0b", &long, &deep,
        ];
        for bytes in wrong {
            assert!(RelPath::new(bytes).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(RelPath::new(&b"n/".repeat(2100)).is_err());
        assert!(RelPath::root().join(b"a/b").is_err());
    }

    #[test]
    fn a_folder_stands_before_all_in_it_and_nothing_between() {
        let mut paths: Vec<RelPath> = ["a.b", "a/b", "a", "a/b/c", "a-", "b"]
            .iter()
            .map(|path| RelPath::new(path.as_bytes()).unwrap())
            .collect();
        paths.sort();
        let sorted: Vec<String> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["a", "a/b", "a/b/c", "a-", "a.b", "b"]);
        assert!(paths[2].is_within(&paths[0]) && !paths[3].is_within(&paths[0]));
        assert_eq!(paths[2].ancestors(), paths[..2]);
    }
}
