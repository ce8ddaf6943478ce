//! The `curserve` binary: one file per verb.

use std::process::ExitCode;

use curserve_run::shim;
use lexopt::Parser;

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

limits: --timeout-s S  --output-bytes N  --memory-bytes N  --processes N  --file-bytes N  --call-bytes N
        --session-bytes N  --disk-bytes N  --inodes N";

/// A verb: its name, what its own `--help` says where it has one, and how it is run.
#[derive(Clone, Copy)]
struct Verb {
    name: &'static str,
    help: &'static str,
    run: fn(Parser) -> ExitCode,
}

/// The verbs for people, in the order of `--help`.
const VERBS: [Verb; 9] = [
    verb("run", run::USAGE, run::run),
    verb("mcp", curserve_mcp::USAGE, mcp::run),
    verb("start", start::USAGE, start::run),
    verb("stats", stats::USAGE, stats::run),
    verb("mirror", mirror::USAGE, |it| ended(mirror::run(it))),
    verb("serve", "", |it| ended(serve::run(it))),
    verb("worker", "", |it| ended(worker::run(it))),
    verb("versions", "", |it| ended(versions::run(it))),
    verb("completions", "", |it| ended(completions::run(it))),
];

/// Those that only our own programs start.
const INNER: [Verb; 4] = [
    verb("enter", "", |it| ended(enter::run(it))),
    verb("confined", "", |it| ended(confined::run(it))),
    verb("keep", "", |it| ended(keep::run(it))),
    verb("probe", "", |it| ended(probe::run(it))),
];

const fn verb(name: &'static str, help: &'static str, run: fn(Parser) -> ExitCode) -> Verb {
    Verb { name, help, run }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    if let Some(name) = shim::name(&called) {
        return shim::run(name, &called, &arguments.collect::<Vec<_>>());
    }
    let word = arguments.next();
    let word = word.as_ref().and_then(|word| word.to_str());
    let named = VERBS.iter().chain(&INNER).find(|it| Some(it.name) == word);
    if let Some(verb) = named {
        return (verb.run)(Parser::from_args(arguments));
    }
    match word {
        Some("--version" | "-V") => println!("curserve {}", env!("CARGO_PKG_VERSION")),
        Some("--help" | "-h") => println!("{USAGE}"),
        _ => return ended(Err(Failure::Usage(USAGE.to_owned()))),
    }
    ExitCode::SUCCESS
}

/// The exit code of a verb that ended so; what failed is said.
fn ended(result: Result<(), Failure>) -> ExitCode {
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
