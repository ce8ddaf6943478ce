//! Lines that write files: on two equal trees, by the daemon and by the real `bash`; answers and trees stay equal.

use std::collections::BTreeMap;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use curserve_exec::Limits;
use curserve_proto::{Call, Handler};
use curserve_serve::Daemon;
use curserve_tools::World;
use proptest::prelude::*;

fn fill(root: &Path) {
    std::fs::create_dir_all(root.join("src/deep")).expect("folders");
    let write = |name: &str, text: &str| std::fs::write(root.join(name), text).expect("a file");
    write("a.txt", "one\ntwo\nthree\ntwo\n");
    write("b.txt", "last line\nhas no newline");
    write(
        "src/m.py",
        "import os\n\n\ndef f(x):\n    return x\n\n\ndef g(x):\n    return x + 1\n",
    );
    write("src/deep/n.py", "x = 1\n");
    write("run.sh", "#!/bin/sh\necho hi\n");
    write("empty", "");
    write("lock", "read only\n");
    let mode = |name: &str, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(root.join(name), mode).expect("a mode");
    };
    mode("run.sh", 0o755);
    mode("lock", 0o444);
    std::fs::hard_link(root.join("a.txt"), root.join("hard")).expect("a hard link");
    symlink("a.txt", root.join("link")).expect("a link");
    symlink("src", root.join("ldir")).expect("a link");
}

/// Mode, links and content by path.
fn tree(root: &Path) -> BTreeMap<String, (u32, u64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let meta = path.symlink_metadata().expect("metadata");
            let (links, bytes) = match meta.is_file() {
                true => (meta.nlink(), std::fs::read(&path).expect("a file")),
                false => (0, Vec::new()),
            };
            if meta.is_dir() {
                folders.push(path.clone());
            }
            let name = path.strip_prefix(root).expect("below");
            found.insert(name.display().to_string(), (meta.mode(), links, bytes));
        }
    }
    found
}

type Outcome = (Option<i32>, String, String);

struct Pair {
    _folder: tempfile::TempDir,
    ours: std::path::PathBuf,
    theirs: std::path::PathBuf,
    daemon: Daemon,
}

impl Pair {
    fn new() -> Pair {
        let folder = tempfile::tempdir().expect("a folder");
        let base = folder.path().canonicalize().expect("its path");
        let (ours, theirs) = (base.join("ours"), base.join("theirs"));
        fill(&ours);
        fill(&theirs);
        let at = ours.to_str().expect("UTF-8").to_owned();
        let world = World::of_this_machine();
        let daemon = Daemon::start(ours.clone(), at, Limits::default(), world).expect("it starts");
        daemon.wait().expect("it loads");
        Pair {
            _folder: folder,
            ours,
            theirs,
            daemon,
        }
    }

    fn ours(&self, line: &str) -> Result<Outcome, String> {
        let mut call = Call {
            tool: "bash".into(),
            ..Call::default()
        };
        call.arguments.insert("command".into(), line.into());
        let answer = self.daemon.call(&call);
        assert_eq!(answer.failed, None, "{line}");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        match answer.refused {
            Some(why) => Err(why.to_string()),
            None => Ok((answer.exit_code, text(answer.stdout), text(answer.stderr))),
        }
    }

    fn theirs(&self, line: &str) -> Outcome {
        let done = Command::new("bash")
            .args(["-c", line])
            .current_dir(&self.theirs)
            .env_clear()
            .env("LC_ALL", "C.UTF-8")
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .output()
            .expect("bash runs");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (done.status.code(), text(done.stdout), text(done.stderr))
    }

    /// Runs `line` on both trees and compares; whether it was answered. A refused line must have changed nothing.
    fn compare(&self, line: &str) -> Result<bool, String> {
        let before = tree(&self.ours);
        let answered = match self.ours(line) {
            Err(_) => {
                let after = tree(&self.ours);
                return match after == before {
                    true => Ok(false),
                    false => Err(format!("{line}: refused, but the tree has changed")),
                };
            }
            Ok(answered) => answered,
        };
        let real = self.theirs(line);
        let (here, there) = (tree(&self.ours), tree(&self.theirs));
        if answered != real || here != there {
            return Err(format!(
                "{line}\n  here {answered:?}\n  real {real:?}\n  {here:?}\n  {there:?}"
            ));
        }
        let seen = self.ours("cat a.txt b.txt src/m.py; ls src");
        match seen.as_ref() == Ok(&self.theirs("cat a.txt b.txt src/m.py; ls src")) {
            true => Ok(true),
            false => Err(format!("{line}: the daemon does not see it: {seen:?}")),
        }
    }
}

