//! Why a machine stops.

use std::{fmt, io};

use crate::fault::Fault;

/// Why a machine stops.
#[derive(Debug)]
pub enum Error {
    /// The peer broke the protocol: the connection is to be ended, the machine goes on with the next one.
    Fault(Fault),
    /// Disk or log failed, in a way that does not pass: the machine is to be dropped.
    Disk(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Fault(fault) => fault.fmt(f),
            Error::Disk(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Error::Fault(fault)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::Disk(error)
    }
}
