//! Lines of shells that somebody else has started: what such a shell was called and given.

use curserve_corpus::Snapshot;
use curserve_tools::World;

use crate::state::{Name, Shell};
use crate::{check, dash, deep_enough, is_known, Answer, Limits, Refusal};

/// A shell that was called with a line, by somebody who runs the real one where the line is refused.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'c> {
    /// Which shell, and by what name.
    pub shell: Called<'c>,
    /// Whether its standard input is something else than `/dev/null`: what would read it is refused then.
    pub has_input: bool,
    /// Whether its two outputs are one.
    pub merged: bool,
    /// Whether it sorts names otherwise than by bytes, as its locale asks for: what it would match against names or ranges
    /// of characters is refused.
    pub sorts_otherwise: bool,
}

/// Which shell was called.
#[derive(Clone, Copy, Debug)]
pub enum Called<'c> {
    /// bash, by this name, with which its messages begin.
    Bash(&'c str),
    /// dash.
    Dash,
}

/// Answers `command` as the shell of `caller` would in `cwd`; it writes nothing.
///
/// # Errors
/// As [`run_in`](crate::run_in), and where the line would write a file.
pub fn run_called(
    world: &World,
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
    caller: Caller,
) -> Result<Answer, Refusal> {
    deep_enough(command, || {
        is_known(world)?;
        // In the C locale the shell's own patterns and lengths are of bytes: these have none.
        if matches!(caller.shell, Called::Dash) || world.is_c() {
            dash::is_bashs(command, !caller.sorts_otherwise)?;
        }
        if caller.sorts_otherwise && command.contains('[') {
            return Err(Refusal::new(
                "what may be a range of characters in another locale",
            ));
        }
        let program = check::parse(command)?;
        let mut shell = Shell::new(world, snapshot, cwd, limits)?;
        shell.name = match caller.shell {
            Called::Bash(name) => Name::Bash(name.into()),
            Called::Dash => Name::Another,
        };
        shell.called = true;
        shell.sealed = caller.has_input;
        shell.merged = caller.merged;
        shell.many_lines = command.contains('\n');
        let exit_code = shell.program(&program)?;
        shell.answer(exit_code)
    })
}
