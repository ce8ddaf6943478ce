//! `curserve mcp`: the daemon's answers as tools of the Model Context Protocol, for agents that take such a server.
//!
//! ```text
//! options    the command line                     stdio   a client that has started us       complaints  what the
//! roots      which folders, and whose              http    clients on the loopback, by token               transport met
//! daemon     connections to one folder's daemon    server  what the protocol asks of us
//! tools      five tools, their schemas             answer  a daemon's answer as a model reads it        pages  long ones
//! world      the world in which lines are answered        ended   why the program ends early
//! ```
//!
//! Every tool only reads. What the daemon refuses is said with its reason, and the agent uses its own tools for it.

mod answer;
mod complaints;
mod daemon;
mod ended;
mod http;
mod options;
mod pages;
mod roots;
mod server;
mod stdio;
mod tools;
mod world;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use ended::Ended;
use options::{Options, Wanted};
use roots::Roots;

pub use options::USAGE;

/// Runs the server with the arguments after the verb.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let options = match options::read(lexopt::Parser::from_args(arguments)) {
        Ok(Wanted::Server(options)) => options,
        Ok(Wanted::Help) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("curserve mcp: {why}");
            return ExitCode::from(2);
        }
    };
    match serve(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, why)) => {
            eprintln!("curserve mcp: {why}");
            ExitCode::from(code)
        }
    }
}

/// One thread does all: it only passes on what the daemon's threads work out, and to wake another costs more than that.
fn serve(options: Options) -> Result<(), Ended> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| (3, format!("no event loop: {error}")))?;
    let ended = runtime.block_on(async {
        let roots = Arc::new(Roots::open(&options.place, options.is_agreed).await?);
        match &options.http {
            None => stdio::serve(roots, options.page).await,
            Some(listen) => http::serve(roots, options.page, listen).await,
        }
    });
    // A read of standard input that waits in a thread of its own is nothing to wait for.
    runtime.shutdown_background();
    ended
}
