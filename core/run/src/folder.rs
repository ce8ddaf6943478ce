//! A run's own folder: the shims, and what else is there for that run alone. It goes when the run ends; what a killed run
//! leaves, the next one sweeps.

use std::fs::File;
use std::io;
use std::os::unix::fs::{symlink, DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::{known, resident, shim};

/// A folder younger than this may be one whose maker has not locked it yet.
const YOUNG: Duration = Duration::from_secs(10);
const BEGINNING: &str = "run-";

/// The folder of one run.
pub struct RunFolder {
    path: PathBuf,
    /// Locked as long as the run goes on.
    _lock: File,
}

impl RunFolder {
    /// Makes the folder and the shims in it, and sweeps those of runs that are over.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn make() -> Result<RunFolder, String> {
        let around = known::folder();
        known::prepare(&around).map_err(|error| error.to_string())?;
        sweep(&around);
        let path = around.join(format!("{BEGINNING}{}", std::process::id()));
        let say = |error: io::Error| format!("{}: {error}", path.display());
        let make = |path: &Path| std::fs::DirBuilder::new().mode(0o700).create(path);
        let _ = std::fs::remove_dir_all(&path); // of a process that had our number
        make(&path).map_err(say)?;
        let lock = File::open(&path).map_err(say)?;
        lock.try_lock()
            .map_err(|_| format!("{}: somebody holds it", path.display()))?;
        let folder = RunFolder { path, _lock: lock };
        let say = |error: io::Error| format!("{}: {error}", folder.shims().display());
        make(&folder.shims()).map_err(say)?;
        let program = program()?;
        for name in shim::NAMES {
            symlink(&program, folder.shims().join(name)).map_err(say)?;
        }
        Ok(folder)
    }

    /// Where the shims are.
    pub fn shims(&self) -> PathBuf {
        self.path.join("bin")
    }

    /// Where files for this run alone may be made.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// The program behind the names.
fn program() -> Result<PathBuf, String> {
    let curserve = resident::program()?;
    let small = curserve.with_file_name("curserve-shim");
    Ok(if small.is_file() { small } else { curserve })
}

/// Removes the folders of runs that are over, and the sockets of daemons that were killed.
fn sweep(around: &Path) {
    let Ok(entries) = std::fs::read_dir(around) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = entry.path();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with(BEGINNING))
        {
            let is_over = || File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok());
            if is_old(&path) && is_over() {
                let _ = std::fs::remove_dir_all(&path);
            }
        } else if name.len() == 16 && is_old(&path) && is_deserted(&path) {
            // A daemon that takes the name over holds the folder's lock meanwhile.
            let lock = File::open(around)
                .ok()
                .filter(|folder| folder.try_lock().is_ok());
            if lock.is_some() && is_deserted(&path) {
                let _ = std::fs::remove_file(&path);
            }
        }
    }
}

fn is_old(path: &Path) -> bool {
    let made = std::fs::symlink_metadata(path)
        .ok()
        .and_then(|meta| (meta.uid() == known::uid()).then(|| meta.modified().ok())?);
    let age = made.and_then(|made| SystemTime::now().duration_since(made).ok());
    age.is_some_and(|age| age > YOUNG)
}

fn is_deserted(socket: &Path) -> bool {
    UnixStream::connect(socket).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}
