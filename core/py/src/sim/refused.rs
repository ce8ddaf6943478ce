//! How a simulation is refused.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// What of its arguments makes no sense.
pub(super) fn refused(what: String) -> PyErr {
    PyValueError::new_err(format!("simulation: {what}"))
}
