//! The `curserve` binary: one file per verb.

use std::process::ExitCode;

mod confined;
mod enter;
mod inherited;
mod keep;
mod known;
mod line;
mod options;
mod outputs;
mod probe;
mod serve;
mod shim;
mod versions;
mod worker;

const USAGE: &str = "\
usage: curserve worker (--socket PATH | --listen-fd N) --root DIR [--at PATH] [limits]
       curserve serve [--socket PATH | --listen-fd N] --root DIR [--at PATH] [limits]
       curserve versions
       curserve --version

limits: --timeout-s S  --output-bytes N  --memory-bytes N  --processes N  --file-bytes N  --call-bytes N";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let name = std::path::Path::new(&called)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if shim::NAMES.contains(&name) {
        return shim::run(name, &arguments.collect::<Vec<_>>());
    }
    let verb = arguments.next();
    let result = match verb.as_ref().and_then(|verb| verb.to_str()) {
        Some("worker") => worker::run(lexopt::Parser::from_args(arguments)),
        Some("versions") => versions::run(lexopt::Parser::from_args(arguments)),
        Some("serve") => serve::run(lexopt::Parser::from_args(arguments)),
        Some("enter") => enter::run(lexopt::Parser::from_args(arguments)),
        Some("confined") => confined::run(lexopt::Parser::from_args(arguments)),
        Some("keep") => keep::run(lexopt::Parser::from_args(arguments)),
        Some("probe") => probe::run(lexopt::Parser::from_args(arguments)),
        Some("--version" | "-V") => {
            println!("curserve {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Some("--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(Failure::Usage(USAGE.to_owned())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(text)) => {
            eprintln!("curserve: {text}");
            ExitCode::from(2)
        }
        Err(Failure::Setup(text)) => {
            eprintln!("curserve: {text}");
            ExitCode::from(3)
        }
    }
}

/// Why a verb ended early.
enum Failure {
    /// Bad input: exit code 2.
    Usage(String),
    /// What it needs could not be had: exit code 3.
    Setup(String),
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Setup(error.to_string())
    }
}
