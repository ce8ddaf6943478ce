//! The tools that touch files themselves: no edit is lost, and no link leads them out of the root, whenever it comes.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use curserve_exec::Limits;
use curserve_proto::{Answer, Call, Handler};
use curserve_serve::Daemon;
use curserve_tools::World;
use serde_json::{json, Value};

/// A folder `root` with a file, a secret beside it, and a daemon on it.
struct Bench {
    _folder: tempfile::TempDir,
    root: PathBuf,
    daemon: Daemon,
}

impl Bench {
    fn new(fill: impl Fn(&Path)) -> Bench {
        Bench::limited(Limits::default(), fill)
    }

    fn limited(limits: Limits, fill: impl Fn(&Path)) -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let base = folder.path().canonicalize().expect("its path");
        let root = base.join("root");
        std::fs::create_dir_all(root.join("dir")).expect("a folder");
        std::fs::create_dir(base.join("outer")).expect("a folder");
        std::fs::write(base.join("outer/hidden.txt"), "SECRET\n").expect("a file");
        std::fs::write(root.join("inside"), "inside\n").expect("a file");
        std::fs::write(root.join("dir/plain.txt"), "inside\n").expect("a file");
        fill(&root);
        let at = root.to_str().expect("UTF-8").to_owned();
        let world = World::of_this_machine();
        let daemon = Daemon::start(root.clone(), at, limits, world).expect("it starts");
        daemon.wait().expect("it loads");
        Bench {
            _folder: folder,
            root,
            daemon,
        }
    }

    fn call(&self, tool: &str, arguments: &Value) -> Answer {
        self.daemon.call(&Call {
            tool: tool.into(),
            arguments: arguments.as_object().cloned().expect("an object"),
            ..Call::default()
        })
    }

    fn outer(&self, name: &str) -> PathBuf {
        self.root.with_file_name("outer").join(name)
    }
}

#[test]
fn of_many_edits_at_once_none_is_lost() {
    const EDITS: usize = 40;
    let lines: String = (0..EDITS).map(|n| format!("<{n}>\n")).collect();
    let bench = Bench::new(|root| std::fs::write(root.join("e.txt"), &lines).expect("a file"));
    for round in 0..5 {
        std::fs::write(bench.root.join("e.txt"), &lines).expect("a file");
        std::thread::scope(|scope| {
            for n in 0..EDITS {
                let bench = &bench;
                scope.spawn(move || {
                    let (old, new) = (format!("<{n}>"), format!("done {n}"));
                    let change = json!({"path": "e.txt", "old": old, "new": new});
                    let answer = bench.call("edit", &change);
                    assert_eq!(answer.exit_code, Some(0), "{answer:?}");
                });
            }
        });
        let text = std::fs::read_to_string(bench.root.join("e.txt")).expect("the file");
        assert_eq!(text.matches("done").count(), EDITS, "round {round}");
    }
}

#[test]
fn an_edit_and_a_line_that_writes_do_not_undo_each_other() {
    let bench = Bench::new(|_| {});
    for round in 0..50 {
        let path = bench.root.join("both.txt");
        std::fs::write(&path, "one\ntwo\n").expect("a file");
        let (edited, line) = std::thread::scope(|scope| {
            let edit = scope.spawn(|| {
                let change = json!({"path": "both.txt", "old": "one", "new": "1"});
                bench.call("edit", &change)
            });
            let line = json!({"command": "sed -i s/two/2/ both.txt"});
            let line = bench.call("bash", &line);
            (edit.join().expect("it ends"), line)
        });
        let text = std::fs::read_to_string(&path).expect("the file");
        assert_eq!(edited.exit_code, Some(0), "{edited:?}");
        let second = if line.refused.is_some() { "two" } else { "2" };
        assert_eq!(text, format!("1\n{second}\n"), "round {round}");
    }
}

