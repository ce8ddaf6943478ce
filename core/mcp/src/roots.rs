//! The folders that are served, and which of them a path lies in.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use curserve_run::workspace::{self, Objection};
use percent_encoding::percent_decode_str;

use crate::daemon::Daemon;
use crate::ended::Ended;
use crate::options::Place;

/// One folder that is served.
pub struct Folder {
    /// Where the daemon's callers see it.
    pub at: String,
    /// The path by which it was named, where that is another one.
    alias: Option<PathBuf>,
    /// Who answers.
    pub daemon: Arc<Daemon>,
}

/// The folders that one client may ask about; at least one.
pub struct Folders(Vec<Folder>);

/// The folders of all clients.
pub struct Roots {
    /// What the command line named: all that is served then.
    fixed: Option<Arc<Folders>>,
    is_agreed: bool,
    /// By real path: a daemon's connections are for all clients.
    daemons: Mutex<HashMap<PathBuf, Arc<Daemon>>>,
}

impl Folders {
    /// The folder in which `path` lies, and the path as its daemon knows it. No path is the first folder, and a relative one
    /// lies in there.
    ///
    /// # Errors
    /// Where it lies in none.
    pub fn find(&self, path: Option<&str>) -> Result<(&Folder, Option<String>), String> {
        let first = &self.0[0];
        let Some(path) = path else {
            return Ok((first, None));
        };
        if !path.starts_with('/') {
            return Ok((first, Some(path.to_owned())));
        }
        let plain = without_dots(Path::new(path));
        let below = |folder: &Folder| {
            let names = [Some(Path::new(&folder.at)), folder.alias.as_deref()];
            let name = names
                .into_iter()
                .flatten()
                .find(|name| plain.starts_with(name))?;
            Some(plain.strip_prefix(name).ok()?.to_owned())
        };
        let found = self
            .0
            .iter()
            .filter_map(|folder| Some((folder, below(folder)?)));
        // Of a root within another one, the inner.
        let nearest = found.min_by_key(|(_, below)| below.components().count());
        let Some((folder, below)) = nearest else {
            return Err(format!("{path} is outside of the served {}", self.shown()));
        };
        let known = match path == folder.at || path.starts_with(&format!("{}/", folder.at)) {
            true => path.to_owned(), // as it was asked for, which is how it is printed
            false if below.as_os_str().is_empty() => folder.at.clone(), // to join nothing would leave a slash
            false => Path::new(&folder.at)
                .join(below)
                .to_string_lossy()
                .into_owned(),
        };
        Ok((folder, Some(known)))
    }

    /// The folders, for people.
    pub fn shown(&self) -> String {
        let all: Vec<&str> = self.0.iter().map(|folder| folder.at.as_str()).collect();
        let what = if all.len() == 1 { "folder" } else { "folders" };
        format!("{what} {}", all.join(", "))
    }
}

impl Roots {
    /// What `place` says is served. A daemon that is named is found, or started, at once.
    ///
    /// # Errors
    /// Where that is not possible, or not wanted.
    pub async fn open(place: &Place, is_agreed: bool) -> Result<Roots, Ended> {
        let mut roots = Roots {
            fixed: None,
            is_agreed,
            daemons: Mutex::default(),
        };
        let folder = match place {
            Place::Clients => return Ok(roots),
            Place::Root(named) => {
                let folder = roots.folder(named).map_err(|why| (2, why))?;
                folder.daemon.place().await.map_err(|why| (3, why))?;
                folder
            }
            Place::Session(socket) => {
                let daemon = Arc::new(Daemon::of_session(socket.clone()));
                let at = daemon.place().await.map_err(|why| (3, why))?;
                let alias = None;
                Folder { at, alias, daemon }
            }
        };
        roots.fixed = Some(Arc::new(Folders(vec![folder])));
        Ok(roots)
    }

    /// What the command line named.
    pub fn fixed(&self) -> Option<&Arc<Folders>> {
        self.fixed.as_ref()
    }

