//! Who has written what, and whether somebody who saw it has put something else in its place.

use std::collections::HashMap;

use super::disk::{Files, What};
use curserve_mirror::RelPath;

/// Every version that was written on either side; each has a content that no other has.
#[derive(Debug, Default)]
pub struct Ledger {
    count: u64,
    is_superseded: HashMap<Vec<u8>, bool>,
}

impl Ledger {
    /// A content that nobody has written yet, of about `length` bytes.
    pub fn fresh(&mut self, length: usize) -> Vec<u8> {
        self.count += 1;
        let line = format!("v{} ", self.count);
        let mut bytes = line.clone().into_bytes();
        while bytes.len() < length {
            bytes.extend_from_slice(line.as_bytes());
        }
        bytes
    }

    /// It has been written.
    pub fn written(&mut self, bytes: &[u8]) {
        self.is_superseded.entry(bytes.to_vec()).or_insert(false);
    }

    /// It may or may not have been.
    pub fn uncertain(&mut self, bytes: &[u8]) {
        self.is_superseded.insert(bytes.to_vec(), true);
    }

    /// Somebody who saw `path` on these files replaces or removes it.
    pub fn supersede(&mut self, files: &Files, path: &RelPath) {
        for below in files.below(path) {
            let bytes = match &files.nodes[&below].what {
                What::Folder => continue,
                What::File(bytes) => bytes.to_vec(),
                What::Link(target) => target.to_vec(),
            };
            self.is_superseded.insert(bytes, true);
        }
    }

    /// How many were written.
    pub fn len(&self) -> usize {
        self.is_superseded.len()
    }

    /// Those that are nowhere in `files` although nobody has superseded them.
    pub fn lost(&self, files: &Files) -> Vec<String> {
        let there: std::collections::HashSet<&[u8]> = files
            .nodes
            .values()
            .filter_map(|node| match &node.what {
                What::Folder => None,
                What::File(bytes) => Some(&bytes[..]),
                What::Link(target) => Some(&target[..]),
            })
            .collect();
        let owed = self.is_superseded.iter().filter(|(_, gone)| !**gone);
        let lost = owed.filter(|(bytes, _)| !there.contains(&bytes[..]));
        lost.map(|(bytes, _)| String::from_utf8_lossy(bytes).into_owned())
            .collect()
    }
}
