//! `curserve start`: finds or starts the daemon of a folder, for programs that ask it themselves.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use curserve_run::{known, resident, workspace};
use lexopt::{Arg, Parser, ValueExt};

/// What `--help` says.
pub const USAGE: &str = "usage: curserve start [--root DIR] [--leave-s S]";

/// How long the daemon stays when nobody is connected: whoever asked for it connects at once.
const LEAVE: Duration = Duration::from_secs(600);

/// Run the verb: prints the path of the daemon's socket.
pub fn run(parser: Parser) -> ExitCode {
    match started(parser) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err((code, why)) => {
            eprintln!("curserve start: {why}");
            ExitCode::from(code)
        }
    }
}

fn started(mut parser: Parser) -> Result<String, (u8, String)> {
    let (mut root, mut leave) = (None, LEAVE);
    let wrong = |error: lexopt::Error| (2, format!("{error}; {USAGE}"));
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("root") => root = Some(PathBuf::from(parser.value().map_err(wrong)?)),
            Arg::Long("leave-s") => {
                let seconds: f64 = parser.value().and_then(|it| it.parse()).map_err(wrong)?;
                let given = Duration::try_from_secs_f64(seconds)
                    .ok()
                    .filter(|it| !it.is_zero());
                leave =
                    given.ok_or((2, format!("--leave-s {seconds}: expected seconds above 0")))?;
            }
            Arg::Long("help") | Arg::Short('h') => return Ok(USAGE.to_owned()),
            _ => return Err(wrong(argument.unexpected())),
        }
    }
    let root = workspace::named_or_present(root).map_err(|why| (2, why))?;
    resident::find_or_start(&root, leave).map_err(|why| (3, why))?;
    Ok(known::socket(&known::folder(), &root).display().to_string())
}
