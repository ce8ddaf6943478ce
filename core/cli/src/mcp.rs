//! `curserve mcp`: becomes the program beside this one that serves MCP.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// Run the verb; returns only where the program is not there.
pub fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
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
