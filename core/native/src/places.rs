//! Paths as commands see them, and where they are.
//!
//! In a mount namespace the two are the same. Without one, the workspace stays where it is, and the prefix at which
//! it was recorded is rewritten: in commands and paths on the way in, in output on the way back.

use std::path::{Path, PathBuf};

use memchr::memmem;

/// Where the workspace is, and where commands see it.
#[derive(Clone, Debug)]
pub struct Places {
    root: String,
    at: String,
    limit: PathBuf,
}

impl Places {
    /// The workspace `root`, seen at `at`.
    pub fn new(root: &Path, at: &str) -> Self {
        Places {
            root: root.to_string_lossy().into_owned(),
            at: match at.trim_end_matches('/') {
                "" => "/".to_owned(),
                at => at.to_owned(),
            },
            limit: PathBuf::from("/"),
        }
    }

    /// The same, for tools that may not leave the workspace, which is at its real path.
    pub fn confined(mut self) -> Self {
        self.limit = PathBuf::from(&self.root);
        self
    }

    /// Whether file tools may go anywhere.
    pub(crate) fn is_free(&self) -> bool {
        self.limit == Path::new("/")
    }

    /// The folder that file tools may not leave.
    pub(crate) fn limit(&self) -> &Path {
        &self.limit
    }

    /// Whether anything has to be rewritten.
    pub fn differ(&self) -> bool {
        self.root != self.at
    }

    /// Where the path that a command sees as `path`, in `cwd`, really is.
    pub fn real(&self, cwd: &str, path: &str) -> PathBuf {
        let seen = Path::new(cwd).join(path);
        match seen.strip_prefix(&self.at) {
            Ok(below) if self.differ() => Path::new(&self.root).join(below),
            _ => seen,
        }
    }

    /// `text` (a command, an argument) with the recorded prefix replaced by the real one.
    pub fn inward(&self, text: &str) -> String {
        if !self.differ() {
            return text.to_owned();
        }
        String::from_utf8(replace(text.as_bytes(), &self.at, &self.root))
            .expect("UTF-8 in, UTF-8 prefix, UTF-8 out")
    }

    /// Output with the real prefix replaced by the recorded one.
    pub fn outward(&self, output: Vec<u8>) -> Vec<u8> {
        if self.differ() {
            replace(&output, &self.root, &self.at)
        } else {
            output
        }
    }
}

/// Replace the path prefix `from` by `to`, where it stands as whole path components.
fn replace(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    let in_name = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') || byte >= 0x80
    };
    let mut result = Vec::with_capacity(text.len());
    let mut done = 0;
    for found in memmem::find_iter(text, from) {
        let end = found + from.len();
        let before = found
            .checked_sub(1)
            .is_some_and(|i| in_name(text[i]) || text[i] == b'/');
        // A dot ends a sentence as often as it goes on with a name: `/testbed.` is the prefix, `/testbed.py` not.
        let after = match text.get(end) {
            Some(b'.') => text.get(end + 1).is_some_and(|byte| in_name(*byte)),
            Some(byte) => in_name(*byte),
            None => false,
        };
        if found < done || before || after {
            continue;
        }
        result.extend_from_slice(&text[done..found]);
        result.extend_from_slice(to.as_bytes());
        done = end;
    }
    result.extend_from_slice(&text[done..]);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_components_are_rewritten() {
        let places = Places::new(Path::new("/tmp/w1"), "/testbed");
        assert_eq!(
            places.inward("cd /testbed && cat '/testbed/a' /testbed2 x/testbed"),
            "cd /tmp/w1 && cat '/tmp/w1/a' /testbed2 x/testbed"
        );
        assert_eq!(
            places.inward("/testbed-old /testbed.py in /testbed."),
            "/testbed-old /testbed.py in /tmp/w1."
        );
        assert_eq!(
            places.outward(b"/tmp/w1:3:/tmp/w1/x\n".to_vec()),
            b"/testbed:3:/testbed/x\n"
        );
        assert_eq!(places.real("/testbed/sub", "a"), Path::new("/tmp/w1/sub/a"));
        assert_eq!(places.real("/testbed", "/usr/x"), Path::new("/usr/x"));
    }
}
