//! `read`, `list` and `glob` from memory give what the file system gives, byte for byte, also right after a change.

use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use curserve_exec::Limits;
use curserve_native::files::{Glob, List, Read};
use curserve_native::{Due, Places};
use curserve_proto::{Answer, Call, Handler};
use curserve_serve::Daemon;
use curserve_tools::World;
use proptest::prelude::*;
use serde_json::{json, Value};

/// A daemon on a folder, seen at `at`.
struct Bench {
    _folder: tempfile::TempDir,
    root: PathBuf,
    at: String,
    daemon: Daemon,
}

impl Bench {
    fn new(at: Option<&str>, fill: impl FnOnce(&Path)) -> Bench {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("its path").join("root");
        std::fs::create_dir(&root).expect("a folder");
        fill(&root);
        let at = at.unwrap_or(root.to_str().expect("UTF-8")).to_owned();
        let world = World::of_this_machine();
        let daemon = Daemon::start(root.clone(), at.clone(), Limits::default(), world);
        let daemon = daemon.expect("it starts");
        daemon.wait().expect("it loads");
        Bench {
            _folder: folder,
            root,
            at,
            daemon,
        }
    }

    /// The daemon's answer, which is that of the file system.
    fn ask(&self, tool: &str, arguments: &Value, cwd: Option<&str>) -> Answer {
        let call = Call {
            tool: tool.into(),
            arguments: arguments.as_object().cloned().expect("an object"),
            cwd: cwd.map(Into::into),
            ..Call::default()
        };
        let given = self.daemon.call(&call);
        let places = Places::new(&self.root, &self.at).confined();
        let (cwd, due) = (
            cwd.unwrap_or(&self.at),
            Due::after(Duration::from_secs(600)),
        );
        let real = match tool {
            "read" => Read::new(&call).and_then(|ask| ask.on_disk(&places, cwd, 64 << 20, due)),
            "list" => List::new(&call).and_then(|ask| ask.on_disk(&places, cwd, due)),
            _ => Glob::new(&call).and_then(|ask| ask.on_disk(&places, cwd, due)),
        };
        let real = real.unwrap_or_else(|other| other);
        assert_eq!(given, real, "{tool} {arguments} in {cwd}");
        given
    }

