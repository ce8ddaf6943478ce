//! How a program of awk is refused.

use crate::Refusal;

/// Refuses the program that has, or lacks, `what`.
pub(super) fn refuse<T>(what: impl std::fmt::Display) -> Result<T, Refusal> {
    Err(Refusal::new(format!("in a program of awk: {what}")))
}
