//! The pacer, for the model server: `Pacer` with threads of its own, and `Written`, what became of a stream.

use std::os::fd::{AsRawFd, RawFd};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::descriptor::duplicate;

/// What became of a stream; times are CLOCK_MONOTONIC nanoseconds, `None` where no token was written.
#[pyclass(frozen, module = "curserve_core.pacer")]
pub struct Written(curserve_pacer::Written);

#[pymethods]
impl Written {
    /// When the write of the first token began.
    #[getter]
    fn first_ns(&self) -> Option<u64> {
        self.0.starts.first().copied()
    }

    /// When the write of the last token that was written began.
    #[getter]
    fn last_ns(&self) -> Option<u64> {
        self.0.starts.last().copied()
    }

    /// When the last write had returned.
    #[getter]
    fn done_ns(&self) -> Option<u64> {
        self.0.ends.last().copied()
    }

    /// Bytes that the kernel took, the lead included.
    #[getter]
    fn bytes(&self) -> usize {
        self.0.bytes
    }

    /// How many tokens were written.
    #[getter]
    fn tokens(&self) -> usize {
        self.0.starts.len()
    }

    /// Why not all was written, or `None`.
    #[getter]
    fn error(&self) -> Option<String> {
        self.0.error.as_ref().map(ToString::to_string)
    }

    /// When the write of each token began.
    fn starts(&self) -> Vec<u64> {
        self.0.starts.clone()
    }

    /// When the write of each token had returned.
    fn ends(&self) -> Vec<u64> {
        self.0.ends.clone()
    }
}

/// Threads that write token streams to sockets by absolute deadlines.
#[pyclass(frozen, module = "curserve_core.pacer")]
pub struct Pacer(curserve_pacer::Pacer);

#[pymethods]
impl Pacer {
    #[new]
    fn new() -> PyResult<Self> {
        Ok(Self(curserve_pacer::Pacer::new()?))
    }

    /// The descriptor that is readable when `take` has something.
    fn fileno(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Hand a stream to a thread; return the number under which `take` will report it.
    #[pyo3(signature = (fd, data, cuts, first_ns, step_ns, lead=None))]
    fn submit(
        &self,
        fd: RawFd,
        data: &[u8],
        cuts: Vec<usize>,
        first_ns: u64,
        step_ns: u64,
        lead: Option<&[u8]>,
    ) -> PyResult<u64> {
        Ok(self
            .0
            .submit(stream(fd, data, cuts, first_ns, step_ns, lead)?)?)
    }

    /// Write a stream on the calling thread, with the GIL released.
    #[pyo3(signature = (fd, data, cuts, first_ns, step_ns, lead=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "keyword arguments in Python, the same as of submit"
    )]
    fn write(
        &self,
        py: Python<'_>,
        fd: RawFd,
        data: &[u8],
        cuts: Vec<usize>,
        first_ns: u64,
        step_ns: u64,
        lead: Option<&[u8]>,
    ) -> PyResult<Written> {
        let stream = stream(fd, data, cuts, first_ns, step_ns, lead)?;
        stream.check().map_err(PyValueError::new_err)?;
        Ok(Written(py.detach(|| self.0.write(&stream))))
    }

    /// Return `(number, Written)` of the streams that ended since the last call.
    fn take(&self) -> Vec<(u64, Written)> {
        self.0
            .take()
            .into_iter()
            .map(|(id, written)| (id, Written(written)))
            .collect()
    }

    /// Make every running stream end soon, with an error, and all later ones at once.
    fn stop(&self) {
        self.0.stop();
    }
}

/// A stream on a duplicate of `fd`, so that the caller may close its own at any time.
fn stream(
    fd: RawFd,
    data: &[u8],
    cuts: Vec<usize>,
    first_ns: u64,
    step_ns: u64,
    lead: Option<&[u8]>,
) -> PyResult<curserve_pacer::Stream> {
    let fd = duplicate(fd, "pacer")?;
    let lead = lead.unwrap_or_default().to_vec();
    Ok(curserve_pacer::Stream {
        fd,
        lead,
        data: data.to_vec(),
        cuts,
        first_ns,
        step_ns,
    })
}
