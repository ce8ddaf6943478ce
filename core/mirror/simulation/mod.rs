//! A world in a box: two disks, a line between them, users, agents, crashes, all drawn from one seed.
//!
//! The machines are the program's own. A world is run by [`World::run`]; it panics, with the seed, where something is lost.

#![allow(dead_code, unused_imports)] // The test and the example use different parts.

mod disk;
mod ledger;
mod world;

pub use disk::{Files, Listing, Shared, SimDisk, SimLog};
pub use world::{Tally, World};

/// A disk with nothing on it.
pub fn folder() -> Shared {
    Files::new(Listing::ByHash, 1_700_000_000_000_000_000)
}
