//! What a daemon on a copy changes: nothing by itself. Edits are worked out in memory, on what the call saw, and handed to
//! whoever keeps the copy; what is not plainly an edit of one regular file is refused, and done where the original lies.

use std::fmt;
use std::sync::Arc;

use curserve_corpus::{Kind, Lens, Node, Snapshot};
use curserve_proto::{Answer, Call, Refusal};
use curserve_shell::{How, Write};

use crate::native::plain;

/// Keeps a copy, and takes its edits.
pub trait Keeper: Lens {
    /// The file `path` (below the root) is to hold `new`. `old`: what the edit was made on; None: nothing was there.
    ///
    /// # Errors
    /// Why it was not done; then nothing has changed.
    fn put(&self, path: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), String>;
}

/// A copy, by its keeper.
pub(crate) struct Copied(pub(crate) Arc<dyn Keeper>);

impl fmt::Debug for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Copied {
    /// Replaces a string in a file, as `edit` does where all is plain.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn edit(
        &self,
        call: &Call,
        snapshot: &Snapshot,
        cwd: &str,
    ) -> Result<Answer, Answer> {
        let (Some(path), Some(old)) = (call.text("path"), call.text("old")) else {
            return home("edit: its arguments");
        };
        let new = match call.arguments.get("new") {
            None => "",
            Some(new) => match new.as_str() {
                Some(new) => new,
                None => return home("edit: its arguments"),
            },
        };
        let all = call
            .arguments
            .get("all")
            .is_some_and(|all| *all == serde_json::Value::Bool(true));
        let Some(node) = file(snapshot, cwd, path) else {
            return home("edit: no plain file");
        };
        let Ok(before) = node.bytes() else {
            return home("edit: a file that is not in the copy");
        };
        let finder = memchr::memmem::Finder::new(old);
        let places: Vec<usize> = match old {
            "" => return home("edit: a new file"),
            _ => finder.find_iter(before).collect(),
        };
        if places.is_empty() || places.len() > 1 && !all {
            return home("edit: what is wrong with it");
        }
        let mut after = Vec::with_capacity(before.len() + new.len());
        let mut done = 0;
        for at in places {
            after.extend_from_slice(&before[done..at]);
            after.extend_from_slice(new.as_bytes());
            done = at + old.len();
        }
        after.extend_from_slice(&before[done..]);
        self.put(&node.relative(), Some(before), &after)?;
        Ok(Answer::done(0, "", ""))
    }

    /// Gives a file another content, as `write` does where it is there.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn write(
        &self,
        call: &Call,
        snapshot: &Snapshot,
        cwd: &str,
    ) -> Result<Answer, Answer> {
        let (Some(path), Some(content)) = (call.text("path"), call.text("content")) else {
            return home("write: its arguments");
        };
        let Some(node) = file(snapshot, cwd, path) else {
            return home("write: a new file, or no plain one");
        };
        let Ok(before) = node.bytes() else {
            return home("write: a file that is not in the copy");
        };
        self.put(&node.relative(), Some(before), content.as_bytes())?;
        Ok(Answer::done(0, "", ""))
    }

    /// Does the write that a line planned.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn apply(&self, writes: &[Write], snapshot: &Snapshot) -> Result<(), Answer> {
        let [write] = writes else {
            return home("more than one file written");
        };
        let node = snapshot.resolve(b"/", &write.path, false);
        let node = node.ok().filter(|node| node.kind() == Kind::File);
        match (node, write.how) {
            (Some(node), How::Replace(_) | How::Truncate | How::Append) => {
                let Ok(before) = node.bytes() else {
                    return home("a write to a file that is not in the copy");
                };
                let after = match write.how {
                    How::Append => [&before[..], &write.bytes].concat(),
                    _ => write.bytes.clone(),
                };
                self.put(&node.relative(), Some(before), &after)
            }
            _ => home("a new file"),
        }
    }

    fn put(&self, path: &[u8], old: Option<&[u8]>, new: &[u8]) -> Result<(), Answer> {
        if old == Some(new) {
            // It has another time afterwards, which only the original's file system knows.
            return home("a write of what is there already");
        }
        let put = self.0.put(path, old, new);
        put.map_err(|why| Answer::refused(Refusal::Undefined(why)))
    }
}

/// The regular file at `path`, where nothing on the way is a link.
fn file<'s>(snapshot: &'s Snapshot, cwd: &str, path: &str) -> Option<Node<'s>> {
    plain(snapshot, cwd, path).filter(|node| node.kind() == Kind::File)
}

fn home<T>(why: &str) -> Result<T, Answer> {
    Err(Answer::refused(Refusal::Undefined(why.to_owned())))
}
