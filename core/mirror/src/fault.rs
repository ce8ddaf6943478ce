//! What a peer did that the protocol does not allow.

use std::fmt;

/// Why the link ends: one line that names the field and what was wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(String);

impl Fault {
    /// A fault that reads `what`.
    pub fn new(what: impl Into<String>) -> Self {
        Fault(what.into())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the other side broke the mirror's protocol: {}", self.0)
    }
}

impl std::error::Error for Fault {}
