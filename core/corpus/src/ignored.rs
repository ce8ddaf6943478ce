//! Which nodes ripgrep's ignore rules leave out, with the `ignore` crate's own matchers over contents in memory. The
//! rules are parsed once after a change of theirs; what they say of a node is kept with the node.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::Match;

use crate::meta::Kind;
use crate::repository::{exclude, Exclude};
use crate::state::{
    BrokenRule, Elsewhere, FolderRules, Memo, Node, Rules, Snapshot, State, Verdict, ROOT,
};

/// Names of what holds rules, or says where a repository begins.
pub(crate) const RULE_FILES: [&[u8]; 7] = [
    b".gitignore",
    b".ignore",
    b".rgignore",
    b"exclude",
    b"commondir",
    b".git",
    b".jj",
];

impl Clone for Memo {
    fn clone(&self) -> Self {
        Memo(AtomicU64::new(self.0.load(Ordering::Relaxed)))
    }
}

impl Memo {
    const VERDICTS: [Verdict; 3] = [Verdict::None, Verdict::Ignore, Verdict::Whitelist];

    fn get(&self, generation: u64) -> Option<(Verdict, Verdict)> {
        let kept = self.0.load(Ordering::Relaxed);
        let at = |shift: u32| Self::VERDICTS[(kept >> shift & 3) as usize];
        (kept >> 4 == generation).then(|| (at(0), at(2)))
    }

    fn set(&self, generation: u64, (all, without_vcs): (Verdict, Verdict)) {
        let kept = generation << 4 | (without_vcs as u64) << 2 | all as u64;
        self.0.store(kept, Ordering::Relaxed);
    }
}

impl Snapshot {
    /// What ignore rules say of `node` itself. `vcs`: with the rules of version control. None: some rules below the
    /// root cannot be read.
    pub fn verdict(&self, node: Node<'_>, vcs: bool) -> Option<Verdict> {
        let rules = self.rules();
        let folders = rules.folders.as_ref()?;
        if folders.is_empty() {
            return Some(Verdict::None);
        }
        let memo = &node.data().verdict;
        let (all, without_vcs) = memo.get(rules.generation).unwrap_or_else(|| {
            let found = verdicts(folders, node);
            memo.set(rules.generation, found);
            found
        });
        Some(if vcs { all } else { without_vcs })
    }

    /// Whether a rule file, or a repository, lies in a folder above the root, or a worktree's repository beyond it has
    /// rules: they count as well, and are not here. Asked of the file system now, since nothing there is watched. Below an
    /// alias there is nothing above.
    pub fn has_rules_above(&self) -> bool {
        let place = &self.state().place;
        if place.lens.is_some() {
            return self.is_below_rules();
        }
        let aliased = place.real.as_os_str().as_bytes() != place.at.as_slice();
        !aliased && self.is_below_rules()
    }

    /// Whether a worktree in the tree may take rules from a repository beyond it.
    fn has_rules_elsewhere(&self) -> bool {
        let rules = self.rules();
        let real = &self.state().place.real;
        let mut places = rules.elsewhere.iter();
        places.any(|place| place.has_rules(real, &rules.commons))
    }

    fn rules(&self) -> &Rules {
        let state = self.state();
        state.rules.get_or_init(|| Rules::of(state))
    }

    /// Whether all rules in the tree could be read, but for lines that do not parse.
    pub fn knows_rules(&self) -> bool {
        self.rules().folders.is_some()
    }

    /// The folders with rules that do not parse.
    pub fn broken_rules(&self) -> impl Iterator<Item = (Node<'_>, &[BrokenRule])> {
        let folders = self.rules().folders.iter().flatten();
        let broken = folders.filter(|(_, rules)| !rules.broken.is_empty());
        broken.map(|(&id, rules)| {
            let state = self.state();
            (Node { state, id }, rules.broken.as_slice())
        })
    }

    /// Whether there are any rules in the tree.
    pub fn has_rules(&self) -> bool {
        self.rules()
            .folders
            .as_ref()
            .is_none_or(|folders| !folders.is_empty())
    }

    /// The same, wherever the root is seen: of its place on this machine.
    pub fn is_below_rules(&self) -> bool {
        if let Some(lens) = &self.state().place.lens {
            // What lies beyond the root here is not what lies beyond it there.
            return lens.has_rules_above() || !self.rules().elsewhere.is_empty();
        }
        let names = [".git", ".jj", ".gitignore", ".ignore", ".rgignore"];
        let mut above = self.state().place.real.ancestors().skip(1);
        above.any(|above| names.iter().any(|name| above.join(name).exists()))
            || self.has_rules_elsewhere()
    }

    /// Whether there are rules that only `rg` itself knows, or may be.
    pub fn has_rgignore(&self) -> bool {
        let rules = self.rules();
        let mut folders = rules.folders.iter().flat_map(HashMap::values);
        rules.folders.is_none() || folders.any(|folder| !folder.rgignore.is_empty())
    }
}

impl Rules {
    /// Rules that cannot be known.
    pub(crate) fn unknown() -> Rules {
        Rules {
            folders: None,
            elsewhere: Vec::new(),
            commons: Vec::new(),
            generation: 0,
        }
    }

