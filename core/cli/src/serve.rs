//! `curserve serve`: the daemon, answering tool calls from memory.

use std::sync::Arc;

use curserve_serve::{Daemon, Stop};
use curserve_tools::World;
use lexopt::Parser;

use crate::options::Options;
use crate::versions;
use crate::Failure;

/// Run the verb.
///
/// # Errors
/// A wrong word of the command line, a socket that cannot be had, or no thread.
pub fn run(parser: Parser) -> Result<(), Failure> {
    let mut options = Options::read("serve", parser)?;
    let state = options.state();
    options.default_socket()?;
    let stop = Stop::default();
    options.stop_on_signals(stop.clone())?;
    let (listener, file) = options.listen()?;
    options.confine()?;
    options.hold_lifeline(file.clone())?;
    let world = World::of_this_machine().unasked();
    let unknown = Arc::clone(&world.unknown);
    match options.unknown.take() {
        Some(told) => drop(unknown.set(told)),
        // Meanwhile the folder loads.
        None => drop(
            std::thread::Builder::new()
                .name("versions".into())
                .spawn(move || unknown.set(versions::unknown()))?,
        ),
    }
    let daemon = Daemon::start_with(
        options.followed.clone(),
        options.at.clone(),
        options.limits,
        world,
        state,
    )?
    .lasting(options.persistent)
    .remembering(versions::cache());
    let daemon = Arc::new(daemon);
    let served = curserve_serve::serve(
        listener,
        Arc::clone(&daemon),
        curserve_serve::Limits {
            leave: options.leave,
            ..curserve_serve::Limits::default()
        },
        stop,
    );
    if let Some(file) = file {
        file.remove();
    }
    daemon.keep();
    Ok(served?)
}
