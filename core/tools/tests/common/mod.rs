//! A tree, the corpus over it, and both ways to run a command there.

#![allow(dead_code)] // each user takes its part

use std::process::{Command, Stdio};

use curserve_corpus::{Corpus, Options};
use curserve_tools::{Call, Memory, Out, Refusal, Stdin, World};

/// Standard output, standard error, exit code.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer(pub Vec<u8>, pub Vec<u8>, pub i32);

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Answer(out, err, code) = self;
        write!(
            f,
            "{code} {:?} {:?}",
            String::from_utf8_lossy(out),
            String::from_utf8_lossy(err)
        )
    }
}

/// What the tool answers.
pub fn ours(corpus: &Corpus, args: &[String], stdin: Option<&[u8]>) -> Result<Answer, Refusal> {
    ours_within(&Memory::default(), corpus, args, stdin)
}

/// What the tool answers if it may take so much memory, its answer apart.
pub fn ours_within(
    memory: &Memory,
    corpus: &Corpus,
    args: &[String],
    stdin: Option<&[u8]>,
) -> Result<Answer, Refusal> {
    let snapshot = corpus.snapshot().unwrap();
    let (mut out, mut err) = (Out::new(1 << 30), Out::new(1 << 30));
    let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.clone().into_bytes()).collect();
    let mut call = Call {
        args: &args,
        stdin: stdin.map_or(Stdin::DevNull, Stdin::Bytes),
        cwd: snapshot.at(),
        snapshot: &snapshot,
        world: &World::default(),
        out: &mut out,
        err: &mut err,
        writes: None,
        deadline: curserve_tools::Deadline::default(),
        memory,
    };
    let code = curserve_tools::run(&args[0], &mut call)?;
    Ok(Answer(out.into_bytes(), err.into_bytes(), code))
}

/// What the real program answers in the pinned world.
pub fn theirs(
    program: &str,
    root: &std::path::Path,
    args: &[String],
    stdin: Option<&[u8]>,
) -> Answer {
    let mut command = Command::new(program);
    command.args(&args[1..]).current_dir(root).env_clear();
    command
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env("HOME", "/nonexistent");
    command.stdin(if stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    });
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if let Some(bytes) = stdin {
        use std::io::Write;
        let _ = child.stdin.take().unwrap().write_all(bytes);
    }
    let output = child.wait_with_output().unwrap();
    Answer(
        output.stdout,
        output.stderr,
        output.status.code().unwrap_or(-1),
    )
}

/// The real rg, version 15; None where it is not installed.
pub fn rg() -> Option<String> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/rg");
    let is_15 = |path: &&str| {
        let output = Command::new(path).arg("--version").output();
        output.is_ok_and(|output| output.stdout.starts_with(b"ripgrep 15."))
    };
    [beside, "rg"]
        .iter()
        .find(|path| is_15(path))
        .map(|path| path.to_string())
}

/// Loads `root`.
pub fn load(root: &std::path::Path) -> Corpus {
    Corpus::load(root, Options::default()).unwrap()
}
