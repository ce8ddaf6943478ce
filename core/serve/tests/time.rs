//! A call that takes longer than it may is given up, by every tool that can take long.

use std::path::Path;
use std::time::{Duration, Instant};

use curserve_exec::Limits;
use curserve_proto::{Answer, Call, Handler};
use curserve_serve::Daemon;
use curserve_tools::World;
use serde_json::{json, Value};

fn daemon(root: &Path, timeout: Duration) -> Daemon {
    let at = root.to_str().expect("UTF-8").to_owned();
    let limits = Limits {
        timeout,
        ..Limits::default()
    };
    let world = World::of_this_machine();
    let daemon = Daemon::start(root.to_owned(), at, limits, world).expect("it starts");
    daemon.wait().expect("it loads");
    daemon
}

fn call(daemon: &Daemon, tool: &str, arguments: &Value, timeout_ms: Option<u64>) -> Answer {
    daemon.call(&Call {
        tool: tool.into(),
        arguments: arguments.as_object().cloned().expect("an object"),
        timeout_ms,
        ..Call::default()
    })
}

/// Asks up to ten times, `check`s each answer, and asserts that one came in the first `part`th of the time between `limit` and
/// what `longer` takes, which does the same and is not given up so soon. A busy machine can keep any single one waiting, but
/// not all of them where the clock is looked at; and on a quick one, what lasts a few times the limit still has such a part.
fn sooner(
    part: u32,
    limit: Duration,
    what: &str,
    longer: impl FnOnce() -> Answer,
    ask: impl Fn() -> Answer,
    check: impl Fn(Answer),
) {
    let began = Instant::now();
    longer();
    let whole = began.elapsed();
    let bound = limit + whole.saturating_sub(limit) / part;
    let mut least = Duration::MAX;
    for _ in 0..10 {
        let began = Instant::now();
        let answer = ask();
        least = least.min(began.elapsed());
        check(answer);
        if least < bound {
            return;
        }
    }
    panic!(
        "{what}: {least:?}, later than {bound:?}, where it may take {limit:?} and takes {whole:?}"
    );
}

/// Each takes a multiple of its limit without one.
fn long() -> Vec<(&'static str, Value)> {
    let rg = r"\w{5}\s+\w{5}";
    let bash = |command: String| ("bash", json!({"command": command}));
    vec![
        bash(format!("rg -c '{rg}' | wc -l")),
        bash(format!(
            "for i in $(seq 1 99); do rg -c '{rg}' . >/dev/null; done"
        )),
        bash("grep -rcE '(a|b)*c(a|b)*d(a|b)*(x|y)(a|aa)+' . | wc -l".to_owned()),
        bash(
            "for i in $(seq 1 2000); do find . -name '*7' -exec grep -c a {} +; done | wc -l"
                .to_owned(),
        ),
        bash("find . -exec sed 's/a*b*c*d*$/x/' {} \\; | wc -l".to_owned()),
        bash("sed ':a; s/x/y/; s/y/x/; ta' f0".to_owned()),
        bash(format!(
            "for i in $(seq 1 99); do rg -c '{rg}' . >/dev/null; done; echo done > made"
        )),
        ("bash", json!({"argv": ["rg", "-c", rg]})),
        ("grep", json!({"pattern": rg, "mode": "count"})),
    ]
}

