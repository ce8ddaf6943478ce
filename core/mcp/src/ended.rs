//! Why the program ends early.

/// Its exit code, and the line that says why.
pub type Ended = (u8, String);
