//! The tools that need no program: [`edit`], [`edit::write`], and `read`, `list` and `glob` in [`files`]; and what the tool
//! `grep` asks of `rg` ([`search`]). One implementation for every engine.
//!
//! Each reads its arguments once, answers from the file system beneath the folder that it may not leave ([`Places`]), and
//! looks at the clock ([`Due`]).

mod arguments;
mod beneath;
mod due;
pub mod edit;
pub mod files;
mod in_place;
mod places;
mod put;
pub mod search;

pub use due::{late, Due};
pub use in_place::InPlace;
pub use places::Places;
