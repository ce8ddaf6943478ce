//! Which files are mirrored by name only: what version control leaves out, what may hold a secret, and what the user names.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use curserve_mirror::{RelPath, Withheld};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The name of the file in which users say what else is not mirrored; it reads as `.gitignore` does.
const OWN: &str = ".curserveignore";

/// Names of files that may hold a secret.
const SECRET: &str = "\
.env\n.env.*\n!.env.example\n!.env.sample\n!.env.template\n.envrc\n*.pem\n*.key\n*.p12\n*.pfx\n*.jks\n*.keystore\n*.kdbx\n\
id_rsa*\nid_dsa*\nid_ecdsa*\nid_ed25519*\n!*.pub\n.netrc\n_netrc\n.pgpass\n.git-credentials\n.npmrc\n.pypirc\n\
.htpasswd\ncredentials\ncredentials.json\nclient_secret*.json\n*.tfstate\n*.tfstate.*\n\
**/.ssh/**\n**/.gnupg/**\n**/.aws/**\n**/.azure/**\n**/.kube/**\n**/.docker/config.json\n";

/// Why a file is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// It belongs to the repository itself.
    Git,
    /// It may hold a secret.
    Secret,
    /// An ignore rule of version control.
    Ignored,
    /// The user's own list.
    Own,
}

impl Why {
    /// In words.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Why::Git => "in .git",
            Why::Secret => "may hold a secret",
            Why::Ignored => "ignored by git",
            Why::Own => "named in .curserveignore",
        }
    }
}

/// The rules of a workspace; cloned to whoever asks.
#[derive(Clone)]
pub struct Secrets(Arc<Mutex<Rules>>);

struct Rules {
    root: PathBuf,
    secret: Gitignore,
    /// Of each folder: its `.gitignore` and `.curserveignore`, where it has one.
    folders: HashMap<RelPath, [Option<Gitignore>; 2]>,
    exclude: Option<Gitignore>,
    /// What is known of folders: why all in one is withheld.
    known: HashMap<RelPath, Option<Why>>,
    counts: HashMap<RelPath, Why>,
}

impl Secrets {
    /// The rules of the workspace `root`.
    pub fn of(root: &Path) -> Self {
        let mut builder = GitignoreBuilder::new(root);
        for line in SECRET.lines() {
            // All of them parse: a test says so.
            let _ = builder.add_line(None, line);
        }
        Secrets(Arc::new(Mutex::new(Rules {
            root: root.to_path_buf(),
            secret: builder.build().unwrap_or_else(|_| Gitignore::empty()),
            folders: HashMap::new(),
            exclude: None,
            known: HashMap::new(),
            counts: HashMap::new(),
        })))
    }

    /// The question that a disk asks of each file.
    pub fn asked(&self) -> Withheld {
        let rules = Arc::clone(&self.0);
        Box::new(move |path| {
            let mut rules = rules.lock().unwrap_or_else(PoisonError::into_inner);
            let why = rules.why(path);
            match why {
                Some(why) => drop(rules.counts.insert(path.clone(), why)),
                None => drop(rules.counts.remove(path)),
            }
            why.is_some()
        })
    }

    /// Something has changed at `path`: where that holds rules, they are read again.
    pub(crate) fn changed(&self, path: &[u8]) {
        let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        if [&b".gitignore"[..], OWN.as_bytes(), b"exclude", b".git"].contains(&name) {
            self.forget();
        }
    }

    /// Reads all rules again when they are next asked for.
    pub(crate) fn forget(&self) {
        let mut rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rules.folders.clear();
        rules.exclude = None;
        rules.known.clear();
    }

