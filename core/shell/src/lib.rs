//! The shell around the tools: parses a command line and runs what it understands exactly; refuses the rest.
//!
//! [`run`] answers a whole command line, as `bash -c` in the pinned world would, from one [`Snapshot`]. Parsing is
//! brush-parser's; expansion, control flow and redirections are here, since they must be bash's to the byte; programs
//! are [`curserve_tools`]. The rule throughout: an answer is exact, or it is a [`Refusal`] with a reason, and the
//! caller runs the real thing.
//!
//! ```text
//! syntax    guards and calls the parser        expand    words → fields: braces, $…, splitting, globs
//! exec      lists, loops, groups, functions    params    ${…}          arith   $((…))     glob   pathnames
//! pipeline  a | b | head: who stops whom       builtins  cd, echo, test, read, …
//! redirect  2>&1, <file, here-documents        state     variables, folder, limits
//! ```

mod arith;
mod builtins;
mod exec;
mod expand;
mod glob;
mod params;
mod pipeline;
mod redirect;
mod state;
mod syntax;

use curserve_corpus::Snapshot;
pub use curserve_tools::{How, Refusal, World, Write, Writes};

/// What one command line may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of standard output, or of any pipe within.
    pub output: usize,
    /// Commands executed, loops included.
    pub steps: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            output: 64 << 20,
            steps: 10_000,
        }
    }
}

/// What `bash -c` would have given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit status, 0 to 255.
    pub exit_code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Answers `command` as `bash -c` would in `cwd` (absolute), from `snapshot`, in `world`; a refusal says why not.
pub fn run_in(
    world: &World,
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
) -> Result<Answer, Refusal> {
    answer(world, snapshot, command, cwd, limits, None)
}

/// As [`run_in`], for a line that may write files: what it would write comes back with the answer, in order, and has
/// still to be written. Without an answer nothing is to be written.
pub fn run_writing(
    world: &World,
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
) -> Result<(Answer, Vec<Write>), Refusal> {
    let writes = Writes::new();
    let answer = answer(world, snapshot, command, cwd, limits, Some(&writes))?;
    Ok((answer, writes.into_list()))
}

fn answer(
    world: &World,
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
    writes: Option<&Writes>,
) -> Result<Answer, Refusal> {
    let program = syntax::parse(command)?;
    let mut shell = state::Shell::new(world, snapshot, cwd, limits)?;
    shell.writes = writes;
    let exit_code = shell.program(&program)?;
    let (stdout, stderr) = shell.outputs()?;
    Ok(Answer {
        exit_code,
        stdout,
        stderr,
    })
}

/// As [`run_in`], in the pinned world.
pub fn run(
    snapshot: &Snapshot,
    command: &str,
    cwd: &[u8],
    limits: Limits,
) -> Result<Answer, Refusal> {
    static PINNED: std::sync::OnceLock<World> = std::sync::OnceLock::new();
    run_in(
        PINNED.get_or_init(World::pinned),
        snapshot,
        command,
        cwd,
        limits,
    )
}

/// Whether the parser takes `command` at all; for fuzzers, which need no tree.
pub fn parses(command: &str) -> bool {
    syntax::parse(command).is_ok()
}