    fn of(state: &State) -> Rules {
        static GENERATION: AtomicU64 = AtomicU64::new(1);
        let mut found = Found::default();
        let done = found.gather(Node { state, id: ROOT });
        Rules {
            folders: done.map(|()| found.folders),
            elsewhere: found.elsewhere,
            commons: found.commons,
            generation: GENERATION.fetch_add(1, Ordering::Relaxed),
        }
    }
}

/// What a look through all folders has found.
#[derive(Default)]
struct Found {
    folders: HashMap<u32, FolderRules>,
    elsewhere: Vec<Elsewhere>,
    commons: Vec<PathBuf>,
}

impl Found {
    /// None: some rules cannot be known.
    fn gather(&mut self, folder: Node<'_>) -> Option<()> {
        if let Some(rules) = self.rules_in(folder)? {
            self.folders.insert(folder.id, rules);
        }
        if folder.child(b"commondir").is_some() {
            self.commons.push(seen(folder));
        }
        if let Ok(entries) = folder.entries() {
            for entry in entries {
                if entry.kind == Kind::Folder {
                    self.gather(entry.node)?;
                }
            }
        }
        Some(())
    }

    /// Some(None): the folder has no rules. None: they cannot be known.
    fn rules_in(&mut self, folder: Node<'_>) -> Option<Option<FolderRules>> {
        if folder.child(b".jj").is_some() {
            return None; // a repository of Jujutsu, whose rules are not followed here
        }
        let has_git = folder.child(b".git").is_some();
        let files = [&b".rgignore"[..], b".ignore", b".gitignore"].map(|name| folder.child(name));
        if !has_git && files.iter().all(Option::is_none) {
            return Some(None);
        }
        let exclude = match exclude(folder)? {
            Exclude::Nothing => None,
            Exclude::Here(file) => Some(file),
            Exclude::Elsewhere(place) => {
                self.elsewhere.push(place);
                None
            }
        };
        let path = seen(folder);
        let mut broken = Vec::new();
        let [rgignore, ignore, gitignore] = files;
        // In the order in which the real program complains of them.
        let rgignore = parse(rgignore, &path, ".rgignore", &mut broken)?;
        let ignore = parse(ignore, &path, ".ignore", &mut broken)?;
        let gitignore = parse(gitignore, &path, ".gitignore", &mut broken)?;
        let before = broken.len();
        let within = exclude.filter(|file| file.path().starts_with(&folder.path()));
        let exclude = parse(exclude, &path, ".git/info/exclude", &mut broken)?;
        if broken.len() > before && within.is_none() {
            return None; // of a worktree: how its file is named was not tried
        }
        Some(Some(FolderRules {
            rgignore,
            ignore,
            gitignore,
            exclude,
            has_git,
            broken,
        }))
    }
}

fn seen(node: Node<'_>) -> PathBuf {
    PathBuf::from(std::ffi::OsString::from_vec(node.path()))
}

/// The rules in `file`, which is `name` in its folder; None where they cannot be known.
fn parse(
    file: Option<Node<'_>>,
    folder: &Path,
    name: &'static str,
    broken: &mut Vec<BrokenRule>,
) -> Option<Gitignore> {
    let Some(file) = file else {
        return Some(Gitignore::empty());
    };
    if file.kind() != Kind::File {
        return None;
    }
    let mut builder = GitignoreBuilder::new(folder);
    let text = std::str::from_utf8(file.bytes().ok()?).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (at, line) in text.lines().enumerate() {
        if let Err(error) = builder.add_line(None, line) {
            broken.push(BrokenRule {
                file: name,
                said: format!("line {}: {error}", at + 1),
                vcs: name.contains("git") && name != ".rgignore",
            });
        }
    }
    builder.build().ok()
}

/// With all rules, and without those of version control.
fn verdicts(folders: &HashMap<u32, FolderRules>, node: Node<'_>) -> (Verdict, Verdict) {
    let above = std::iter::successors(node.parent(), Node::parent);
    let stack: Vec<&FolderRules> = above.filter_map(|folder| folders.get(&folder.id)).collect();
    if stack.is_empty() {
        return (Verdict::None, Verdict::None);
    }
    let path = OsStr::from_bytes(&node.path()).to_owned();
    let is_folder = node.kind() == Kind::Folder;
    let of = |vcs| verdict(&stack, Path::new(&path), is_folder, vcs);
    (of(true), of(false))
}

/// The precedence of the `ignore` crate's `Ignore::matched_ignore`: `.rgignore`, `.ignore`, `.gitignore`, exclude; of
/// each kind, the innermost folder that says something; nothing of version control above the innermost repository.
/// `stack`: from the innermost folder outwards.
fn verdict(stack: &[&FolderRules], path: &Path, is_folder: bool, vcs: bool) -> Verdict {
    let in_git = vcs && stack.iter().any(|rules| rules.has_git);
    let mut found: [Option<Verdict>; 4] = [None; 4];
    let mut saw_git = false;
    for rules in stack {
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
