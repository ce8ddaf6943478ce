//! One connection to a program behind a socket, the GIL released.

use std::io::ErrorKind;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

use pyo3::exceptions::{PyEOFError, PyOSError};
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::PyBytes;

/// A connected Unix socket that carries one request at a time.
#[pyclass(frozen, module = "curserve_core")]
pub struct Channel(Mutex<Option<curserve_proto::Channel>>);

type Frame<'py> = (Bound<'py, PyBytes>, Bound<'py, PyBytes>);

#[pymethods]
impl Channel {
    /// Takes over the socket `fd`, which the caller gives up; its receive time-out is the longest silence.
    #[new]
    fn new(fd: RawFd) -> Self {
        // SAFETY: the caller hands over an open descriptor (`socket.detach()`), so that nobody else closes it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Channel(Mutex::new(Some(curserve_proto::Channel::new(fd.into()))))
    }

    /// Sends a request without payload, returns the answer's header and payload.
    ///
    /// BlockingIOError: no answer in time. EOFError: the peer is gone. OSError: anything else that failed.
    fn exchange<'py>(&self, py: Python<'py>, header: &[u8]) -> PyResult<Frame<'py>> {
        let closed = || PyOSError::new_err("the channel is closed");
        let mut guard = self.0.lock_py_attached(py).map_err(|_| closed())?;
        let channel = guard.as_mut().ok_or_else(closed)?;
        py.detach(|| channel.send(header))?;
        loop {
            match py.detach(|| channel.receive()) {
                Ok((header, payload)) => {
                    let frame = (PyBytes::new(py, header), PyBytes::new(py, payload));
                    channel.trim();
                    return Ok(frame);
                }
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => py.check_signals()?,
                    ErrorKind::UnexpectedEof => return Err(PyEOFError::new_err(error.to_string())),
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Closes the socket.
    fn close(&self, py: Python<'_>) {
        if let Ok(mut channel) = self.0.lock_py_attached(py) {
            *channel = None;
        }
    }
}