#[test]
fn edits_of_agents_are_done_as_bash_does_them() {
    let answered = [
        "sed -i 's/two/2/' a.txt",
        "sed -i 's/x$/y/; 3d' src/m.py && echo done",
        "sed -i '2s/.*/&!/' b.txt",
        "sed -i '$a tail' b.txt",
        "sed -i -e 's/one/1/' -e '2d' a.txt b.txt",
        "sed -i '/def f/i\\    # a\\n    # b' ldir/m.py",
        "sed -n -i 2p b.txt",
        "sed -Ei 's/(t)(w)/\\2\\1/g' a.txt",
        "sed -i s/echo/true/ run.sh lock",
        "sed -i d empty",
        "cat > new.py <<'EOF'\nprint(\"$x\")\nEOF",
        "cat >> a.txt <<'EOF'\nmore\nEOF",
        "cd src && echo \"x = 2\" > deep/o.py",
        "echo one > a.txt; echo two > b.txt",
        "echo more >> hard",
        "printf '%s\\n' a b > src/list; echo $?",
        "{ echo a; echo b; } > both",
        "> empty",
        "if true; then echo x > y; fi",
        "for f in a.txt b.txt; do sed -i 's/t/T/' $f; done",
        "echo out > out 2> err",
    ];
    for line in answered {
        assert_eq!(Pair::new().compare(line), Ok(true), "{line}");
    }
    let refused = [
        "sed -i 's/two/2/' a.txt && cat a.txt",
        "sed -i 's/two/2/' link",
        "sed -i 's/two/2/' nope",
        "sed -i.bak 's/two/2/' a.txt",
        "sed -i 's/two/2/' a.txt a.txt",
        "echo x > a.txt; sed -i 's/t/T/' hard",
        "echo x > ../outside",
        "echo x > src",
        "echo x > link",
        "echo x > nope/x",
        "cat a.txt > b.txt",
        "echo x | cat > b.txt",
        "echo x > a.txt; python3 -c 1",
        "sed -i s/one/1/ a.txt; [ -f x ]",
        "echo x > y; echo *",
    ];
    for line in refused {
        assert_eq!(Pair::new().compare(line), Ok(false), "{line}");
    }
}

fn line() -> impl Strategy<Value = String> {
    let file = || {
        prop::sample::select(vec![
            "a.txt",
            "b.txt",
            "src/m.py",
            "./a.txt",
            "ldir/m.py",
            "empty",
            "run.sh",
            "hard",
            "new",
            "src/new",
            "link",
            "nope/x",
            "src",
            "$PWD/a.txt",
        ])
    };
    let script = prop::sample::select(vec![
        "s/t/T/g",
        "2d",
        "$d",
        "1!d",
        "/two/a\\  x\\ny",
        "$a end",
        "1i top",
        "2c mid",
        "$!N;P;D",
        "s/\\n/ /",
        "/one/,/three/s/e$/E/",
        "0,/t/s//Q/",
        "=",
        "n;d",
        "N;N;s/\\n/+/g",
        "y/ab/AB/",
        "s/\\(.\\)$/<\\1>/",
        "p",
        "$=",
        "/x/{s/x/z/;a w\n}",
        "s/$/\\r/",
    ]);
    let edit = (
        prop::sample::select(vec!["", "-n ", "-E "]),
        script,
        file(),
        prop::option::of(file()),
    )
        .prop_map(|(flag, script, one, two)| {
            format!("sed -i {flag}'{script}' {one} {}", two.unwrap_or(""))
        });
    let write = (
        prop::sample::select(vec!["echo x", "printf 'a\\nb'", "cat", "true", "echo -n"]),
        prop::sample::select(vec![">", ">>", ">|", "&>"]),
        file(),
    )
        .prop_map(|(command, how, file)| format!("{command} {how} {file}"));
    let one = prop_oneof![
        edit,
        write,
        Just("echo y".to_string()),
        Just("cd src".to_string())
    ];
    (
        one.clone(),
        prop::collection::vec((prop::sample::select(vec!["&&", "||", ";"]), one), 0..3),
    )
        .prop_map(|(first, rest)| {
            rest.into_iter()
                .fold(first, |line, (op, next)| format!("{line} {op} {next}"))
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lines_that_write_leave_the_tree_that_bash_leaves(lines in prop::collection::vec(line(), 1..8)) {
        let pair = Pair::new();
        for line in lines {
            match pair.compare(&line) {
                Ok(true) => {}
                Ok(false) => break, // the trees go on together only where both did it
                Err(difference) => prop_assert!(false, "{}", difference),
            }
        }
    }
}
