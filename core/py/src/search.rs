//! The corpus in process: the daemon's answers without the socket, the GIL released.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use curserve_shell::{Limits, World};
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

create_exception!(
    curserve_core,
    Refused,
    PyException,
    "Raised when a command is not understood exactly; run the real program."
);

/// A folder in memory, as fresh as the file system.
#[pyclass(frozen, module = "curserve_core")]
pub struct Corpus {
    corpus: curserve_corpus::Corpus,
    /// Names of users and groups: this machine's, as for the daemon outside a sandbox, or the sandbox's.
    world: World,
}

type Streams<'py> = (i32, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pymethods]
impl Corpus {
    /// Takes in the folder `root`; tools know it as `at`, and its owners as in the sandbox whose commands run
    /// as `owner` (uid, gid).
    #[new]
    #[pyo3(signature = (root, at=None, *, owner=None))]
    fn new(
        py: Python<'_>,
        root: PathBuf,
        at: Option<PathBuf>,
        owner: Option<(u32, u32)>,
    ) -> PyResult<Self> {
        let options = curserve_corpus::Options {
            at,
            ..curserve_corpus::Options::default()
        };
        let loaded = py.detach(|| curserve_corpus::Corpus::load(root, options));
        let corpus = loaded.map_err(|error| PyOSError::new_err(error.to_string()))?;
        let world = match owner {
            Some((user, group)) => World::of_the_sandbox(user, group),
            None => World::of_this_machine(),
        };
        Ok(Corpus { corpus, world })
    }

    /// Answers `command` as `bash -c` would in `cwd` (absolute; None: the root): (exit code, output, errors).
    #[pyo3(signature = (command, cwd=None))]
    fn shell<'py>(
        &self,
        py: Python<'py>,
        command: &str,
        cwd: Option<PathBuf>,
    ) -> PyResult<Streams<'py>> {
        let answer = py.detach(|| {
            let snapshot = self
                .corpus
                .snapshot()
                .map_err(|error| PyOSError::new_err(error.to_string()))?;
            let cwd = match &cwd {
                Some(cwd) => cwd.as_os_str().as_bytes(),
                None => snapshot.at(),
            };
            curserve_shell::run_in(&self.world, &snapshot, command, cwd, Limits::default())
                .map_err(|refusal| Refused::new_err(refusal.to_string()))
        })?;
        let stdout = PyBytes::new(py, &answer.stdout);
        Ok((answer.exit_code, stdout, PyBytes::new(py, &answer.stderr)))
    }

    /// Whether `command` is answered in less time than it takes to hand it to another thread.
    #[staticmethod]
    fn is_quick(command: &str) -> bool {
        curserve_shell::is_quick(command)
    }

    /// (bytes of file contents, bytes of index).
    fn memory(&self, py: Python<'_>) -> PyResult<(usize, usize)> {
        let memory = py.detach(|| self.corpus.snapshot().map(|snapshot| snapshot.memory()));
        memory.map_err(|error| PyOSError::new_err(error.to_string()))
    }
}
