//! From which sizes on things travel in another way. The simulation makes them small, so that every way is taken.

use crate::message::{MAX_INLINE, MAX_PIECE};

/// Sizes in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A longer content travels in pieces.
    pub inline: usize,
    /// The longest piece.
    pub piece: usize,
    /// Of a longer content a delta is tried.
    pub delta: usize,
    /// The most bytes of a batch that the server has to hold before it may apply them.
    pub batch: usize,
    /// With more on its way out, nothing more is read from the disk.
    pub outgoing: usize,
    /// How much of old contents is kept for deltas and merges.
    pub cache: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            inline: MAX_INLINE,
            piece: MAX_PIECE,
            delta: 1 << 10,
            batch: 64 << 20,
            outgoing: 8 << 20,
            cache: 256 << 20,
        }
    }
}
