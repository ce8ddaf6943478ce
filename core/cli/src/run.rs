//! `curserve run -- AGENT`: an agent among shims, with a daemon beside it.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use curserve_run::launch::{self, Ended, Launch};
use curserve_run::workspace::{self, Objection};
use lexopt::{Arg, Parser, ValueExt};

/// What `curserve run --help` says.
pub const USAGE: &str = "\
usage: curserve run [--root DIR] [--leave-s S] [--quiet] [--yes] [--record FILE] -- AGENT [ARGUMENT…]

Runs AGENT with rg, grep, find, bash and sh on PATH that ask a daemon first, which answers from memory what the real
programs would; those run where it does not know exactly. Nothing is left afterwards but the daemon, for a while.

  --root DIR     the folder to serve (the repository around the present folder, else that folder)
  --leave-s S    how long the daemon stays when no agent needs it any more (600)
  --quiet        say nothing but errors
  --yes          serve DIR though it is the home folder, or has very many files
  --record FILE  record the session as a trace, by `curserve-bench trace record`, which runs the real programs

exit code: the agent's; 127 where it is not found, 126 where it cannot be started, 2 for a wrong option";

/// How long a daemon stays without an agent.
const LEAVE: Duration = Duration::from_secs(600);

struct Options {
    root: Option<PathBuf>,
    leave: Duration,
    is_quiet: bool,
    is_agreed: bool,
    record: Option<PathBuf>,
    words: Vec<OsString>,
}

/// Run the verb.
pub fn run(parser: Parser) -> ExitCode {
    let options = match read(parser) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("curserve run: {what}");
            return ExitCode::from(2);
        }
    };
    let is_quiet = options.is_quiet;
    let mut say = |text: &str| {
        if !is_quiet {
            eprintln!("curserve run: {text}");
        }
    };
    let root = match served(&options, &mut say) {
        Ok(root) => root,
        Err(what) => {
            eprintln!("curserve run: {what}");
            return ExitCode::from(2);
        }
    };
    let (words, root) = match &options.record {
        // The recorder has shims of its own, and records what the real programs do.
        Some(file) => (recorded(file, root, options.words), None),
        None => (options.words, root),
    };
    let launch = Launch {
        words,
        root,
        leave: options.leave,
    };
    match launch::run(&launch, &mut say) {
        Ended::Status(status) => ExitCode::from(launch::end_like(status)),
        Ended::NotStarted(code, why) => {
            eprintln!("curserve run: {why}");
            ExitCode::from(code)
        }
    }
}

fn read(mut parser: Parser) -> Result<Option<Options>, String> {
    let mut options = Options {
        root: None,
        leave: LEAVE,
        is_quiet: false,
        is_agreed: false,
        record: None,
        words: Vec::new(),
    };
    let wrong = |error: lexopt::Error| format!("{error}; `curserve run --help` says more");
    while let Some(argument) = parser.next().map_err(wrong)? {
        match argument {
            Arg::Long("root") => options.root = Some(parser.value().map_err(wrong)?.into()),
            Arg::Long("record") => options.record = Some(parser.value().map_err(wrong)?.into()),
            Arg::Long("leave-s") => {
                let seconds: f64 = parser.value().and_then(|it| it.parse()).map_err(wrong)?;
                let leave = Duration::try_from_secs_f64(seconds)
                    .ok()
                    .filter(|it| !it.is_zero());
                options.leave = leave
                    .ok_or_else(|| format!("--leave-s {seconds}: expected seconds above 0"))?;
            }
            Arg::Long("quiet") | Arg::Short('q') => options.is_quiet = true,
            Arg::Long("yes") => options.is_agreed = true,
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(first) => {
                options.words.push(first);
                options.words.extend(parser.raw_args().map_err(wrong)?);
            }
            Arg::Short(_) | Arg::Long(_) => return Err(wrong(argument.unexpected())),
        }
    }
    match options.words.is_empty() {
        true => Err("no agent; write it after --, such as `curserve run -- qwen`".into()),
        false => Ok(Some(options)),
    }
}

/// The folder to serve; None: none.
fn served(options: &Options, say: &mut dyn FnMut(&str)) -> Result<Option<PathBuf>, String> {
    let root = match workspace::named_or_present(options.root.clone()) {
        Ok(root) => root,
        Err(why) if options.root.is_some() => return Err(why),
        Err(why) => {
            say(&format!("{why}; the real programs run"));
            return Ok(None);
        }
    };
    match workspace::objection(&root) {
        None => Ok(Some(root)),
        Some(Objection::Never(why)) => {
            say(&format!("{why}; the real programs run"));
            Ok(None)
        }
        Some(Objection::Costly(_)) if options.is_agreed => Ok(Some(root)),
        Some(Objection::Costly(why)) if !std::io::stdin().is_terminal() => {
            say(&format!(
                "{why}; it is not served, and the real programs run (--yes serves it)"
            ));
            Ok(None)
        }
        Some(Objection::Costly(why)) => Ok(Some(root).filter(|_| is_wanted(&why))),
    }
}

/// Asks at the terminal.
fn is_wanted(why: &str) -> bool {
    eprint!("curserve run: {why}. Serve it? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().read_line(&mut answer);
    matches!(answer.trim(), "y" | "Y" | "yes")
}

/// The command line that runs `words` in `workspace` under the recorder.
fn recorded(file: &Path, workspace: Option<PathBuf>, words: Vec<OsString>) -> Vec<OsString> {
    let mut all: Vec<OsString> = ["curserve-bench", "trace", "record", "--out"]
        .map(OsString::from)
        .into();
    all.push(file.into());
    if let Some(workspace) = workspace {
        all.extend(["--workspace".into(), workspace.into_os_string()]);
    }
    all.push("--".into());
    all.extend(words);
    all
}
