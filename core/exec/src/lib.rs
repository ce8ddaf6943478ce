//! The real programs: a fresh shell per call in the pinned world, and the one implementation of edit, write and read.
//!
//! [`Worker`] is the handler behind `curserve worker`: the baseline that every other engine is compared with, and
//! the fallback of those that refuse. Its processes are made as fast as the kernel can ([`spawn`]); everything else
//! here keeps them inside what they may do ([`confine`], [`Guard`](guard::Guard)).

mod arguments;
mod beneath;
pub mod capture;
mod channel;
pub mod confine;
mod disk;
mod due;
pub mod edit;
pub mod files;
pub mod gauges;
pub mod gift;
pub mod guard;
pub mod inside;
pub mod landlocked;
pub mod persistent;
pub mod places;
pub mod privileges;
mod procs;
mod put;
mod script;
pub mod search;
pub mod shell;
pub mod spawn;
pub mod stage;
pub mod worker;
pub mod world;

pub use due::{late, Due};
pub use places::Places;
pub use worker::Worker;
pub use world::{Limits, World};
