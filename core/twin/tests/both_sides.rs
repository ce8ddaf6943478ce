//! A client and a session on two real folders, a real worker, and streams that are cut.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use curserve_exec::gauges::Gauges;
use curserve_exec::{Limits, Worker, World};
use curserve_proto::{Answer, Call, Handler};
use curserve_twin::{Client, Facts, Over, Remote, Report, Reporter, Session, Stop, Streams};
use serde_json::{json, Value};

/// A worker waits for all children of its process: one test at a time has one.
static ALONE: Mutex<()> = Mutex::new(());

struct Pair {
    _alone: MutexGuard<'static, ()>,
    served: curserve_serve::Stop,
    _all: tempfile::TempDir,
    root: PathBuf,
    session: Session,
    stop: Stop,
    client: Option<std::thread::JoinHandle<Result<Over, String>>>,
    worker: Arc<Worker>,
    /// Ends the connection that there is.
    cut: Arc<Mutex<Option<UnixStream>>>,
}

fn streams(stream: UnixStream) -> Streams {
    let (from, to) = (stream.try_clone().unwrap(), stream.try_clone().unwrap());
    Streams {
        from: Box::new(from),
        to: Box::new(to),
        end: Box::new(move || drop(stream.shutdown(std::net::Shutdown::Both))),
    }
}

