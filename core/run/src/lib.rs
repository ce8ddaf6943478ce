//! `curserve run -- AGENT`: an agent finds the daemon's answers behind the names of programs that it calls anyway.
//!
//! ```text
//! launch     the agent, among its shims, with a daemon kept alive beside it
//! workspace  which folder is served, and what that costs      agents   what each agent needs to look on PATH
//! folder     the folder of shims                              resident the daemon of a folder: found, started, leased
//! known      where its socket is                              line     one question to it
//! shim       what is called in a program's place              outputs  what that was given to write to
//! inherited  what a program that becomes another hands on     account  what the daemon says it did
//! signals    what is passed on to the agent
//! ```
//!
//! The rule throughout: whatever goes wrong, the agent runs as it would have run without us.

pub mod account;
mod agents;
mod folder;
pub mod inherited;
pub mod known;
pub mod launch;
mod line;
mod outputs;
pub mod resident;
pub mod shim;
mod signals;
pub mod workspace;

pub use line::Line;
