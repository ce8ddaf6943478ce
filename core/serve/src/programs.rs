//! Which programs a caller's PATH finds, and which of them are not of the versions that are imitated here.
//!
//! They are asked once for each PATH, by a thread of its own, and again when one of its folders has changed.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use curserve_exec::versions;
use curserve_proto::Refusal;
use curserve_tools::imitated;

/// Programs and why they are not imitated.
type Unknown = Arc<BTreeMap<String, String>>;
/// A folder's device, inode and time of change.
type Stamp = Option<(u64, u64, i64, i64)>;

/// So many PATHs are remembered; an agent has one or two.
const MOST: usize = 64;

/// What is known of the programs along PATHs.
#[derive(Default)]
pub(crate) struct Programs {
    asked: Mutex<HashMap<String, Asked>>,
    /// Where what programs said is kept from one daemon to the next.
    cache: Option<PathBuf>,
}

#[derive(Clone)]
struct Asked {
    stamps: Vec<Stamp>,
    said: Arc<OnceLock<Unknown>>,
}

impl Programs {
    /// Programs whose answers are kept in the file `cache`.
    pub(crate) fn new(cache: Option<PathBuf>) -> Self {
        Programs {
            cache,
            ..Programs::default()
        }
    }

    /// Programs that are all known, for tests of the rest.
    #[cfg(test)]
    pub(crate) fn known() -> Self {
        let programs = Programs::default();
        let asked = Asked {
            stamps: Vec::new(),
            said: Arc::new(OnceLock::from(Unknown::default())),
        };
        programs.asked.lock().unwrap().insert(String::new(), asked);
        programs
    }

    /// The programs along `path` that are not known.
    ///
    /// # Errors
    /// While they are asked, and where a folder of the PATH depends on where one is.
    pub(crate) fn unknown(&self, path: &str) -> Result<Unknown, Refusal> {
        let folders: Vec<&str> = path.split(':').filter(|_| !path.is_empty()).collect();
        if folders.iter().any(|folder| !folder.starts_with('/')) {
            return Err(Refusal::new(
                "a folder of the caller's PATH that is not absolute",
            ));
        }
        let stamps: Vec<Stamp> = folders
            .iter()
            .map(|folder| stamp(Path::new(folder)))
            .collect();
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let said = match all.get(path) {
            Some(asked) if asked.stamps == stamps => Arc::clone(&asked.said),
            _ => {
                if all.len() >= MOST {
                    all.clear();
                }
                let said = Arc::default();
                let asked = Asked {
                    stamps,
                    said: Arc::clone(&said),
                };
                all.insert(path.to_owned(), asked);
                self.ask(&folders, Arc::clone(&said));
                said
            }
        };
        drop(all);
        said.get()
            .cloned()
            .ok_or_else(|| Refusal::Loading("the versions of the caller's programs".into()))
    }

    fn ask(&self, folders: &[&str], said: Arc<OnceLock<Unknown>>) {
        let folders: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
        let cache = self.cache.clone();
        // Without a thread the caller is refused for as long as its PATH stays, which is right, if slow.
        let _ = std::thread::Builder::new()
            .name("versions".into())
            .spawn(move || {
                let names = imitated::PROGRAMS.iter().map(|(program, _)| *program);
                let found = versions::ask(names, &folders, cache.as_deref());
                let why = |(program, said): (&str, Result<String, String>)| {
                    let why = said.map_or_else(Some, |said| imitated::another(program, &said));
                    why.map(|why| (program.to_owned(), why))
                };
                let _ = said.set(Arc::new(found.into_iter().filter_map(why).collect()));
            });
    }
}

fn stamp(folder: &Path) -> Stamp {
    let meta = std::fs::metadata(folder).ok()?;
    Some((meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, Instant};

    use super::*;

    fn settled(programs: &Programs, path: &str) -> Unknown {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match programs.unknown(path) {
                Ok(unknown) => return unknown,
                Err(_) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn another_program_that_comes_first_is_seen_when_it_comes() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().to_str().unwrap();
        let path = format!("{first}:/usr/bin:/bin");
        let programs = Programs::default();
        assert!(!settled(&programs, &path).contains_key("grep"));
        let other = folder.path().join("grep");
        std::fs::write(&other, "#!/bin/sh\necho another 1.0\n").unwrap();
        std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(settled(&programs, &path).contains_key("grep"));
        assert!(programs.unknown("bin:/usr/bin").is_err());
    }
}
