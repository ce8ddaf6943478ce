//! How grep here says no: to a call, and of a file.

use crate::Refusal;

/// Refuses the call, for what it asks or meets.
pub(super) fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(format!("grep: {}", reason.into())))
}

/// The system's words for an error number.
pub(super) fn strerror(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_string()
}