    /// The folders that a client names, by their addresses; where it names none, that of the repository around us.
    ///
    /// # Errors
    /// Why none of them is served.
    pub fn of(&self, addresses: &[String]) -> Result<Folders, String> {
        if addresses.is_empty() {
            let root = workspace::named_or_present(None)?;
            return Ok(Folders(vec![self.folder(&root)?]));
        }
        let (mut folders, mut objections) = (Vec::new(), Vec::new());
        for address in addresses {
            let path = path_of(address)
                .ok_or_else(|| format!("the root {address} is no folder of this machine"));
            match path.and_then(|path| self.folder(&path)) {
                Ok(folder) => folders.push(folder),
                Err(why) => objections.push(why),
            }
        }
        match folders.is_empty() {
            true => Err(objections.join("; ")),
            false => Ok(Folders(folders)),
        }
    }

    /// The folder named `named`, if it may be served.
    fn folder(&self, named: &Path) -> Result<Folder, String> {
        let root = workspace::named_or_present(Some(named.to_owned()))?;
        match workspace::objection(&root) {
            None => {}
            Some(Objection::Costly(_)) if self.is_agreed => {}
            Some(Objection::Costly(why)) => return Err(format!("{why}; --yes serves it")),
            Some(Objection::Never(why)) => return Err(format!("{why}; it cannot be served")),
        }
        let at = root
            .to_str()
            .ok_or_else(|| format!("{}: its name is not UTF-8", root.display()))?;
        let mut daemons = self.daemons.lock().unwrap_or_else(PoisonError::into_inner);
        let daemon = daemons
            .entry(root.clone())
            .or_insert_with(|| Arc::new(Daemon::of_root(root.clone())));
        let alias = std::path::absolute(named)
            .ok()
            .filter(|alias| *alias != root);
        Ok(Folder {
            at: at.to_owned(),
            alias,
            daemon: Arc::clone(daemon),
        })
    }
}

/// The path that a `file:` address names.
fn path_of(address: &str) -> Option<PathBuf> {
    let rest = address.strip_prefix("file://")?;
    let path = &rest[rest.find('/')?..];
    let host = &rest[..rest.len() - path.len()];
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    (host.is_empty() || host == "localhost").then(|| PathBuf::from(OsStr::from_bytes(&bytes)))
}

/// An absolute path without `.` and `..`, as it is written.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(all: &[(&str, Option<&str>)]) -> Folders {
        let folder = |&(at, alias): &(&str, Option<&str>)| Folder {
            at: at.into(),
            alias: alias.map(PathBuf::from),
            daemon: Arc::new(Daemon::of_root(at.into())),
        };
        Folders(all.iter().map(folder).collect())
    }

    #[test]
    fn a_path_lies_in_the_innermost_root() {
        let all = folders(&[("/repo", Some("/link")), ("/repo/inner", None)]);
        for (path, at, known) in [
            ("/repo", "/repo", "/repo"),
            ("/repo/a/./b", "/repo", "/repo/a/./b"),
            ("/repo/inner/x", "/repo/inner", "/repo/inner/x"),
            ("/repo/a/../inner", "/repo/inner", "/repo/inner"),
            ("/link/a", "/repo", "/repo/a"),
            ("/link", "/repo", "/repo"),
            ("a", "/repo", "a"),
        ] {
            let (folder, found) = all.find(Some(path)).unwrap();
            assert_eq!(
                (folder.at.as_str(), found.as_deref()),
                (at, Some(known)),
                "{path}"
            );
        }
        assert_eq!(all.find(None).unwrap().1, None);
    }

    #[test]
    fn a_path_outside_is_said() {
        let all = folders(&[("/repo", None), ("/other", None)]);
        for path in ["/", "/etc/passwd", "/repository", "/repo/../etc"] {
            let Err(why) = all.find(Some(path)) else {
                panic!("{path} lies outside");
            };
            assert_eq!(
                why,
                format!("{path} is outside of the served folders /repo, /other")
            );
        }
    }

    #[test]
    fn a_root_is_an_address() {
        for (address, path) in [
            ("file:///a/b%20c", Some("/a/b c")),
            ("file://localhost/a", Some("/a")),
            ("file://elsewhere/a", None),
            ("https://example.org/a", None),
            ("file:", None),
            ("/a", None),
        ] {
            assert_eq!(path_of(address), path.map(PathBuf::from), "{address}");
        }
    }
}
