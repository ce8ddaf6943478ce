//! `read`, `list` and `glob` from memory: what the file system would answer, without asking it.
//!
//! Only what is plainly there is answered so. A path through a link or a `..`, one that leads nowhere, a file or folder that
//! could not be taken in, or rules that are not known give no answer here, and the caller asks the file system, which also words
//! what is wrong.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use curserve_corpus::{Entry, Kind, Node, Snapshot, Verdict};
use curserve_native::files::{Found, Glob, List, Read};
use curserve_native::{Due, Places};
use curserve_proto::Answer;

/// After so many entries of a walk the clock is looked at.
const BETWEEN_LOOKS: usize = 1 << 10;

/// What became of a call here: its answer, or none.
type Given = Result<Option<Answer>, Answer>;

/// Lines of a file in memory; `most` bytes of answer.
///
/// # Errors
/// Out of time.
pub(crate) fn read(ask: &Read<'_>, snapshot: &Snapshot, cwd: &str, most: usize, due: Due) -> Given {
    let node = plain(snapshot, cwd, ask.path()).filter(|node| node.kind() == Kind::File);
    let Some(Ok(content)) = node.map(|node| node.bytes()) else {
        return Ok(None);
    };
    ask.answer(&content[..], content.len(), most, due).map(Some)
}

/// Names in a folder in memory.
///
/// # Errors
/// Out of time.
pub(crate) fn list(ask: &List<'_>, snapshot: &Snapshot, cwd: &str, due: Due) -> Given {
    let folder = plain(snapshot, cwd, ask.path());
    let Some(Ok(entries)) = folder.map(|folder| folder.entries_by_name()) else {
        return Ok(None);
    };
    let names = entries.map(|entry| (entry.name, entry.kind == Kind::Folder));
    List::answer(names, due).map(Some)
}

/// Files below a folder in memory.
///
/// # Errors
/// Out of time.
pub(crate) fn glob(
    ask: &Glob<'_>,
    snapshot: &Snapshot,
    places: &Places,
    cwd: &str,
    due: Due,
) -> Given {
    let folder = plain(snapshot, cwd, ask.path()).filter(|node| node.kind() == Kind::Folder);
    let Some(folder) = folder else {
        return Ok(None);
    };
    let mut way = std::iter::successors(Some(folder), Node::parent);
    if way.any(|folder| folder.name() == b".git") {
        return Ok(None); // rg is not asked to look in there, so that nothing is known of the rules
    }
    // Rules of a folder above count as well, and `.rgignore` is a matter of rg alone.
    if !ask.no_ignore() && (snapshot.is_below_rules() || snapshot.has_rgignore()) {
        return Ok(None);
    }
    let mut base = places.real(cwd, ask.path());
    base = base.components().collect(); // without `.`
    base.push(""); // with a slash at its end
    let mut walk = Walk {
        ask,
        snapshot,
        places,
        base: base.as_os_str().as_bytes(),
        due,
        seen: 0,
        found: Vec::new(),
    };
    let done = walk.enter(folder, &mut Vec::new())?;
    Ok(done.then(|| ask.answer(walk.found)))
}

struct Walk<'w> {
    ask: &'w Glob<'w>,
    snapshot: &'w Snapshot,
    places: &'w Places,
    /// Where the folder really is, to its slash.
    base: &'w [u8],
    due: Due,
    seen: usize,
    found: Vec<Found>,
}

impl Walk<'_> {
    /// Goes through `folder`, whose path below the first is `above`; false where something is not known.
    fn enter(&mut self, folder: Node<'_>, above: &mut Vec<u8>) -> Result<bool, Answer> {
        let Ok(entries) = folder.entries() else {
            return Ok(false);
        };
        let length = above.len();
        for Entry { name, kind, node } in entries {
            self.seen += 1;
            if self.seen.is_multiple_of(BETWEEN_LOOKS) {
                self.due.check()?;
            }
            let is_of_interest = match kind {
                Kind::File | Kind::Folder => name != b".git",
                Kind::Link | Kind::Other => false,
            };
            if !is_of_interest {
                continue;
            }
            above.extend_from_slice(name);
            // What the rules say of a file takes longer to learn than whether it is meant.
            let mut done = true;
            if kind == Kind::Folder {
                match self.passes(name, node) {
                    None => done = false,
                    Some(false) => {}
                    Some(true) => {
                        above.push(b'/');
                        done = self.enter(node, above)?;
                    }
                }
            } else if self.ask.matches(above) {
                match self.passes(name, node) {
                    None => done = false,
                    Some(false) => {}
                    Some(true) => {
                        let path = self.places.outward([self.base, above.as_slice()].concat());
                        self.found.push((node.meta().mtime, path));
                    }
                }
            }
            above.truncate(length);
            if !done {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The precedence of the `ignore` crate's `Ignore::matched`: ignore files, then hidden. None: the rules are not known.
    fn passes(&self, name: &[u8], node: Node<'_>) -> Option<bool> {
        if !self.ask.no_ignore() {
            match self.snapshot.verdict(node, true)? {
                Verdict::Ignore => return Some(false),
                Verdict::Whitelist => return Some(true),
                Verdict::None => {}
            }
        }
        Some(self.ask.hidden() || !name.starts_with(b"."))
    }
}

/// The node at `path`, seen in `cwd`, where it is what its path says letter by letter: no link on the way or at the end.
pub(crate) fn plain<'s>(snapshot: &'s Snapshot, cwd: &str, path: &str) -> Option<Node<'s>> {
    let seen = Path::new(cwd).join(path);
    if seen.components().any(|part| part == Component::ParentDir) {
        return None;
    }
    let node = snapshot.resolve(b"/", seen.as_os_str().as_bytes(), true);
    let node = node.ok()?;
    let named: PathBuf = seen.components().collect();
    (OsStr::from_bytes(&node.path()) == named.as_os_str()).then_some(node)
}
