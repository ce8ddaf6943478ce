//! How grep here says no to a call.

use crate::Refusal;

/// Refuses the call, for what it asks or meets.
pub(super) fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(format!("grep: {}", reason.into())))
}
