//! `curserve confined … -- PROGRAM`: the sandbox's first process for programs that are not ours. It looks at the sandbox
//! from inside, gives up what commands must not have, and becomes the program.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;

use curserve_exec::{confine, inside, Limits};
use lexopt::{Arg, Parser, ValueExt};

use crate::Failure;

/// Run the verb; returns only where it failed.
///
/// # Errors
/// A wrong word of the command line, or the step that failed.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let mut limits = Limits::default();
    let (mut outer, mut at) = (None, None);
    let (mut keep, mut environment) = (Vec::new(), Vec::new());
    let mut words: Vec<OsString> = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("outer") => outer = Some(parser.value()?.string()?),
            Arg::Long("at") => at = Some(parser.value()?.string()?),
            Arg::Long("keep-fd") => keep.push(parser.value()?.parse::<RawFd>()?),
            Arg::Long("env") => environment.push(parser.value()?.string()?),
            Arg::Long("processes") => limits.processes = parser.value()?.parse()?,
            Arg::Long("file-bytes") => limits.file = parser.value()?.parse()?,
            Arg::Value(first) => {
                words.push(first);
                words.extend(parser.raw_args()?);
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let (Some(outer), Some(at), Some((program, arguments))) = (outer, at, words.split_first())
    else {
        return Err(Failure::Usage(
            "confined: expected --outer NAMESPACES --at PATH -- PROGRAM".into(),
        ));
    };
    inside::close_others(&keep)?;
    confine::confine(&limits, confine::Sockets::Namespaced)?;
    inside::check(&outer, &at)?;
    curserve_run::inherited::restore();
    let more = environment.iter().filter_map(|word| word.split_once('='));
    let error = std::process::Command::new(program)
        .args(arguments)
        .envs(more)
        .exec();
    Err(Failure::Setup(format!(
        "confined: {} could not be started: {error}",
        program.to_string_lossy()
    )))
}
