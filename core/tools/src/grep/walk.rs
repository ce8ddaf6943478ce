//! The walk of `grep -r` and `-R`, in the order in which it was seen to go.

// Nodes are hashed and compared by their ids, which nothing changes.
#![allow(clippy::mutable_key_type)]

use curserve_corpus::{Chosen, Errno, IdMap, Kind, Node, Snapshot, Unreadable};

use curserve_index::{Query, Within};

use super::errors::refuse;
use super::globs::Globs;
use super::matcher::Pattern;
use super::options::Options;
use crate::{Reason, Refusal};

/// What the walk found to do, in order.
pub(super) enum Job<'s> {
    /// Search this file, known by this name.
    File(Chosen<'s>, Vec<u8>),
    /// Say that this name failed.
    Error(Vec<u8>, Reason),
    /// Say this, without failing.
    Warning(Vec<u8>, &'static str),
}

pub(super) struct Walk<'w, 's> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) options: &'w Options,
    pub(super) pattern: &'w Pattern,
    pub(super) excludes: &'w Globs,
    pub(super) exclude_dirs: &'w Globs,
    /// Names have no `./` in front.
    pub(super) bare: bool,
}

impl<'s> Walk<'_, 's> {
    pub(super) fn jobs(&self, folder: Node<'s>, operand: &[u8]) -> Result<Vec<Job<'s>>, Refusal> {
        let mut jobs = Vec::new();
        // However many slashes an operand ends with, one stands before the names below it.
        let mut prefix = operand.to_vec();
        while prefix.ends_with(b"/") {
            prefix.pop();
        }
        prefix.push(b'/');
        if self.bare {
            prefix.clear();
        }
        if !self.options.follow {
            // Where only matching files say something, only candidates need a look.
            let query = match self.options.speaks_of_all() {
                true => Query::All,
                false => Query::of(self.pattern.hir(), Within::Line),
            };
            // No pattern of grep's matches a newline.
            if let Some(files) = self.snapshot.files_below(folder, &query, Within::Line) {
                let mut names = Names {
                    walk: self,
                    folder,
                    prefix: &prefix,
                    folders: IdMap::default(),
                };
                return files
                    .into_iter()
                    .filter_map(|file| names.job(file).transpose())
                    .collect();
            }
        }
        self.descend(folder, &prefix, &mut vec![folder], &mut jobs)?;
        Ok(jobs)
    }

    fn descend(
        &self,
        folder: Node<'s>,
        prefix: &[u8],
        above: &mut Vec<Node<'s>>,
        jobs: &mut Vec<Job<'s>>,
    ) -> Result<(), Refusal> {
        let entries = match folder.entries_as_walked() {
            Ok(entries) => entries,
            Err(Unreadable::Errno(errno)) => {
                let name = prefix.strip_suffix(b"/").unwrap_or(prefix).to_vec();
                jobs.push(Job::Error(name, Reason(errno)));
                return Ok(());
            }
            Err(_) => {
                return Err(Refusal::NotInMemory(
                    "a folder that is not in memory".into(),
                ))
            }
        };
        for entry in entries {
            let name = entry.name;
            let full = || [prefix, name].concat();
            let target = match entry.kind {
                Kind::Link if !self.options.follow => continue,
                Kind::Link => match self.snapshot.resolve(&folder.path(), name, true) {
                    Ok(target) => target,
                    Err(Errno::NotFound) if self.excludes.leave_out_entry(name)? => continue,
                    Err(Errno::NotFound) => {
                        jobs.push(Job::Error(full(), Reason::NOT_FOUND));
                        continue;
                    }
                    Err(_) => return refuse("-R over a link that leads outside, or in circles"),
                },
                _ => entry.node,
            };
            match target.kind() {
                Kind::Folder if self.exclude_dirs.leave_out_entry(name)? => {}
                Kind::Folder if above.contains(&target) => {
                    jobs.push(Job::Warning(full(), "warning: recursive directory loop"));
                }
                Kind::Folder => {
                    let mut below = full();
                    below.push(b'/');
                    above.push(target);
                    self.descend(target, &below, above, jobs)?;
                    above.pop();
                }
                Kind::File if self.excludes.leave_out_entry(name)? => {}
                Kind::File => {
                    let file = Chosen {
                        node: target,
                        parts: None,
                    };
                    jobs.push(Job::File(file, full()));
                }
                Kind::Other if self.options.follow => return refuse("-R over a device or a FIFO"),
                Kind::Other | Kind::Link => {}
            }
        }
        Ok(())
    }
}

/// Names of files chosen by the index, and whether the walk would have come to them.
struct Names<'n, 's> {
    walk: &'n Walk<'n, 's>,
    folder: Node<'s>,
    prefix: &'n [u8],
    /// The prefix of names in each folder met; None where it is excluded.
    folders: IdMap<Node<'s>, Option<Vec<u8>>>,
}

impl<'s> Names<'_, 's> {
    fn job(&mut self, file: Chosen<'s>) -> Result<Option<Job<'s>>, Refusal> {
        let last = file.node.name();
        if self.walk.excludes.leave_out_entry(last)? {
            return Ok(None);
        }
        let Some(parent) = file.node.parent() else {
            return Ok(None);
        };
        Ok(self.prefix_of(parent)?.map(|prefix| {
            let name = [prefix, last].concat();
            Job::File(file, name)
        }))
    }

    fn prefix_of(&mut self, folder: Node<'s>) -> Result<Option<&[u8]>, Refusal> {
        if folder == self.folder {
            return Ok(Some(self.prefix));
        }
        if !self.folders.contains_key(&folder) {
            let name = folder.name();
            let prefix = match folder.parent() {
                Some(parent) if !self.walk.exclude_dirs.leave_out_entry(name)? => self
                    .prefix_of(parent)?
                    .map(|above| [above, name, b"/"].concat()),
                _ => None,
            };
            self.folders.insert(folder, prefix);
        }
        Ok(self.folders[&folder].as_deref())
    }
}
