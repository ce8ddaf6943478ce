//! `curserve worker`: executes tool calls with the real programs.

use std::sync::Arc;

use curserve_exec::{Worker, World};
use lexopt::Parser;

use crate::options::Options;
use crate::Failure;

/// Run the verb.
///
/// # Errors
/// A wrong word of the command line, a socket that cannot be had, or a machine without `bash`.
pub fn run(parser: Parser) -> Result<(), Failure> {
    let options = Options::read("worker", parser)?;
    let (listener, file) = options.listen()?;
    options.confine()?;
    options.hold_lifeline(file.clone())?;
    let mut world = World::new(options.root, options.at);
    if let Some((tmp, bin)) = options.landlock {
        world.adapt(&tmp, &bin);
    }
    world.limits = options.limits;
    world.persistent = options.persistent;
    let worker = Worker::new(world, options.gauges, std::process::id() == 1)?;
    let stop = curserve_serve::Stop::default();
    let served = curserve_serve::serve(
        listener,
        Arc::new(worker),
        curserve_serve::Limits::default(),
        stop,
    );
    if let Some(file) = file {
        file.remove();
    }
    Ok(served?)
}
