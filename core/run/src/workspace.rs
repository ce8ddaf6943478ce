//! Which folder an agent's daemon serves, and what is odd about serving it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More files than this take more memory and time than somebody expects.
pub const MANY_FILES: u32 = 200_000;

/// What stands against serving a folder.
#[derive(Debug, PartialEq, Eq)]
pub enum Objection {
    /// It cannot be followed: the real programs run.
    Never(String),
    /// It costs more than somebody expects.
    Costly(String),
}

/// The folder that the daemon serves for an agent in `cwd`: that of the repository around it, else `cwd` itself; its real
/// path.
///
/// # Errors
/// Where it is not there.
pub fn root_of(cwd: &Path) -> std::io::Result<PathBuf> {
    let cwd = cwd.canonicalize()?;
    let is_repository = |folder: &&Path| std::fs::symlink_metadata(folder.join(".git")).is_ok();
    let found = cwd.ancestors().find(is_repository).map(Path::to_owned);
    Ok(found.unwrap_or(cwd))
}

/// The real path of the folder that was named, or of the one that [`root_of`] the present folder gives.
///
/// # Errors
/// What is wrong with it.
pub fn named_or_present(named: Option<PathBuf>) -> Result<PathBuf, String> {
    let found = match &named {
        Some(root) => root.canonicalize(),
        None => std::env::current_dir().and_then(|cwd| root_of(&cwd)),
    };
    let what = named.map_or_else(
        || "the present folder".to_owned(),
        |root| format!("--root {}", root.display()),
    );
    match found {
        Ok(root) if root.is_dir() => Ok(root),
        Ok(_) => Err(format!("{what}: not a folder")),
        Err(error) => Err(format!("{what}: {error}")),
    }
}

/// What stands against serving the real path `root`.
pub fn objection(root: &Path) -> Option<Objection> {
    let shown = root.display();
    if !curserve_corpus::follows(root) {
        return Some(Objection::Never(format!(
            "{shown} lies on a file system that does not report what happens in it (a network's, or FUSE)"
        )));
    }
    let home = std::env::var_os("HOME").and_then(|home| Path::new(&home).canonicalize().ok());
    let costly = |what: String| Some(Objection::Costly(what));
    if root == Path::new("/") {
        return costly(
            "/ is the whole machine: all of its files would be read and held in memory".into(),
        );
    }
    if home.is_some_and(|home| home.starts_with(root)) {
        return costly(format!("{shown} is your home folder, or above it: all of its files would be read and held in memory"));
    }
    match tracked(root) {
        Some(files) if files > MANY_FILES => {
            let (seconds, megabytes) = (files / 10_000, files / 50);
            costly(format!("{shown} has {files} files: about {seconds} s to load and {megabytes} MB or more of memory"))
        }
        _ => None,
    }
}

/// How many files git's index says there are: the third number of its head.
fn tracked(root: &Path) -> Option<u32> {
    let mut head = [0; 12];
    File::open(root.join(".git/index"))
        .ok()?
        .read_exact(&mut head)
        .ok()?;
    let (mark, count) = (&head[..4], head[8..].try_into().ok()?);
    (mark == b"DIRC").then(|| u32::from_be_bytes(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_around_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        assert_eq!(root_of(&root.join("a/b")).unwrap(), root.join("a/b"));
        std::fs::create_dir(root.join(".git")).unwrap();
        assert_eq!(root_of(&root.join("a/b")).unwrap(), root);
        assert_eq!(objection(&root), None);
    }

    #[test]
    fn what_is_odd_is_said() {
        assert!(matches!(
            objection(Path::new("/proc")),
            Some(Objection::Never(_))
        ));
        assert!(matches!(
            objection(Path::new("/")),
            Some(Objection::Costly(_))
        ));
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        let head = [&b"DIRC"[..], &2u32.to_be_bytes(), &500_000u32.to_be_bytes()].concat();
        std::fs::write(folder.path().join(".git/index"), head).unwrap();
        let Some(Objection::Costly(why)) = objection(folder.path()) else {
            panic!("500,000 files are many");
        };
        assert!(why.contains("500000 files: about 50 s"), "{why}");
    }
}