    fn write(&self, name: &str, text: &str) {
        write(&self.root, name, text);
    }
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

/// Gives a file a time of its own.
fn age(root: &Path, name: &str, seconds: u64) {
    let file = std::fs::File::open(root.join(name)).expect("the file");
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
    file.set_modified(time).expect("its owner may");
}

fn fill(root: &Path) {
    for (number, name) in [
        "a.txt",
        "empty",
        "src/m.py",
        "src/b.py",
        "src/deep/c.py",
        "src/deep/ä b.txt",
        ".hidden/h.py",
        "build/out.py",
        "src/gen/keep.py",
        "src/gen/lost.py",
        "x.log",
        "src/x.log",
        "src/.ignored.py",
        "src.py/inner",
        "src.py-1",
    ]
    .into_iter()
    .enumerate()
    {
        write(root, name, "one\ntwo\r\n\nthree \0 four");
        age(root, name, number as u64 * 7 % 5);
    }
    write(root, ".gitignore", "*.log\n/src/gen/*\n!keep.py\n");
    write(root, ".ignore", "build/\n!.ignored.py\n");
    symlink("src/m.py", root.join("link.py")).expect("a link");
    symlink("src", root.join("way")).expect("a link");
    symlink(root.join("src/m.py"), root.join("absolute")).expect("a link");
    symlink("/testbed/src/m.py", root.join("alias")).expect("a link");
    symlink("none", root.join("dangling")).expect("a link");
}

const PATHS: &[&str] = &[
    "",
    ".",
    "./",
    "src",
    "src/",
    "./src//deep",
    "src/deep/..",
    "..",
    "way",
    "way/deep",
    "a.txt",
    "a.txt/",
    "empty",
    "src/deep/ä b.txt",
    "link.py",
    "absolute",
    "alias",
    "dangling",
    "none",
    "none/x",
    "src/m.py/x",
    "/testbed",
    "/testbed/src",
    "/testbed/./src/m.py",
    "/",
    "/etc",
    ".git",
    "src.py",
];

fn ask_everything(bench: &Bench) {
    let inner = format!("{}/src", bench.at.trim_end_matches('/'));
    for cwd in [None, Some(inner.as_str()), Some("/"), Some("/none")] {
        for path in PATHS {
            bench.ask("list", &json!({"path": path}), cwd);
            for (offset, limit) in [(1, 99), (2, 1), (5, 5), (0, 0), (3, 0)] {
                for numbered in [false, true] {
                    let ask = json!({"path": path, "offset": offset, "limit": limit, "numbered": numbered});
                    bench.ask("read", &ask, cwd);
                }
            }
            bench.ask("read", &json!({"path": path}), cwd);
            for pattern in ["*", "**/*.py", "*.{py,txt}", "src/**", "?.py", "[", "none*"] {
                for (hidden, no_ignore) in
                    [(false, false), (true, false), (false, true), (true, true)]
                {
                    let ask = json!({"path": path, "pattern": pattern, "hidden": hidden, "no_ignore": no_ignore, "limit": 9});
                    bench.ask("glob", &ask, cwd);
                }
            }
        }
    }
    for (tool, wrong) in [
        ("read", json!({"path": 1})),
        ("list", json!({"path": []})),
        ("glob", json!({"pattern": "*", "limit": "x"})),
        ("glob", json!({})),
    ] {
        bench.ask(tool, &wrong, None);
    }
}

#[test]
fn memory_and_disk_give_one_answer() {
    for at in [None, Some("/testbed")] {
        let bench = Bench::new(at, fill);
        ask_everything(&bench);
        // In a repository the rules of version control count as well.
        bench.write(".git/HEAD", "ref: refs/heads/main\n");
        bench.write(".git/info/exclude", "src.py-1\n");
        ask_everything(&bench);
        bench.write("src/.rgignore", "*.py\n");
        bench.write("src/deep/.gitignore", "[z-a\n");
        ask_everything(&bench);
    }
}

#[test]
fn rules_above_the_root_count() {
    let bench = Bench::new(None, fill);
    let above = bench.root.with_file_name(".ignore");
    std::fs::write(above, "*.txt\n").expect("a file");
    let found = bench.ask("glob", &json!({"pattern": "*"}), None).stdout;
    assert!(!String::from_utf8_lossy(&found).contains("a.txt"));
}

#[test]
fn what_cannot_be_taken_in_is_asked_of_the_disk() {
    let bench = Bench::new(None, |root| {
        fill(root);
        write(root, "locked/x", "x");
        let mode = std::fs::Permissions::from_mode(0o0);
        std::fs::set_permissions(root.join("a.txt"), mode.clone()).expect("ours");
        std::fs::set_permissions(root.join("locked"), mode).expect("ours");
        let made = std::process::Command::new("mkfifo")
            .arg(root.join("pipe"))
            .status();
        assert!(made.expect("mkfifo").success());
    });
    for path in ["a.txt", "locked", "locked/x", "pipe", "."] {
        bench.ask("read", &json!({"path": path}), None);
        bench.ask("list", &json!({"path": path}), None);
        bench.ask("glob", &json!({"pattern": "*", "path": path}), None);
    }
    let mode = std::fs::Permissions::from_mode(0o700); // so that it can be removed
    std::fs::set_permissions(bench.root.join("locked"), mode).expect("ours");
}

/// What may happen to a tree between two questions.
#[derive(Clone, Debug)]
enum Change {
    Write(&'static str, &'static str),
    Age(&'static str, u64),
    Remove(&'static str),
    Rename(&'static str, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let names = [
        "a",
        "b.py",
        "d/c.py",
        "d/e/f.py",
        ".h/g",
        ".gitignore",
        "d/.ignore",
        "d",
        ".git/HEAD",
    ];
    let name = move || proptest::sample::select(names.to_vec());
    let texts = [
        "",
        "x\n",
        "*.py\n",
        "/d\n!c.py\n",
        "e/\n",
        "!.h\n",
        "one\ntwo\nthree",
    ];
    prop_oneof![
        4 => (name(), proptest::sample::select(texts.to_vec())).prop_map(|(n, t)| Change::Write(n, t)),
        1 => (name(), 0..5u64).prop_map(|(n, t)| Change::Age(n, t)),
        1 => name().prop_map(Change::Remove),
        1 => (name(), name()).prop_map(|(from, to)| Change::Rename(from, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_change_is_in_the_next_answer(changes in proptest::collection::vec(change(), 1..25)) {
        let bench = Bench::new(None, |_| {});
        for change in changes {
            let at = |name: &str| bench.root.join(name);
            // What cannot be done here (a folder in the way of a file) is not done.
            match change {
                Change::Write(name, text) => {
                    let _ = std::fs::create_dir_all(at(name).parent().expect("a folder"));
                    let _ = std::fs::write(at(name), text);
                }
                Change::Age(name, seconds) if at(name).exists() => age(&bench.root, name, seconds),
                Change::Age(..) => {}
                Change::Remove(name) => {
                    let _ = std::fs::remove_file(at(name));
                    let _ = std::fs::remove_dir_all(at(name));
                }
                Change::Rename(from, to) => {
                    let _ = std::fs::rename(at(from), at(to));
                }
            }
            bench.ask("list", &json!({}), None);
            bench.ask("list", &json!({"path": "d"}), None);
            bench.ask("read", &json!({"path": "d/c.py"}), None);
            for hidden in [false, true] {
                bench.ask("glob", &json!({"pattern": "**", "hidden": hidden}), None);
                bench.ask("glob", &json!({"pattern": "*", "path": "d", "hidden": hidden}), None);
            }
        }
    }
}
