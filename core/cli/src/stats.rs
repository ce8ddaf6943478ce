//! `curserve stats`: what the daemon of a folder has answered from memory, what it refused, and why.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use curserve_run::{account, resident, workspace};
use lexopt::{Arg, Parser};

pub const USAGE: &str = "usage: curserve stats [--root DIR] [--json]";

/// Run the verb.
pub fn run(parser: Parser) -> ExitCode {
    match shown(parser) {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err((code, why)) => {
            eprintln!("curserve stats: {why}");
            ExitCode::from(code)
        }
    }
}

fn shown(mut parser: Parser) -> Result<String, (u8, String)> {
    let (mut root, mut json) = (None, false);
    let wrong = |error: lexopt::Error| (2, format!("{error}; {USAGE}"));
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("root") => root = Some(PathBuf::from(parser.value().map_err(wrong)?)),
            Arg::Long("json") => json = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(format!("{USAGE}\n")),
            _ => return Err(wrong(argument.unexpected())),
        }
    }
    let root = workspace::named_or_present(root).map_err(|why| (2, why))?;
    let none = || {
        (
            3,
            format!(
                "no daemon serves {}; `curserve run -- AGENT` starts one",
                root.display()
            ),
        )
    };
    let mut lease = resident::find(&root).ok_or_else(none)?;
    let stats = lease.stats().map_err(|why| (4, why))?;
    match json {
        true => Ok(format!("{stats}\n")),
        false => Ok(account::shown(&root.to_string_lossy(), &stats, shell_ns())),
    }
}

/// What starting a shell takes here: the least of a few, in nanoseconds.
fn shell_ns() -> Option<u64> {
    let once = || {
        let began = Instant::now();
        let status = Command::new("/bin/bash")
            .args(["-c", ":"])
            .stdin(Stdio::null())
            .status();
        status.ok().filter(std::process::ExitStatus::success)?;
        u64::try_from(began.elapsed().as_nanos()).ok()
    };
    (0..5).filter_map(|_| once()).min()
}