#[test]
fn an_edit_takes_no_more_memory_than_a_file_may_have() {
    const MOST: u64 = 4096;
    let limits = Limits {
        file: MOST,
        ..Limits::default()
    };
    let most = MOST as usize;
    let bench = Bench::limited(limits, |root| {
        std::fs::write(root.join("full"), "a".repeat(most)).expect("a file");
        std::fs::write(root.join("over"), "a".repeat(most + 1)).expect("a file");
        let huge = std::fs::File::create(root.join("huge")).expect("a file");
        huge.set_len(1 << 42).expect("a file with a hole"); // more than there is memory
    });
    let edit = |path: &str, old: &str, new: &str| {
        let change = json!({"path": path, "old": old, "new": new, "all": true});
        bench.call("edit", &change)
    };
    let too_long = |path: &str| {
        let what = "more than 4096 bytes, and no file may have more";
        Answer::done(1, "", format!("edit: {path}: {what}\n"))
    };
    for path in ["over", "huge"] {
        assert_eq!(edit(path, "a", "b"), too_long(path));
    }
    assert_eq!(edit("full", "a", "bb"), too_long("full"));
    assert_eq!(edit("full", "aa", "bb"), Answer::done(0, "", ""));
    let text = std::fs::read_to_string(bench.root.join("full")).expect("the file");
    assert_eq!(text, "b".repeat(most));
}

/// Swaps `one` and `other` until told to stop; at no time is one of them missing.
fn swap(one: &Path, other: &Path, stop: &AtomicBool) {
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).expect("no NUL");
    let (one, other) = (name(one), name(other));
    while !stop.load(Ordering::Relaxed) {
        let (here, how) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
        // SAFETY: both names are NUL-terminated and outlive the call.
        let done = unsafe { libc::renameat2(here, one.as_ptr(), here, other.as_ptr(), how) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }
}

/// Stops when it goes, also by a panic.
struct Stopping<'s>(&'s AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks while two names are swapped; gives each answer to `judge`.
fn ask_while_swapping(
    bench: &Bench,
    names: [&str; 2],
    ask: &[(&str, Value)],
    judge: impl Fn(&str, &Answer),
) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            swap(
                &bench.root.join(names[0]),
                &bench.root.join(names[1]),
                &stop,
            )
        });
        let _stopping = Stopping(&stop);
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            for (tool, arguments) in ask {
                judge(tool, &bench.call(tool, arguments));
            }
        }
    });
}

fn shows_no_secret(tool: &str, answer: &Answer) {
    let output = String::from_utf8_lossy(&answer.stdout);
    let leaks = output.contains("SECRET") || output.contains("hidden");
    assert!(!leaks, "{tool}: {output}");
}

#[test]
fn a_link_that_is_swapped_in_leads_nobody_out() {
    let bench = Bench::new(|root| {
        symlink("inside", root.join("flip")).expect("a link");
        symlink("../outer/hidden.txt", root.join("flop")).expect("a link");
        symlink("../outer", root.join("way")).expect("a link");
    });
    ask_while_swapping(
        &bench,
        ["flip", "flop"],
        &[("read", json!({"path": "flip"}))],
        shows_no_secret,
    );
    // A folder, and a link to one outside, in turns: on the way, and at the end.
    let ask = [
        ("read", json!({"path": "dir/hidden.txt"})),
        ("list", json!({"path": "dir"})),
        ("glob", json!({"pattern": "*.txt", "path": "dir"})),
    ];
    ask_while_swapping(&bench, ["dir", "way"], &ask, shows_no_secret);
}

