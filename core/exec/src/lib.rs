//! The real programs: a fresh shell per call in the pinned world.
//!
//! [`Worker`] is the handler behind `curserve worker`: the baseline that every other engine is compared with, and
//! the fallback of those that refuse. Its processes are made as fast as the kernel can ([`spawn`]); everything else
//! here keeps them inside what they may do ([`confine`], [`Guard`](guard::Guard)).

pub mod capture;
mod channel;
pub mod confine;
mod disk;
pub mod gauges;
pub mod gift;
pub mod guard;
pub mod inside;
pub mod landlocked;
pub mod persistent;
pub mod privileges;
mod procs;
mod script;
pub mod shell;
pub mod spawn;
pub mod stage;
pub mod versions;
pub mod worker;
pub mod world;

pub use worker::Worker;
pub use world::{Limits, World};
