//! What a command line writes: planned while it runs on a snapshot, done by the caller when it has been answered.
//!
//! So a line that is refused in the end has changed nothing, and the real programs can run it. What would have to see
//! a planned write is refused: after the first only tools that read no files go on.

use std::cell::{Cell, RefCell};

use curserve_corpus::{Errno, Kind, Meta, Node, Snapshot};

use crate::Refusal;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// A new file takes the place of the one with this metadata (`sed -i`).
    Replace(Meta),
    /// A file that was not there (`>`, `>>`).
    Create,
    /// The same file, emptied first (`>`).
    Truncate,
    /// The same file, at its end (`>>`).
    Append,
}

/// One planned write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The file, as tools see it; its folder without links.
    pub path: Vec<u8>,
    /// What is written.
    pub bytes: Vec<u8>,
    /// How.
    pub how: How,
}

/// A place that may be written.
pub struct Target<'s> {
    /// See [`Write::path`].
    pub path: Vec<u8>,
    /// The plain file that is there.
    pub there: Option<Node<'s>>,
}

/// The writes of one command line.
#[derive(Debug, Default)]
pub struct Writes {
    list: RefCell<Vec<Write>>,
    barred: Cell<bool>,
}

impl Writes {
    /// Nothing planned yet.
    pub fn new() -> Writes {
        Writes::default()
    }

    /// Bars or allows writes, where commands run at once; returns what held before.
    pub fn bar(&self, barred: bool) -> bool {
        self.barred.replace(barred)
    }

    /// Whether anything is planned.
    pub fn pending(&self) -> bool {
        !self.list.borrow().is_empty()
    }

    /// What has been planned, in order.
    pub fn into_list(self) -> Vec<Write> {
        self.list.into_inner()
    }

    /// The file that `path` names, if it is one that may be written: a plain file or none, in a folder that is there.
    ///
    /// # Errors
    /// Where it is none of these, or lies outside the root.
    pub fn target<'s>(
        &self,
        snapshot: &'s Snapshot,
        cwd: &[u8],
        path: &[u8],
    ) -> Result<Target<'s>, Refusal> {
        let refuse = |why: &str| {
            let path = String::from_utf8_lossy(path);
            Err(Refusal::new(format!("writes {path}: {why}")))
        };
        if self.barred.get() {
            return refuse("in a pipeline");
        }
        let (folder, name) = match memchr::memrchr(b'/', path) {
            Some(0) => (&b"/"[..], &path[1..]),
            Some(i) => (&path[..i], &path[i + 1..]),
            None => (&b"."[..], path),
        };
        if matches!(name, b"" | b"." | b"..") || name.contains(&0) || name.len() > 200 {
            return refuse("not a plain name");
        }
        let folder = match snapshot.resolve(cwd, folder, true) {
            Ok(node) if node.kind() == Kind::Folder => node.path(),
            _ => return refuse("its folder is not here"),
        };
        let slash: &[u8] = if folder == b"/" { b"" } else { b"/" };
        let path = [&folder, slash, name].concat();
        if self.list.borrow().iter().any(|write| write.path == path) {
            return refuse("a second time");
        }
        let there = match snapshot.resolve(b"/", &path, false) {
            Ok(node) if node.kind() == Kind::File => Some(node),
            Err(Errno::NotFound) => None,
            _ => return refuse("not a plain file"),
        };
        let is_copy = snapshot.is_copy(); // whose files may have other names where they come from
        if there.is_some_and(|node| node.meta().nlink > 1 || is_copy) && self.pending() {
            // What is planned may be for the same file by its other name.
            return refuse("a file of several names, after another write");
        }
        Ok(Target { path, there })
    }

    /// Plans a write; its number.
    ///
    /// # Errors
    /// Where there are more than 1,000.
    pub fn plan(&self, path: Vec<u8>, bytes: Vec<u8>, how: How) -> Result<usize, Refusal> {
        let mut list = self.list.borrow_mut();
        if list.len() >= 1000 {
            return Err(Refusal::new("more than 1000 files written"));
        }
        list.push(Write { path, bytes, how });
        Ok(list.len() - 1)
    }

    /// Gives the write of that number what it writes, when the command that writes it has ended.
    pub fn fill(&self, number: usize, bytes: Vec<u8>) {
        if let Some(write) = self.list.borrow_mut().get_mut(number) {
            write.bytes = bytes;
        }
    }

    /// Whether a tool reads no file, so that it may run while writes are planned.
    pub fn harmless(args: &[Vec<u8>]) -> bool {
        match args.first().map(Vec::as_slice) {
            Some(b"echo" | b"printf" | b"true" | b"false" | b"seq" | b"basename" | b"dirname") => {
                true
            }
            Some(b"cat") => args.len() == 1,
            Some(b"sed") => args
                .iter()
                .any(|a| a.starts_with(b"-i") || a == b"--in-place"),
            _ => false,
        }
    }
}
