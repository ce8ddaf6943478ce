//! The pinned world: what every executed command sees, whoever called it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What one call may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall time of a call that asks for none.
    pub timeout: Duration,
    /// Standard output and standard error together, in bytes.
    pub output: usize,
    /// Address space of one process, in bytes.
    pub memory: u64,
    /// Processes of the session.
    pub processes: u64,
    /// One written file, in bytes.
    pub file: u64,
    /// Memory of all processes of the session, in bytes.
    pub session: u64,
    /// What the session may add to its workspace, in bytes.
    pub disk: u64,
    /// How many files it may add.
    pub inodes: u64,
    /// What the daemon holds for one call, in bytes: values, streams and lists of words together.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            timeout: Duration::from_secs(60),
            output: 64 << 20,
            memory: 4 << 30,
            processes: 512,
            file: 1 << 30,
            session: 8 << 30,
            disk: 4 << 30,
            inodes: 300_000,
            values: 512 << 20,
        }
    }
}

/// The world of one session.
#[derive(Clone, Debug)]
pub struct World {
    /// The workspace on this machine, as this process sees it.
    pub root: PathBuf,
    /// Where commands see it; differs from `root` only where no namespace could be had.
    pub at: String,
    /// Whether one shell serves all calls, keeping directory and variables.
    pub persistent: bool,
    /// What a call may use.
    pub limits: Limits,
    /// The environment, as `execve` wants it.
    pub environment: Vec<(String, String)>,
}

impl World {
    /// The pinned world on `root`, seen by commands at `at`.
    pub fn new(root: PathBuf, at: String) -> Self {
        World {
            root,
            at,
            persistent: false,
            limits: Limits::default(),
            environment: curserve_pinned::environment(),
        }
    }

    /// Where there is no namespace: the private temporary folder and the folder with `rg` have other names.
    pub fn adapt(&mut self, tmp: &Path, bin: &Path) {
        for (key, value) in &mut self.environment {
            match key.as_str() {
                "PATH" => *value = value.replace("/opt/curserve/bin", &bin.to_string_lossy()),
                "HOME" => *value = tmp.to_string_lossy().into_owned(),
                _ => {}
            }
        }
        self.environment
            .push(("TMPDIR".into(), tmp.to_string_lossy().into_owned()));
    }
}
