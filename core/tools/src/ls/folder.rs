//! What is in a folder, and with `-R` in those below it.

use curserve_corpus::{Kind, Node};

use super::entry::{sort, Entry};
use super::flags::{Flags, Sort};
use super::rows::{list, space, Widths};
use crate::{Call, Refusal};

/// How deep `-R` goes, for the stack.
const DEEPEST: usize = 500;

/// Folders listed one after another.
pub struct Folders<'l, 'a> {
    /// The call, for its output.
    pub call: &'l mut Call<'a>,
    /// What is asked for.
    pub flags: &'l Flags,
    /// A line with its name comes before each folder.
    pub headers: bool,
    /// Nothing has been printed yet that an empty line would have to part from what follows.
    pub first: bool,
    /// The names in one folder.
    pub listed: Vec<u8>,
}

impl<'a> Folders<'_, 'a> {
    /// Lists the folder `node`, shown as `name`, and with `-R` what is below it.
    ///
    /// # Errors
    /// Where a folder is not in memory, or a name does not print.
    pub fn list(&mut self, name: &[u8], node: Node<'a>) -> Result<(), Refusal> {
        self.list_at(0, name, node)
    }

    fn list_at(&mut self, depth: usize, name: &[u8], node: Node<'a>) -> Result<(), Refusal> {
        if self.call.out.full() {
            return Ok(());
        }
        if depth > DEEPEST {
            return Err(Refusal::new("folders nested beyond 500"));
        }
        if self.flags.names_alone() {
            return self.names_at(depth, name, node);
        }
        let mut entries = entries(self.call, node, self.flags)?;
        sort(&mut entries, self.flags, |e| e);
        self.head(name, &entries);
        let widths = Widths::of(self.call, entries.iter(), self.flags)?;
        list(self.call, &entries, &widths, self.flags);
        if !self.flags.recursive {
            return Ok(());
        }
        for e in entries.iter().filter(|e| e.is_folder()) {
            if e.name == b"." || e.name == b".." {
                continue;
            }
            let Some(child) = node.child(&e.name) else {
                continue;
            };
            self.list_at(depth + 1, &below(name, &e.name), child)?;
        }
        Ok(())
    }

    /// The same where a listing is names in their order: no entry is looked at.
    fn names_at(&mut self, depth: usize, name: &[u8], node: Node<'a>) -> Result<(), Refusal> {
        let children = node
            .entries_by_name()
            .map_err(|_| Refusal::NotInMemory("a folder not in memory".into()))?;
        let mut folders = Vec::new();
        self.head(name, &[]);
        self.listed.clear();
        for child in children {
            if is_left_out(child.name, self.flags)? {
                continue;
            }
            self.listed.extend_from_slice(child.name);
            self.listed.push(b'\n');
            if self.flags.recursive && child.kind == Kind::Folder {
                folders.push(child);
            }
        }
        self.call.out.write(&self.listed);
        for child in folders {
            self.list_at(depth + 1, &below(name, child.name), child.node)?;
        }
        Ok(())
    }

    /// What comes before the entries: the folder's name, and the space that they take.
    fn head(&mut self, name: &[u8], entries: &[Entry]) {
        if self.headers {
            if !self.first {
                self.call.out.write(b"\n");
            }
            self.call.out.write(name);
            self.call.out.write(b":\n");
        }
        self.first = false;
        if self.flags.long || self.flags.blocks {
            let blocks = entries.iter().map(|e| e.meta.blocks).sum();
            let total = format!("total {}\n", space(blocks, self.flags));
            self.call.out.write(total.as_bytes());
        }
    }
}

/// The name of what lies in a folder of this name. Seen: all slashes behind the folder's become one.
fn below(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let end = folder.iter().rposition(|&byte| byte != b'/');
    [&folder[..end.map_or(0, |end| end + 1)], b"/", name].concat()
}

/// The entries of the folder `node` that are to be listed, in the folder's order.
fn entries<'a>(call: &Call<'a>, node: Node<'a>, flags: &Flags) -> Result<Vec<Entry<'a>>, Refusal> {
    let children = node
        .entries()
        .map_err(|_| Refusal::NotInMemory("a folder not in memory".into()))?;
    let mut entries = Vec::new();
    if flags.all {
        if !is_left_out(b".", flags)? {
            entries.push(Entry::dots(b".", *node.meta()));
        }
        let parent = match node.parent() {
            Some(parent) => *parent.meta(),
            None if !flags.long && !flags.blocks && !flags.inode && flags.sort == Sort::Name => {
                *node.meta()
            }
            None => call
                .snapshot
                .parent_meta()
                .ok_or_else(|| Refusal::new("what lies above the root"))?,
        };
        if !is_left_out(b"..", flags)? {
            entries.push(Entry::dots(b"..", parent));
        }
    }
    for child in children {
        if is_left_out(child.name, flags)? {
            continue;
        }
        let shown = if flags.follow && child.kind == Kind::Link {
            let followed = call.snapshot.resolve(call.cwd, &child.node.path(), true);
            followed.map_err(|_| Refusal::new("a link that -L cannot follow"))?
        } else {
            child.node
        };
        entries.push(Entry::new(call, shown, child.name.to_vec(), flags)?);
    }
    if flags.sort == Sort::None && flags.all {
        return Err(Refusal::new(
            "where . and .. come in the file system's order",
        ));
    }
    Ok(entries)
}

/// Whether the flags keep this name out of a listing.
fn is_left_out(name: &[u8], flags: &Flags) -> Result<bool, Refusal> {
    let hidden = name.starts_with(b".") && !flags.all && !flags.almost;
    if hidden || flags.backups && name.ends_with(b"~") {
        return Ok(true);
    }
    let hide = if flags.all || flags.almost {
        &[][..]
    } else {
        &flags.hide
    };
    for pattern in flags.ignore.iter().chain(hide) {
        if pattern.matches(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}
