//! `curserve mirror TARGET`: the client's side.

use std::io::{IsTerminal, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use curserve_run::known;
use curserve_twin::{Client, Facts, Over, Remote, Report, Reporter, Stop};
use lexopt::{Arg, Parser, ValueExt};

use super::place::{self, Lock};
use super::target::Target;
use crate::options::on_signals;
use crate::{versions, Failure};

/// How long the worker may take to start.
const STARTING: Duration = Duration::from_secs(10);
/// How often is looked whether a workspace is there again.
const LOOKING: Duration = Duration::from_millis(250);

/// What was asked for.
struct Asked {
    target: Target,
    root: PathBuf,
    at: String,
    worker: Option<PathBuf>,
    status: Option<PathBuf>,
    lifeline: bool,
    lasting: bool,
}

fn read(mut parser: Parser) -> Result<Asked, Failure> {
    let (mut target, mut root, mut at) = (None, PathBuf::from("."), None);
    let (mut worker, mut status, mut lifeline, mut lasting) = (None, None, false, false);
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Value(word) if target.is_none() => target = Some(Target::read(&word.string()?)?),
            Arg::Long("command") => target = Some(Target::Command(parser.value()?.string()?)),
            Arg::Long("root") => root = parser.value()?.into(),
            Arg::Long("at") => at = Some(parser.value()?.string()?),
            Arg::Long("worker") => worker = Some(PathBuf::from(parser.value()?)),
            Arg::Long("status") => status = Some(PathBuf::from(parser.value()?)),
            Arg::Long("lifeline") => lifeline = true,
            Arg::Long("persistent") => lasting = true,
            _ => return Err(argument.unexpected().into()),
        }
    }
    let target = target.ok_or_else(|| Failure::Usage(super::USAGE.to_owned()))?;
    let given = root.display().to_string();
    let unusable = |what: String| Failure::Usage(format!("mirror: --root {given}: {what}"));
    let root = root
        .canonicalize()
        .map_err(|error| unusable(error.to_string()))?;
    if !root.is_dir() {
        return Err(unusable(
            "it is no folder; name the folder to be mirrored".to_owned(),
        ));
    }
    if place::base()
        .is_ok_and(|base| root.starts_with(base.join("copies")) || base.starts_with(&root))
    {
        return Err(unusable(
            "it is, or holds, a copy of another mirror; name the workspace itself".to_owned(),
        ));
    }
    let at = match at {
        Some(at) => at,
        None => {
            let at = root.to_str().map(str::to_owned);
            at.ok_or_else(|| unusable("its path is not UTF-8; move the workspace".to_owned()))?
        }
    };
    Ok(Asked {
        target,
        root,
        at,
        worker,
        status,
        lifeline,
        lasting,
    })
}

/// Run the verb.
///
/// # Errors
/// A wrong word of the command line, a workspace that cannot be mirrored.
pub fn run(parser: Parser) -> Result<(), Failure> {
    let asked = read(parser)?;
    let running: Arc<Mutex<Option<Stop>>> = Arc::default();
    let is_over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (theirs, over) = (Arc::clone(&running), Arc::clone(&is_over));
    let end = move || {
        over.store(true, std::sync::atomic::Ordering::SeqCst);
        if let Some(stop) = &*theirs.lock().unwrap_or_else(PoisonError::into_inner) {
            stop.stop();
        }
    };
    on_signals(end.clone())?;
    if asked.lifeline {
        std::thread::spawn(move || {
            let mut byte = [0u8; 1];
            while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
            end();
        });
    }
    let folder = place::of_workspace(&place::base()?, &asked.root);
    place::prepare(&folder)?;
    let Some(_lock) = Lock::take(&folder.join("lock"))? else {
        let what = "is mirrored by another `curserve mirror` already; end that one first";
        return Err(Failure::Setup(format!(
            "mirror: {} {what}",
            asked.root.display()
        )));
    };
    let name = place::identity(&folder)?;
    let (_worker, socket) = match &asked.worker {
        Some(socket) => (None, socket.clone()),
        None => {
            let (worker, socket) = start_worker(&asked)?;
            (Some(worker), socket)
        }
    };
    let facts = Facts {
        at: asked.at.clone(),
        unknown: versions::unknown(),
        rules_above: Path::new(&asked.at) == asked.root && has_rules_above(&asked.root),
        lasting: asked.lasting,
    };
    let target = asked.target.clone();
    let connect = Arc::new(move || target.connect(&name));
    while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
        let report = Report {
            pid: std::process::id(),
            root: asked.root.display().to_string(),
            target: asked.target.shown(),
            ..Report::default()
        };
        let file = asked
            .status
            .clone()
            .unwrap_or_else(|| folder.join("status.json"));
        let reporter = Reporter::new(report, Some(&file), std::io::stderr().is_terminal());
        let worker = Remote::new(socket.clone());
        let client = Client::open(
            &asked.root,
            &folder.join("log"),
            facts.clone(),
            worker,
            connect.clone(),
            reporter,
        );
        let mut client = client.map_err(|why| Failure::Setup(format!("mirror: {why}")))?;
        *running.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.stop());
        if is_over.load(std::sync::atomic::Ordering::SeqCst) {
            break;
        }
        match client
            .run()
            .map_err(|why| Failure::Setup(format!("mirror: {why}")))?
        {
            Over::Stopped => break,
            Over::Gone => {
                let root = asked.root.display();
                eprintln!(
                    "curserve mirror: {root} is not there any more; waiting until it is back"
                );
                while !asked.root.is_dir() && !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                    std::thread::sleep(LOOKING);
                }
            }
        }
    }
    Ok(())
}

/// A worker, which ends when this is dropped, or this process ends.
struct Worker {
    child: Child,
    socket: PathBuf,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Its standard input is its lifeline.
        drop(self.child.stdin.take());
        let until = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn start_worker(asked: &Asked) -> Result<(Worker, PathBuf), Failure> {
    let folder = known::folder();
    known::prepare(&folder)?;
    let socket = folder.join(format!("worker-{}", std::process::id()));
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("worker")
        .arg("--lifeline")
        .arg("--socket")
        .arg(&socket);
    command
        .arg("--root")
        .arg(&asked.root)
        .arg("--at")
        .arg(&asked.at);
    if asked.lasting {
        command.arg("--persistent");
    }
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut worker = Worker {
        child,
        socket: socket.clone(),
    };
    let until = Instant::now() + STARTING;
    while UnixStream::connect(&socket).is_err() {
        if Instant::now() > until || !matches!(worker.child.try_wait(), Ok(None)) {
            let what =
                "the worker, which runs commands here, could not be started; its message says why";
            return Err(Failure::Setup(format!("mirror: {what}")));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((worker, socket))
}

/// Whether a folder above the workspace has, or begins, what ignore rules are read from.
fn has_rules_above(root: &Path) -> bool {
    let names = [".git", ".jj", ".gitignore", ".ignore", ".rgignore"];
    let mut above = root.ancestors().skip(1);
    above.any(|above| names.iter().any(|name| above.join(name).exists()))
}
