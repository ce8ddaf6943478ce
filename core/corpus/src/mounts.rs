//! What is mounted below the root: inotify reports neither that a file system comes nor that one goes.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The mounts of this process's namespace, as far as they matter.
pub(crate) struct Mounts {
    /// None where there is no /proc: then nothing is mounted by what runs here, either.
    table: Option<File>,
    /// The lines of those at the root or below it.
    below: Vec<Vec<u8>>,
}

impl Mounts {
    /// The mounts at `root`, now.
    pub(crate) fn new(root: &Path) -> Self {
        let mut mounts = Mounts {
            table: File::open("/proc/self/mountinfo").ok(),
            below: Vec::new(),
        };
        mounts.read(root);
        mounts
    }

    /// Whether something was mounted or unmounted at `root` or below since this was last asked.
    pub(crate) fn have_changed(&mut self, root: &Path) -> bool {
        let Some(table) = &self.table else {
            return false;
        };
        let mut poll = libc::pollfd {
            fd: table.as_raw_fd(),
            events: libc::POLLPRI,
            revents: 0,
        };
        // SAFETY: one pollfd that outlives the call, which does not wait. The kernel says so once for each change.
        let changed = unsafe { libc::poll(&raw mut poll, 1, 0) } > 0;
        changed && self.read(root)
    }

    /// Reads the table; whether it says something else of `root` than before.
    pub(crate) fn read(&mut self, root: &Path) -> bool {
        let Some(table) = &mut self.table else {
            return false;
        };
        let mut text = Vec::new();
        if table.rewind().is_err() || table.read_to_end(&mut text).is_err() {
            return true;
        }
        let root = escaped(root);
        let is_below = |line: &&[u8]| {
            let point = line.split(|&b| b == b' ').nth(4).unwrap_or_default();
            let rest = point.strip_prefix(root.as_slice());
            root == b"/" || rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        };
        let lines = text.split(|&b| b == b'\n').filter(is_below);
        let below: Vec<Vec<u8>> = lines.map(<[u8]>::to_vec).collect();
        let differs = below != self.below;
        self.below = below;
        differs
    }
}

/// A path as the table spells it.
fn escaped(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::new();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b' ' | b'\t' | b'\n' | b'\\' => {
                escaped.extend_from_slice(format!("\\{byte:03o}").as_bytes());
            }
            _ => escaped.push(byte),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_the_kernel_spells_them() {
        assert_eq!(
            escaped(Path::new("/a b/c\\d\té")),
            "/a\\040b/c\\134d\\011é".as_bytes()
        );
    }

    #[test]
    fn a_table_that_has_not_changed_says_so() {
        let mut mounts = Mounts::new(Path::new("/"));
        assert!(!mounts.below.is_empty());
        assert!(!mounts.have_changed(Path::new("/")) || !mounts.have_changed(Path::new("/")));
    }
}
