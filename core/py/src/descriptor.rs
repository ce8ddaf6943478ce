//! Descriptors that Python hands over.

use std::os::fd::{BorrowedFd, OwnedFd, RawFd};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// A duplicate of `fd`, so that the caller may close its own at any time; `whose` begins the message where it is closed.
///
/// # Errors
/// Where it is not open, or there is no descriptor to be had.
pub fn duplicate(fd: RawFd, whose: &str) -> PyResult<OwnedFd> {
    if fd < 0 {
        return Err(PyOSError::new_err(format!(
            "{whose}: the connection is closed"
        )));
    }
    // SAFETY: borrowed for the one call that duplicates it; a number that is not open gives EBADF.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?)
}
