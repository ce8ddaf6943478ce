//! `curserve mirror`: one workspace on two hosts (docs/MIRROR.md).
//!
//! `curserve mirror TARGET` is the client's side, `curserve mirror serve` the server's, `curserve mirror status` says how it stands.

mod client;
mod place;
mod serve;
mod status;
mod target;

use lexopt::Parser;

use crate::Failure;

/// How it is used.
pub const USAGE: &str = "\
curserve mirror: one workspace on two hosts; reads are answered beside the model, everything else runs here

usage: curserve mirror ssh://[USER@]HOST[:PORT][/FOLDER] [--root DIR]    fill the copy on HOST, and follow the workspace
       curserve mirror tcp:HOST:PORT [--root DIR]                        the same, to a server that listens; for measurements
       curserve mirror --command 'COMMAND' [--root DIR]                  the same, over the streams of a command
       curserve mirror status [--root DIR] [--json]                      how the mirrors of this user stand
       curserve mirror serve --stdio (--name NAME | --root DIR) [--socket PATH]     the server's side; started by ssh

client: --at PATH (where commands see the workspace)  --worker SOCKET (a worker that runs already)";

/// Run the verb.
///
/// # Errors
/// A wrong word of the command line, or what could not be had; it says what to do.
pub fn run(mut parser: Parser) -> Result<(), Failure> {
    let arguments: Vec<std::ffi::OsString> = parser.raw_args()?.collect();
    let mut rest = arguments.iter().cloned();
    match rest.next().as_ref().and_then(|word| word.to_str()) {
        Some("serve") => serve::run(Parser::from_args(rest)),
        Some("status") => status::run(Parser::from_args(rest)),
        Some("--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        None => Err(Failure::Usage(USAGE.to_owned())),
        Some(_) => client::run(Parser::from_args(arguments)),
    }
}
