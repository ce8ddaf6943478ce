//! Any arguments at all of the agents' own tools, and any command: the daemon answers, without a defect of its own, and in time.
#![no_main]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use curserve_exec::Limits;
use curserve_proto::{Call, Caller, Handler};
use curserve_serve::Daemon;
use curserve_tools::World;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use serde_json::{Map, Value};

/// What is asked.
#[derive(Arbitrary, Debug)]
struct Asked<'a> {
    tool: Tool,
    cwd: Option<&'a str>,
    arguments: Vec<(Name, Given<'a>)>,
    caller: Option<Asking<'a>>,
}

/// In whose place.
#[derive(Arbitrary, Debug)]
struct Asking<'a> {
    environment: Vec<(&'a str, &'a str)>,
    shell: Option<&'a str>,
    has_input: bool,
    merged: bool,
}

#[derive(Arbitrary, Debug)]
enum Tool {
    Bash,
    Grep,
    Glob,
    Read,
    List,
    Edit,
    Write,
}

#[derive(Arbitrary, Debug)]
enum Name {
    Command,
    Argv,
    Path,
    Pattern,
    Glob,
    Type,
    Mode,
    Limit,
    Offset,
    Context,
    Numbered,
    Multiline,
    Hidden,
    Old,
    New,
    All,
    Content,
}

#[derive(Arbitrary, Debug)]
enum Given<'a> {
    Text(&'a str),
    Number(u64),
    Float(f64),
    Flag(bool),
    Texts(Vec<&'a str>),
    Nothing,
}

fn daemon() -> &'static Daemon {
    static DAEMON: OnceLock<(tempfile::TempDir, Daemon)> = OnceLock::new();
    let start = || {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its path");
        std::fs::create_dir(root.join("d")).expect("a folder");
        std::fs::write(root.join("d/a.txt"), "a b\nc\n").expect("a file");
        let at = root.to_str().expect("UTF-8").to_owned();
        let daemon = Daemon::start(root, at, Limits::default(), World::of_this_machine());
        let daemon = daemon.expect("it starts");
        daemon.wait().expect("it loads");
        (folder, daemon)
    };
    &DAEMON.get_or_init(start).1
}

libfuzzer_sys::fuzz_target!(|asked: Asked<'_>| {
    let mut arguments = Map::new();
    for (name, given) in asked.arguments {
        let value = match given {
            Given::Text(text) => text.into(),
            Given::Number(number) => number.into(),
            Given::Float(number) => number.into(),
            Given::Flag(flag) => flag.into(),
            Given::Texts(texts) => texts.into(),
            Given::Nothing => Value::Null,
        };
        arguments.insert(format!("{name:?}").to_lowercase(), value);
    }
    let call = Call {
        tool: format!("{:?}", asked.tool).to_lowercase(),
        arguments,
        cwd: asked.cwd.map(Into::into),
        timeout_ms: Some(200),
        caller: asked.caller.map(|who| Caller {
            environment: who
                .environment
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            shell: who.shell.map(Into::into),
            has_input: who.has_input,
            merged: who.merged,
        }),
    };
    let began = Instant::now();
    let answer = daemon().call(&call);
    assert!(began.elapsed() < Duration::from_secs(2), "{call:?}");
    let told = [
        answer.exit_code.is_some(),
        answer.refused.is_some(),
        answer.failed.is_some(),
    ];
    assert_eq!(
        told.iter().filter(|is| **is).count(),
        1,
        "{call:?} {answer:?}"
    );
    assert_eq!(daemon().stats()["panics"], 0, "{call:?}");
});
