//! N-gram postings that choose candidate files for a pattern; they only prune, never match.
//!
//! A [`Query`] says which trigrams a matching text must hold; a [`Segment`] holds, for each trigram, which blocks of its
//! texts have it. Letters are folded to lower case on both sides, so one index serves `-i` as well. Trigrams across line ends
//! are left out: patterns that match across lines must not ask for them.

mod analysis;
mod bits;
mod blocks;
mod build;
mod grams;
mod lists;
mod packed;
mod query;
mod segment;

pub use blocks::Form;
pub use grams::Grams;
pub use packed::FORMAT;
pub use query::Query;
pub use segment::{Found, Segment, Within, MOST_TEXTS};