#[test]
fn a_link_that_is_swapped_in_takes_no_write_out() {
    let bench = Bench::new(|root| {
        symlink("inside", root.join("flip")).expect("a link");
        symlink("../outer/hidden.txt", root.join("flop")).expect("a link");
        symlink("../outer", root.join("way")).expect("a link");
    });
    let ask = [
        ("write", json!({"path": "dir/new.txt", "content": "x\n"})),
        (
            "write",
            json!({"path": "dir/deep/new.txt", "content": "x\n"}),
        ),
        (
            "edit",
            json!({"path": "dir/hidden.txt", "old": "SECRET", "new": "x"}),
        ),
    ];
    ask_while_swapping(&bench, ["dir", "way"], &ask, shows_no_secret);
    let ask = [
        ("write", json!({"path": "flip", "content": "x\n"})),
        ("edit", json!({"path": "flip", "old": "SECRET", "new": "x"})),
    ];
    ask_while_swapping(&bench, ["flip", "flop"], &ask, shows_no_secret);
    let secret = std::fs::read_to_string(bench.outer("hidden.txt")).expect("the secret");
    assert_eq!(secret, "SECRET\n");
    let names = std::fs::read_dir(bench.outer(""))
        .expect("a folder")
        .count();
    assert_eq!(names, 1, "something was written outside");
}

#[test]
fn links_that_stay_inside_are_followed_and_others_refused() {
    let bench = Bench::new(|root| {
        symlink("dir/plain.txt", root.join("near")).expect("a link");
        symlink(root.join("dir"), root.join("absolute")).expect("a link");
        symlink("missing", root.join("dangling")).expect("a link");
        symlink("../outer/none", root.join("astray")).expect("a link");
        symlink("../outer", root.join("way")).expect("a link");
        symlink("loop", root.join("loop")).expect("a link");
    });
    let read = |path: &str| bench.call("read", &json!({"path": path}));
    for path in [
        "near",
        "absolute/plain.txt",
        "dir/../near",
        "./dir//plain.txt",
    ] {
        assert_eq!(read(path), Answer::done(0, "inside\n", ""), "{path}");
    }
    for (path, what) in [
        ("none", "No such file or directory"),
        ("dangling", "No such file or directory"),
        ("inside/x", "Not a directory"),
        ("dir", "Is a directory"),
        ("loop", "Too many levels of symbolic links"),
    ] {
        let message = format!("read: {path}: {what}\n");
        assert_eq!(read(path), Answer::done(1, "", message), "{path}");
    }
    for path in [
        "astray",
        "way",
        "way/hidden.txt",
        "way/none",
        "../outer",
        "none/../../outer",
    ] {
        for (tool, arguments) in [
            ("read", json!({"path": path})),
            ("list", json!({"path": path})),
            ("glob", json!({"path": path, "pattern": "*"})),
            ("edit", json!({"path": path, "old": "S", "new": "x"})),
            ("edit", json!({"path": path, "old": "", "new": "x"})),
            ("write", json!({"path": path, "content": "x"})),
        ] {
            let answer = bench.call(tool, &arguments);
            let reason = answer
                .refused
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(reason.contains("not below"), "{tool} {path}: {answer:?}");
        }
    }
    let write = |path: &str| bench.call("write", &json!({"path": path, "content": "new\n"}));
    for path in ["dangling", "a/b/c", "absolute/made"] {
        assert_eq!(write(path), Answer::done(0, "", ""), "{path}");
    }
    for name in ["missing", "a/b/c", "dir/made"] {
        let text = std::fs::read_to_string(bench.root.join(name)).expect("it is there");
        assert_eq!(text, "new\n", "{name}");
    }
    assert_eq!(bench.call("list", &json!({})).exit_code, Some(0));
    let names = bench.call("bash", &json!({"command": "ls loop dangling near"}));
    let real = std::process::Command::new("ls")
        .args(["loop", "dangling", "near"])
        .current_dir(&bench.root)
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("ls");
    let real = Answer::done(real.status.code().unwrap_or(-1), real.stdout, real.stderr);
    assert_eq!(names, real);
    // Whether what lies outside is a folder, whose names ls would show, is not known here.
    for command in ["ls way", "ls -a way dir", "ls -l way/", "ls -L way"] {
        let answer = bench.call("bash", &json!({"command": command}));
        assert!(answer.refused.is_some(), "{command}: {answer:?}");
    }
}
