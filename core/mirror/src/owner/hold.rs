//! Whether changes belong together.

/// What becomes of changes that are said from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// What is seen in one look is one batch.
    #[default]
    Free,
    /// They belong together: one batch, until they are free again. No edit of the server is done meanwhile.
    Held,
    /// The same, but what has been said may be applied: the server answers nothing until they are free again.
    Paused,
}
