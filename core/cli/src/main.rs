//! The `curserve` binary: one file per verb.

use std::process::ExitCode;

use curserve_run::shim;

mod completions;
mod confined;
mod enter;
mod keep;
mod mcp;
mod mirror;
mod options;
mod probe;
mod run;
mod serve;
mod start;
mod stats;
mod versions;
mod worker;

const USAGE: &str = "\
curserve: answers rg, grep, find and shell lines from memory, byte for byte as the real programs would

usage: curserve run [--root DIR] -- AGENT [ARGUMENT…]   run an agent that finds those answers on PATH
       curserve mcp [--root DIR] [--http PORT]          an MCP server with those answers as tools
       curserve start [--root DIR] [--leave-s S]        find or start the daemon of a folder; prints its socket
       curserve stats [--root DIR] [--json]             what was answered from memory, what was refused, and why
       curserve mirror ssh://HOST/ [--root DIR]         mirror a workspace beside the model; `curserve mirror --help`
       curserve serve [--socket PATH | --listen-fd N] --root DIR [--at PATH] [--state DIR] [limits]
       curserve worker (--socket PATH | --listen-fd N) --root DIR [--at PATH] [limits]
       curserve versions                                which of the real programs here are known
       curserve completions bash|zsh                    what the shell offers at Tab; eval it in your shell's startup file
       curserve --version

limits: --timeout-s S  --output-bytes N  --memory-bytes N  --processes N  --file-bytes N  --call-bytes N";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    if let Some(name) = shim::name(&called) {
        return shim::run(name, &called, &arguments.collect::<Vec<_>>());
    }
    let verb = arguments.next();
    let result = match verb.as_ref().and_then(|verb| verb.to_str()) {
        Some("worker") => worker::run(lexopt::Parser::from_args(arguments)),
        Some("versions") => versions::run(lexopt::Parser::from_args(arguments)),
        Some("run") => return run::run(lexopt::Parser::from_args(arguments)),
        Some("start") => return start::run(lexopt::Parser::from_args(arguments)),
        Some("completions") => return completions::run(lexopt::Parser::from_args(arguments)),
        Some("mcp") => return mcp::run(arguments),
        Some("stats") => return stats::run(lexopt::Parser::from_args(arguments)),
        Some("mirror") => mirror::run(arguments.collect()),
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
