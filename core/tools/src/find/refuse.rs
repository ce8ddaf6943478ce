//! How a part of an expression is refused.

use crate::Refusal;

/// Refuses, saying where.
pub(super) fn refuse<T>(what: impl AsRef<[u8]>) -> Result<T, Refusal> {
    Err(Refusal::new(format!(
        "in an expression of find: {}",
        String::from_utf8_lossy(what.as_ref())
    )))
}