    /// How many files are withheld, by reason, as far as they have been looked at.
    pub(crate) fn counts(&self) -> Vec<(Why, usize)> {
        let rules = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts = std::collections::BTreeMap::new();
        for why in rules.counts.values() {
            *counts.entry(*why).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}

impl Rules {
    fn why(&mut self, path: &RelPath) -> Option<Why> {
        if path.bytes() == b".git/info/exclude" || path.bytes() == b".git" {
            return None; // what is ignored depends on them
        }
        let parent = path.parent();
        let above = self.why_all_in(&parent);
        above.or_else(|| self.matched(path, false))
    }

    /// Why everything in the folder `path` is withheld.
    fn why_all_in(&mut self, path: &RelPath) -> Option<Why> {
        if path.is_root() {
            return None;
        }
        if let Some(known) = self.known.get(path) {
            return *known;
        }
        let is_git = path
            .names()
            .last()
            .is_some_and(|name| name.eq_ignore_ascii_case(b".git"));
        let own = is_git.then_some(Why::Git);
        let above = own.or_else(|| self.why_all_in(&path.parent()));
        let why = above.or_else(|| self.matched(path, true));
        self.known.insert(path.clone(), why);
        why
    }

    /// What the rules of the folders above say of `path` itself: the innermost that says something.
    fn matched(&mut self, path: &RelPath, is_folder: bool) -> Option<Why> {
        let real = self.root.join(OsStr::from_bytes(path.bytes()));
        if self.secret.matched(&real, is_folder).is_ignore() {
            return Some(Why::Secret);
        }
        let mut folders = vec![RelPath::root()];
        folders.extend(path.ancestors());
        let mut is_settled = [false; 2];
        for folder in folders.iter().rev() {
            let rules = self.rules_in(folder);
            let verdicts: Vec<_> = rules
                .iter()
                .map(|rules| rules.as_ref().map(|rules| rules.matched(&real, is_folder)))
                .collect();
            for (at, why) in [(1, Why::Own), (0, Why::Ignored)] {
                match &verdicts[at] {
                    Some(verdict) if !is_settled[at] && verdict.is_ignore() => return Some(why),
                    Some(verdict) => is_settled[at] |= verdict.is_whitelist(),
                    None => {}
                }
            }
        }
        if is_settled[0] {
            return None;
        }
        let root = self.root.clone();
        let exclude = self.exclude.get_or_insert_with(|| {
            let mut builder = GitignoreBuilder::new(&root);
            let _ = builder.add(root.join(".git/info/exclude"));
            builder.build().unwrap_or_else(|_| Gitignore::empty())
        });
        exclude
            .matched(&real, is_folder)
            .is_ignore()
            .then_some(Why::Ignored)
    }

    fn rules_in(&mut self, folder: &RelPath) -> &[Option<Gitignore>; 2] {
        let real = self.root.join(OsStr::from_bytes(folder.bytes()));
        self.folders.entry(folder.clone()).or_insert_with(|| {
            [".gitignore", OWN].map(|name| {
                let file = real.join(name);
                file.is_file().then(|| Gitignore::new(file).0)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_secret_or_ignored_is_withheld_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["src/gen", ".git/info", "build/out", "sub"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(root.join(".gitignore"), "build/\n*.log\n!keep.log\n").unwrap();
        fs::write(root.join("sub/.gitignore"), "!*.log\n").unwrap();
        fs::write(root.join(".git/info/exclude"), "own.txt\n").unwrap();
        fs::write(root.join(".curserveignore"), "/src/gen/\n").unwrap();
        let secrets = Secrets::of(root);
        let asked = secrets.asked();
        let is_withheld = |path: &str| asked(&RelPath::new(path.as_bytes()).unwrap());
        for path in [
            ".env",
            "sub/.env.local",
            "x.pem",
            "home/id_rsa",
            ".aws/config",
            ".git/config",
            ".git/HEAD",
            "sub/.git/x",
            "build/out/a",
            "a.log",
            "src/gen/deep/x.rs",
            "own.txt",
        ] {
            assert!(is_withheld(path), "{path}");
        }
        for path in [
            ".env.example",
            "id_rsa.pub",
            "src/main.rs",
            "keep.log",
            "sub/b.log",
            ".gitignore",
            ".git",
            ".git/info/exclude",
            ".curserveignore",
            "environment.py",
            "src/build.rs",
        ] {
            assert!(!is_withheld(path), "{path}");
        }
        fs::write(root.join(".gitignore"), "").unwrap();
        secrets.changed(b".gitignore");
        assert!(!is_withheld("a.log") && is_withheld("own.txt"));
        assert_eq!(
            secrets
                .counts()
                .iter()
                .map(|(_, count)| count)
                .sum::<usize>(),
            11
        );
    }

    #[test]
    fn every_line_of_the_list_parses() {
        let mut builder = GitignoreBuilder::new("/");
        for line in SECRET.lines() {
            builder.add_line(None, line).unwrap();
        }
    }
}
