//! Where a repository keeps its `info/exclude`: below `.git`, or, where that is a file (of a worktree, of a submodule), below
//! what the file names. The way there is that of the `ignore` crate: of a submodule, it finds nothing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use crate::meta::Kind;
use crate::state::{Elsewhere, Node};

/// The rules of a repository that lie in no folder of its own.
#[derive(Debug)]
pub(crate) enum Exclude<'s> {
    /// There are none.
    Nothing,
    /// This file.
    Here(Node<'s>),
    /// They lie where only the file system knows.
    Elsewhere(Elsewhere),
}

/// The exclude rules of the repository that begins in `folder`; None where they cannot be known.
pub(crate) fn exclude(folder: Node<'_>) -> Option<Exclude<'_>> {
    let Some(git) = folder.child(b".git") else {
        return Some(Exclude::Nothing);
    };
    match git.kind() {
        Kind::Folder => of_git_folder(git),
        Kind::File => {
            let Some(named) = first_line(git)?.and_then(|line| line.strip_prefix("gitdir: "))
            else {
                return Some(Exclude::Nothing);
            };
            of_worktree(folder, Path::new(named))
        }
        Kind::Link | Kind::Other => None,
    }
}

fn of_git_folder(git: Node<'_>) -> Option<Exclude<'_>> {
    let Some(info) = git.child(b"info") else {
        return Some(Exclude::Nothing);
    };
    match (info.kind(), info.child(b"exclude")) {
        (Kind::Folder, Some(exclude)) => Some(Exclude::Here(exclude)),
        (Kind::Folder | Kind::File, _) => Some(Exclude::Nothing),
        (Kind::Link | Kind::Other, _) => None,
    }
}

/// `named`: the folder that the file `.git` in `folder` names.
fn of_worktree<'s>(folder: Node<'s>, named: &Path) -> Option<Exclude<'s>> {
    if named.is_relative() {
        let tail: PathBuf = named
            .components()
            .skip_while(|part| matches!(part, Component::CurDir | Component::ParentDir))
            .collect();
        let plain = |part| matches!(part, Component::Normal(_));
        let known = tail.components().next().is_some() && tail.components().all(plain);
        return known.then_some(Exclude::Elsewhere(Elsewhere::Relative(tail)));
    }
    let root = std::iter::successors(Some(folder), Node::parent).last()?;
    let Some(git) = below(root, named)? else {
        return match is_below(root, named) {
            true => Some(Exclude::Nothing),
            false => Some(Exclude::Elsewhere(Elsewhere::Folder(named.into()))),
        };
    };
    let Some(common) = git.child(b"commondir") else {
        return Some(Exclude::Nothing);
    };
    if common.kind() != Kind::File {
        return None;
    }
    let Some(line) = first_line(common)? else {
        return Some(Exclude::Nothing);
    };
    let common = match line.starts_with('.') {
        true => named.join(line),
        false => PathBuf::from(line),
    };
    match below(root, &common)? {
        _ if common.is_relative() => None,
        Some(git) => of_git_folder(git),
        None if is_below(root, &common) => Some(Exclude::Nothing),
        None => None,
    }
}

fn is_below(root: Node<'_>, path: &Path) -> bool {
    path.starts_with(OsStr::from_bytes(&root.path()))
}

/// The folder of that path; Some(None) where there is none below `root`, None where a link or `..` leads who knows where.
fn below<'s>(root: Node<'s>, path: &Path) -> Option<Option<Node<'s>>> {
    let Ok(rest) = path.strip_prefix(OsStr::from_bytes(&root.path())) else {
        return Some(None);
    };
    let mut at = root;
    for part in rest.components() {
        at = match part {
            Component::CurDir => at,
            Component::ParentDir => at.parent()?,
            Component::Normal(name) => match at.child(name.as_bytes()) {
                Some(child) if child.kind() == Kind::Folder => child,
                Some(child) if child.kind() == Kind::File => return Some(None),
                Some(_) => return None,
                None => return Some(None),
            },
            Component::RootDir | Component::Prefix(_) => return None,
        };
    }
    Some(Some(at))
}

/// The first line of a file; Some(None) where it has none, None where it cannot be read as text.
fn first_line<'s>(file: Node<'s>) -> Option<Option<&'s str>> {
    let bytes: &'s [u8] = file.bytes().ok()?;
    let Some(line) = bytes
        .split(|&b| b == b'\n')
        .next()
        .filter(|_| !bytes.is_empty())
    else {
        return Some(None);
    };
    let line = std::str::from_utf8(line).ok()?;
    Some(Some(line.strip_suffix('\r').unwrap_or(line)))
}

impl Elsewhere {
    /// Whether rules lie there now, or may: nothing watches that place. `root`: the root's own path; `commons`: the folders
    /// below it that hold a file `commondir`.
    pub(crate) fn has_rules(&self, root: &Path, commons: &[PathBuf]) -> bool {
        match self {
            Elsewhere::Folder(git) => has_exclude(git),
            Elsewhere::Relative(tail) => {
                let found = |above: &Path| above.join(tail).join("commondir").exists();
                commons.iter().any(|common| common.ends_with(tail)) || root.ancestors().any(found)
            }
        }
    }
}

/// Whether the repository of a worktree, whose own folder is `git`, has rules.
fn has_exclude(git: &Path) -> bool {
    let Ok(common) = std::fs::read_to_string(git.join("commondir")) else {
        return git.join("commondir").exists();
    };
    let Some(line) = common.lines().next() else {
        return false;
    };
    let exclude = git.join(line).join("info/exclude");
    match std::fs::read_to_string(&exclude) {
        Ok(rules) => rules
            .lines()
            .any(|rule| !rule.trim().is_empty() && !rule.starts_with('#')),
        Err(_) => exclude.exists(),
    }
}