#[test]
fn within_one_large_file_the_clock_is_looked_at() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    let line = |n: u64| {
        let mixed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
        format!("{mixed:013x} wordwordword aab\n")
    };
    let text: String = (0..1_500_000).map(line).collect();
    std::fs::write(root.join("large"), text).expect("a file");
    let daemon = daemon(&root, Duration::from_secs(60));
    // Each is late after a few milliseconds, and would take a multiple of that.
    for command in [
        "sort large",
        "sort -k2,2 -k1,1n large",
        "sort -u large | wc -l",
        "tr a-f A-F <large",
        "cat large | tr -d '0-9' | wc -c",
        "uniq -c large",
        "cut -d' ' -f2 large",
        "nl large",
        "cat -n large",
        "cat -A large",
        "wc -w large",
        "sed 's/a*b/x/' large",
        r"rg -n '[0-9]\w{3}x\s' large",
        r"rg -c '(a|b)+[0-9]{3}x?\s' large",
        r"rg -o '(a|b)+[0-9]{3}x?\s' large",
        r"rg -A1 '(a|b)+[0-9]{3}x\s' large",
        r"rg -v '(a|b)+[0-9]{3}\s' large",
        r"grep -nE '(a|b)+[0-9]{3}x? ' large",
        r"grep -cE '(a|b)+[0-9]{3}x? ' large",
        r"grep -vE '[a-z]+ (word)+ a' large",
    ] {
        let arguments = json!({"command": command});
        let ask = || call(&daemon, "bash", &arguments, Some(5));
        let whole = || call(&daemon, "bash", &arguments, None);
        sooner(2, Duration::from_millis(5), command, whole, ask, |answer| {
            let given = (answer.exit_code, answer.failed.as_deref(), answer.refused);
            let expected = (None, Some("timed out after 0.005 s"), None);
            assert_eq!(given, expected, "{command}");
        });
    }
}

#[test]
fn the_tools_of_agents_look_at_the_clock() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    for number in 0..3000 {
        std::fs::write(root.join(format!("f{number}")), "").expect("a file");
    }
    std::fs::create_dir(root.join("sub")).expect("a folder");
    std::fs::write(root.join("large"), "\n".repeat(6 << 20)).expect("a file");
    let daemon = daemon(&root, Duration::from_secs(60));
    // In memory, and by a path that is left to the disk.
    for way in ["", "sub/../"] {
        let path = |name: &str| format!("{way}{name}");
        for (tool, arguments, limit) in [
            ("read", json!({"path": path("large"), "numbered": true}), 5),
            ("list", json!({"path": path(".")}), 0),
            ("glob", json!({"pattern": "*7", "path": path(".")}), 0),
        ] {
            let ask = || call(&daemon, tool, &arguments, Some(limit));
            let whole = || {
                let answer = call(&daemon, tool, &arguments, None);
                assert_eq!(answer.exit_code, Some(0), "{tool} {arguments}");
                answer
            };
            let what = format!("{tool} {arguments}");
            sooner(
                1,
                Duration::from_millis(limit),
                &what,
                whole,
                ask,
                |answer| {
                    let expected = format!("timed out after {} s", limit as f64 / 1000.0);
                    let given = (answer.exit_code, answer.failed, answer.refused);
                    assert_eq!(given, (None, Some(expected), None), "{what}");
                    assert!(answer.stdout.is_empty(), "{what}");
                },
            );
        }
    }
}

#[test]
fn what_takes_longer_than_it_may_has_failed() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a path");
    for number in 0..3000 {
        let text = "hello world, aab x abcd\n".repeat(500);
        std::fs::write(root.join(format!("f{number}")), text).expect("a file");
    }
    let strict = daemon(&root, Duration::from_millis(20));
    let patient = daemon(&root, Duration::from_secs(600));
    for (tool, arguments) in long() {
        for (daemon, timeout_ms) in [(&strict, None), (&patient, Some(20))] {
            let ask = || call(daemon, tool, &arguments, timeout_ms);
            let what = format!("{tool} {arguments}");
            let longer = || call(&patient, tool, &arguments, Some(200));
            sooner(3, Duration::from_millis(20), &what, longer, ask, |answer| {
                let given = (answer.exit_code, answer.failed.as_deref(), answer.refused);
                let expected = (None, Some("timed out after 0.02 s"), None);
                assert_eq!(given, expected, "{what}");
                assert!(answer.stdout.is_empty(), "{what}");
            });
        }
    }
    assert!(
        !root.join("made").exists(),
        "a line that was given up has written"
    );
    let quick = json!({"command": "cat f0 | wc -l; find . -name f7; grep -c aab f1"});
    let answer = call(&patient, "bash", &quick, Some(60_000));
    assert_eq!(answer, Answer::done(0, "500\n./f7\n500\n", ""));
    // What a clock cannot tell is no limit.
    let answer = call(&patient, "bash", &quick, Some(u64::MAX));
    assert_eq!(answer.exit_code, Some(0));
}
