//! Why a call is left to the real programs.

/// Raised when a call is not understood *exactly*, or cannot be answered from memory: the caller runs the real program.
/// What a tool has written until then does not count.
///
/// Each kind carries its reason, in words for people; programs look at the kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What the real program does here is not known exactly, or is not one thing.
    #[error("{0}")]
    Undefined(String),
    /// An option, or a value of one, that is not known here.
    #[error("{0}")]
    UnknownOption(String),
    /// A program, or a tool of the protocol, that is not known here.
    #[error("{0}")]
    UnknownProgram(String),
    /// Something that is not in memory: it may be there when the call is asked again.
    #[error("{0}")]
    NotInMemory(String),
    /// The folder is still being loaded.
    #[error("still loading ({0})")]
    Loading(String),
    /// A defect of our own.
    #[error("{0}")]
    Defect(String),
    /// The folder could not be loaded, or cannot be followed any more.
    #[error("{0}")]
    Unloaded(String),
    /// Something that lies outside of the root.
    #[error("{0}")]
    Outside(String),
    /// More than a call may hold or nest.
    #[error("{0}")]
    TooLarge(String),
    /// The time that the call has is over.
    #[error("{0}")]
    OutOfTime(String),
}

impl Refusal {
    /// A refusal for this reason, of which no more is known than that it is not known exactly.
    pub fn new(reason: impl Into<String>) -> Refusal {
        Refusal::Undefined(reason.into())
    }

    /// The kind's name, as frames carry it (docs/PROTOCOL.md).
    pub fn kind(&self) -> &'static str {
        match self {
            Refusal::Undefined(_) => "undefined",
            Refusal::UnknownOption(_) => "unknown-option",
            Refusal::UnknownProgram(_) => "unknown-program",
            Refusal::NotInMemory(_) => "not-in-memory",
            Refusal::Loading(_) => "loading",
            Refusal::Unloaded(_) => "unloaded",
            Refusal::Outside(_) => "outside",
            Refusal::TooLarge(_) => "too-large",
            Refusal::OutOfTime(_) => "out-of-time",
            Refusal::Defect(_) => "defect",
        }
    }
}

/// Refuses what is not known exactly, for this reason.
///
/// # Errors
/// Always.
pub fn refuse<T>(reason: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(reason))
}