impl Pair {
    fn new(fill: impl FnOnce(&Path)) -> Pair {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let all = tempfile::tempdir().unwrap();
        let base = all.path().canonicalize().unwrap();
        let root = base.join("work");
        fs::create_dir(&root).unwrap();
        fill(&root);
        let at = root.to_str().unwrap().to_owned();
        let world = World::new(root.clone(), at.clone());
        let worker = Arc::new(Worker::new(world, Gauges::default(), false).unwrap());
        let socket = base.join("worker");
        let listener = UnixListener::bind(&socket).unwrap();
        let served = Arc::clone(&worker);
        let serving = curserve_serve::Stop::default();
        let stop = serving.clone();
        std::thread::spawn(move || {
            curserve_serve::serve(listener, served, curserve_serve::Limits::default(), stop)
        });
        let session = Session::open(
            &base.join("copy"),
            &base.join("server.log"),
            Limits::default(),
        )
        .unwrap();
        let cut: Arc<Mutex<Option<UnixStream>>> = Arc::default();
        let (server, held) = (session.clone(), Arc::clone(&cut));
        let connect = Arc::new(move || {
            let (near, far) = UnixStream::pair().unwrap();
            *held.lock().unwrap() = Some(near.try_clone().unwrap());
            let server = server.clone();
            std::thread::spawn(move || server.connect(streams(far)).unwrap());
            Ok(streams(near))
        });
        let facts = Facts {
            at,
            ..Facts::default()
        };
        let reporter = Reporter::new(Report::default(), None, false);
        let log = base.join("client.log");
        let mut client =
            Client::open(&root, &log, facts, Remote::new(socket), connect, reporter).unwrap();
        let stop = client.stop();
        let client = std::thread::spawn(move || client.run());
        let pair = Pair {
            _alone: alone,
            served: serving,
            _all: all,
            root,
            session,
            stop,
            client: Some(client),
            worker,
            cut,
        };
        pair.until("loaded", |stats| stats["loaded"] == true);
        pair
    }

    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_so(&self.session.stats()) {
            assert!(
                Instant::now() < end,
                "never {what}: {}",
                self.session.stats()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn call(&self, tool: &str, arguments: Value) -> Answer {
        let arguments = arguments.as_object().unwrap().clone();
        let call = Call {
            tool: tool.to_owned(),
            arguments,
            ..Call::default()
        };
        Handler::call(&self.session, &call)
    }

    /// The answer, and whether it came from the copy.
    fn bash(&self, line: &str) -> (Answer, bool) {
        let answer = self.call("bash", json!({ "command": line }));
        let is_here = answer
            .mirror
            .as_ref()
            .is_some_and(|cost| cost.home.is_none());
        (answer, is_here)
    }

    /// All that the workspace shows now is known to the session. One that is cut off is asked for again.
    fn barrier(&self) {
        let is_done = |_| self.call("barrier", json!({})).failed.is_none();
        assert!((0..100).any(is_done));
    }

    fn real(&self, line: &str) -> Answer {
        let arguments = json!({ "command": line }).as_object().unwrap().clone();
        let call = Call {
            tool: "bash".to_owned(),
            arguments,
            ..Call::default()
        };
        self.worker.call(&call)
    }

    /// The answer is the real programs' own; whether it came from the copy.
    fn same(&self, line: &str) -> bool {
        let (answer, is_here) = self.bash(line);
        let real = self.real(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            (
                answer.exit_code,
                text(&answer.stdout),
                text(&answer.stderr),
                answer.failed.clone()
            ),
            (real.exit_code, text(&real.stdout), text(&real.stderr), None),
            "{line}: {:?}",
            answer.mirror
        );
        is_here
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.stop.stop();
        self.served.stop();
        if let Some(client) = self.client.take() {
            let over = client.join();
            if !std::thread::panicking() {
                assert_eq!(over.unwrap(), Ok(Over::Stopped));
            }
        }
    }
}

fn workspace(root: &Path) {
    for folder in ["src/deep", ".git/info", "build"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let write = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
    write("src/main.rs", "fn main() {}\nfn other() {}\n");
    for name in ["z", "a", "m", "b", "y", "c"] {
        write(
            &format!("src/deep/{name}.rs"),
            &format!("fn {name}() {{}}\n"),
        );
    }
    write(".gitignore", "build/\n");
    write(".git/info/exclude", "*.tmp\n");
    write(".git/HEAD", "ref: refs/heads/main\n");
    write("build/out.txt", "fn built() {}\n");
    write(".env", "SECRET=1\n");
    write("x.tmp", "fn temporary() {}\n");
    symlink("src/main.rs", root.join("link")).unwrap();
    symlink("/etc/passwd", root.join("out")).unwrap();
}

#[test]
fn what_the_copy_has_is_answered_there_and_all_else_at_home() {
    let pair = Pair::new(workspace);
    let here = [
        "cat src/main.rs",
        "find src",
        "ls -U src/deep",
        "ls",
        "ls -a src",
        "grep -rn fn src",
        "grep -rl other src | head -1",
        "cat link",
        "find . -name '*.rs' -newer .gitignore",
        "find . -type f -size +0",
        "wc -l src/main.rs",
        "sed -n 2p src/main.rs",
        "find .git -type f",
    ];
    let homes: Vec<&str> = here.into_iter().filter(|line| !pair.same(line)).collect();
    assert_eq!(homes, Vec::<&str>::new(), "{}", pair.session.stats());
    let home = [
        "cat .env",
        "cat build/out.txt",
        "grep -rn fn .",
        "cat .git/HEAD",
        "ls -l src",
        "ls -i src/main.rs",
        "test -w src/main.rs && echo yes",
        "find src -links 1",
        "find src -size 1",
        "cat out",
        "uname",
        "echo new > fresh.txt; cat fresh.txt",
    ];
    for line in home {
        assert!(!pair.same(line), "{line} was answered from the copy");
    }
    // What a call at home did is there for the next one.
    assert!(pair.same("cat fresh.txt"));
    assert!(pair.same("ls -U"));
}

#[test]
fn a_call_sees_what_was_changed_before_it() {
    let pair = Pair::new(workspace);
    for number in 0..50 {
        fs::write(
            pair.root.join("src/main.rs"),
            format!("fn number_{number}() {{}}\n"),
        )
        .unwrap();
        pair.barrier();
        let (answer, is_here) = pair.bash("grep -c number src/main.rs; cat src/main.rs");
        assert_eq!(
            String::from_utf8_lossy(&answer.stdout),
            format!("1\nfn number_{number}() {{}}\n")
        );
        assert!(is_here);
        let name = format!("made_{number}");
        let (made, _) = pair.bash(&format!(
            "mkdir {name} && mv src/deep {name}/ && mv {name}/deep src/"
        ));
        assert_eq!(made.exit_code, Some(0), "{made:?}");
        assert!(pair.same("find src"));
        assert!(pair.same("ls -U"));
    }
}

#[test]
fn an_edit_beside_the_model_reaches_the_workspace() {
    let pair = Pair::new(workspace);
    fs::hard_link(pair.root.join("src/main.rs"), pair.root.join("twin.rs")).unwrap();
    pair.barrier();
    let path = pair.root.join("src/main.rs");
    let path = path.to_str().unwrap();
    let edit = json!({"path": path, "old": "fn other", "new": "fn another"});
    let answer = pair.call("edit", edit.clone());
    assert_eq!(
        (answer.exit_code, answer.mirror.unwrap().home),
        (Some(0), None)
    );
    // It shows at once beside the model …
    let read = pair.call("read", json!({ "path": path }));
    assert!(
        String::from_utf8_lossy(&read.stdout).contains("another"),
        "{read:?}"
    );
    // … and what runs at home comes behind it.
    let (real, is_here) = pair.bash("uname > /dev/null; cat src/main.rs twin.rs");
    assert!(!is_here);
    assert_eq!(
        String::from_utf8_lossy(&real.stdout)
            .matches("another")
            .count(),
        2
    );
    assert!(pair.same("cat src/main.rs"));
    // The same edit again is no edit: what is wrong with it, the real one says.
    let again = pair.call("edit", edit);
    assert_ne!(again.exit_code, Some(0));
    assert!(again.mirror.unwrap().home.is_some());
    // A line that writes.
    assert!(pair.bash("sed -i 's/another/third/' src/main.rs").1);
    assert!(pair.same("cat src/main.rs; ls -t src | head -2"));
    assert!(fs::read_to_string(path).unwrap().contains("third"));
    let made = pair.call(
        "write",
        json!({"path": pair.root.join("new.txt").to_str().unwrap(), "content": "n"}),
    );
    assert_eq!(made.exit_code, Some(0));
    assert!(pair.same("cat new.txt; find . -name '*.txt'"));
    pair.until("settled", |stats| stats["edits_without_verdict"] == 0);
}

#[test]
fn a_connection_that_is_cut_comes_back_and_nothing_is_stale() {
    let pair = Pair::new(workspace);
    for number in 0..10 {
        let stream = pair.cut.lock().unwrap().take().unwrap();
        stream.shutdown(std::net::Shutdown::Both).unwrap();
        fs::write(
            pair.root.join("src/main.rs"),
            format!("fn cut_{number}() {{}}\n"),
        )
        .unwrap();
        fs::rename(pair.root.join("src/deep"), pair.root.join("src/other")).unwrap();
        pair.barrier();
        let (answer, _) = pair.bash("cat src/main.rs");
        assert_eq!(
            String::from_utf8_lossy(&answer.stdout),
            format!("fn cut_{number}() {{}}\n")
        );
        pair.same("find . -type f -name '*.rs'");
        fs::rename(pair.root.join("src/other"), pair.root.join("src/deep")).unwrap();
    }
}

#[test]
fn long_calls_and_answers_travel_whole() {
    let pair = Pair::new(workspace);
    let text = "x".repeat(2 << 20);
    let path = pair.root.join("long.txt");
    let made = pair.call(
        "write",
        json!({"path": path.to_str().unwrap(), "content": text}),
    );
    assert_eq!(made.exit_code, Some(0), "{:?}", made.failed);
    let (answer, is_here) = pair.bash("uname > /dev/null; cat long.txt long.txt");
    assert!(!is_here);
    assert_eq!(answer.stdout.len(), 4 << 20);
    assert!(pair.same("wc -c long.txt"));
}

/// Runs git in `folder`.
fn git(folder: &Path, words: &[&str]) {
    let mut git = std::process::Command::new("git");
    git.current_dir(folder)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"]);
    let done = git.args(words).output().unwrap();
    assert!(done.status.success(), "{words:?}: {done:?}");
}

#[test]
fn no_answer_comes_from_a_half_switched_tree() {
    const FILES: usize = 400;
    let fill = |root: &Path| {
        fs::create_dir_all(root.join("src")).unwrap();
        git(root, &["init", "-q", "-b", "one"]);
        for version in ["one", "two"] {
            for number in 0..FILES {
                let text = format!("{number} version {version}\n");
                fs::write(root.join(format!("src/{number}.txt")), text).unwrap();
            }
            git(root, &["add", "."]);
            git(root, &["commit", "-q", "-m", version]);
            if version == "one" {
                git(root, &["switch", "-q", "-c", "two"]);
            }
        }
    };
    let pair = Pair::new(fill);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let load =
        |is_over: &std::sync::atomic::AtomicBool| is_over.load(std::sync::atomic::Ordering::SeqCst);
    let seen = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut seen = [0, 0];
            while !load(&is_over) {
                let (answer, is_here) = pair.bash("grep -rhc 'version one' src | sort | uniq -c");
                let shown = String::from_utf8(answer.stdout).unwrap();
                let shown: Vec<&str> = shown.split_whitespace().collect();
                match shown[..] {
                    ["400", "1"] => seen[0] += usize::from(is_here),
                    ["400", "0"] => seen[1] += usize::from(is_here),
                    // At home it is what it is.
                    _ => assert!(!is_here, "{shown:?} from the copy"),
                }
            }
            seen
        });
        for round in 0..6 {
            git(&pair.root, &["switch", "-q", ["one", "two"][round % 2]]);
            std::thread::sleep(Duration::from_millis(150));
        }
        pair.barrier();
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
        asking.join().unwrap()
    });
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
    assert!(pair.same("cat src/1.txt src/999.txt"));
    assert!(pair.same("find src -name '*.txt' | wc -l"));
}
