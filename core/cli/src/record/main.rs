//! `curserve-record`: a shell or search program under its own name that runs the real one and logs the call.
//!
//! `curserve-bench trace record` puts copies of this binary where an agent looks for `bash`, `sh`, `rg` and `grep`.
//! What stands behind its end ([`configuration`]) says which program it stands for, and the command line ([`kind`])
//! whether this is a call. A call is run under our eyes ([`call`]), its output passed on ([`streams`]) and told to the
//! recorder ([`log`]). Where it is none, where no recorder listens, and inside a call that is logged already, this
//! becomes the real program ([`program`]).

mod call;
mod configuration;
mod descriptors;
mod kind;
mod log;
mod program;
mod signals;
mod streams;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

use configuration::Configuration;
use kind::{Kind, SHELLS};
use log::Log;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    let Some(mut configuration) = Configuration::read() else {
        eprintln!("curserve-record: run by `curserve-bench trace record`, not by hand");
        return ExitCode::from(2);
    };
    if let Some(name) = Path::new(&called).file_name().and_then(OsStr::to_str) {
        if SHELLS.contains(&name) {
            name.clone_into(&mut configuration.name); // `sh` is a link to `dash`
        }
    }
    let kind = Kind::of(&configuration.name, &arguments);
    if program::is_inside() || kind == Kind::Script {
        return program::become_real(&configuration, &called, &arguments);
    }
    if kind == Kind::Session {
        log::tell_session(&configuration);
        return program::become_real(&configuration, &called, &arguments);
    }
    let Some(log) = Log::open(&configuration.socket) else {
        return program::become_real(&configuration, &called, &arguments);
    };
    match call::run(&configuration, log, &called, &arguments, &kind) {
        Ok(status) => program::end_like(status),
        Err(error) => {
            eprintln!("curserve-record: {}: {error}", configuration.real);
            ExitCode::from(126)
        }
    }
}
