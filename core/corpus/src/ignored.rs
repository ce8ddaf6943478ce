//! Which nodes ripgrep's ignore rules leave out: computed once per shape of the tree, with the `ignore` crate's own
//! matchers over contents in memory.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::Match;

use crate::node::Node;
use crate::snapshot::{Place, Snapshot, State};
use crate::tree::ROOT;
use crate::Kind;

/// What the ignore files say of one node by itself, its parents aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// No rule matches.
    #[default]
    None,
    /// A rule says to leave it out.
    Ignore,
    /// A rule says to keep it, even if it is hidden.
    Whitelist,
}

/// Verdicts for all nodes, by id; None where rules outside the root, or rules that do not parse, might matter.
#[derive(Debug, Default)]
pub(crate) struct Ignored {
    /// With all rules, and without those of version control.
    verdicts: Option<Vec<(Verdict, Verdict)>>,
}

/// Names of files that hold rules.
pub(crate) const RULE_FILES: [&[u8]; 4] = [b".gitignore", b".ignore", b".rgignore", b"exclude"];

impl Snapshot {
    /// What ignore rules say of `node` itself. `vcs`: with the rules of version control. None: it cannot be known here.
    pub fn verdict(&self, node: Node<'_>, vcs: bool) -> Option<Verdict> {
        let ignored = self
            .state()
            .ignored
            .get_or_init(|| Ignored::of(self.state()));
        let (all, without_vcs) = ignored.verdicts.as_ref()?[node.id as usize];
        Some(if vcs { all } else { without_vcs })
    }
}

/// The rules of one folder.
struct Rules {
    rgignore: Gitignore,
    ignore: Gitignore,
    gitignore: Gitignore,
    exclude: Gitignore,
    has_git: bool,
}

impl Ignored {
    fn of(state: &State) -> Ignored {
        if has_rules_above(&state.place) {
            return Ignored::default();
        }
        let mut verdicts = vec![(Verdict::None, Verdict::None); state.tree.bound()];
        let mut stack = Vec::new();
        let path = PathBuf::from(OsStr::from_bytes(&state.place.at));
        let done = descend(Node { state, id: ROOT }, &path, &mut stack, &mut verdicts);
        Ignored {
            verdicts: done.map(|()| verdicts),
        }
    }
}

/// A rule file, or a repository, in a folder above the root would count. Below an alias there is nothing above.
fn has_rules_above(place: &Place) -> bool {
    let aliased = place.real.as_os_str().as_bytes() != place.at.as_slice();
    let names = [".git", ".gitignore", ".ignore", ".rgignore"];
    !aliased
        && place
            .real
            .ancestors()
            .skip(1)
            .any(|above| names.iter().any(|name| above.join(name).exists()))
}

fn descend(
    folder: Node<'_>,
    path: &Path,
    stack: &mut Vec<Option<Rules>>,
    verdicts: &mut [(Verdict, Verdict)],
) -> Option<()> {
    stack.push(rules(folder, path)?);
    let any_rules = stack.iter().any(Option::is_some);
    if let Ok(entries) = folder.entries() {
        for (name, child) in entries {
            let is_folder = child.kind() == Kind::Folder;
            if !is_folder && !any_rules {
                continue;
            }
            let below = path.join(OsStr::from_bytes(name));
            if any_rules {
                verdicts[child.id as usize] = (
                    verdict(stack, &below, is_folder, true),
                    verdict(stack, &below, is_folder, false),
                );
            }
            if is_folder {
                descend(child, &below, stack, verdicts)?;
            }
        }
    }
    stack.pop();
    Some(())
}

/// Some(None): the folder has no rules. None: they do not parse.
fn rules(folder: Node<'_>, path: &Path) -> Option<Option<Rules>> {
    let git = folder.child(b".git");
    let exclude = git
        .and_then(|git| git.child(b"info"))
        .and_then(|info| info.child(b"exclude"));
    let files = [
        folder.child(b".rgignore"),
        folder.child(b".ignore"),
        folder.child(b".gitignore"),
        exclude,
    ];
    if git.is_none() && files.iter().all(Option::is_none) {
        return Some(None);
    }
    if git.is_some_and(|git| git.kind() != Kind::Folder) {
        // A worktree: its exclude file lies elsewhere.
        return None;
    }
    let [rgignore, ignore, gitignore, exclude] = files;
    Some(Some(Rules {
        rgignore: parse(rgignore, path)?,
        ignore: parse(ignore, path)?,
        gitignore: parse(gitignore, path)?,
        exclude: parse(exclude, path)?,
        has_git: git.is_some(),
    }))
}

fn parse(file: Option<Node<'_>>, folder: &Path) -> Option<Gitignore> {
    let Some(file) = file else {
        return Some(Gitignore::empty());
    };
    if file.kind() != Kind::File {
        return None;
    }
    let mut builder = GitignoreBuilder::new(folder);
    let text = std::str::from_utf8(file.bytes().ok()?).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for line in text.lines() {
        builder.add_line(None, line).ok()?;
    }
    builder.build().ok()
}

/// The precedence of the `ignore` crate's `Ignore::matched_ignore`: `.rgignore`, `.ignore`, `.gitignore`, exclude; of
/// each kind, the innermost folder that says something; nothing of version control above the innermost repository.
fn verdict(stack: &[Option<Rules>], path: &Path, is_folder: bool, vcs: bool) -> Verdict {
    let in_git = vcs && stack.iter().flatten().any(|rules| rules.has_git);
    let mut found: [Option<Verdict>; 4] = [None; 4];
    let mut saw_git = false;
    for rules in stack.iter().rev().flatten() {
        let matchers = [
            &rules.rgignore,
            &rules.ignore,
            &rules.gitignore,
            &rules.exclude,
        ];
        for (slot, matcher) in
            found
                .iter_mut()
                .zip(matchers)
                .take(if in_git && !saw_git { 4 } else { 2 })
        {
            if slot.is_none() && !matcher.is_empty() {
                *slot = match matcher.matched(path, is_folder) {
                    Match::None => None,
                    Match::Ignore(_) => Some(Verdict::Ignore),
                    Match::Whitelist(_) => Some(Verdict::Whitelist),
                };
            }
        }
        saw_git |= rules.has_git;
    }
    found.into_iter().flatten().next().unwrap_or_default()
}
