//! `curserve mcp`: becomes the program beside this one that serves MCP.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use lexopt::Parser;

/// Run the verb; returns only where the program is not there.
pub fn run(mut parser: Parser) -> ExitCode {
    let arguments = parser.raw_args().into_iter().flatten();
    let why = match std::env::current_exe() {
        Err(error) => format!("cannot find this program: {error}"),
        Ok(me) => {
            let program = me.with_file_name("curserve-mcp");
            let error = Command::new(&program).args(arguments).exec();
            format!("{}: {error}; reinstall curserve", program.display())
        }
    };
    eprintln!("curserve mcp: {why}");
    ExitCode::from(3)
}
