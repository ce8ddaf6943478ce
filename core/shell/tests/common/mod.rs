//! A real folder, the real `bash -c` in it, and the shell here on the same folder.

#![allow(dead_code)] // each test binary uses its part

use std::io::Read;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use curserve_corpus::{Corpus, Options};
use curserve_shell::{run_called, run_in, Answer, Called, Caller, Limits, Refusal, World};

/// Where the real programs are; `rg` may be in the checkout's environment alone.
const PATH: &str = concat!(
    "/usr/local/bin:/usr/bin:/bin:",
    env!("CARGO_MANIFEST_DIR"),
    "/../../.venv/bin"
);

/// A folder held by the corpus.
pub struct Place {
    folder: tempfile::TempDir,
    corpus: Corpus,
    world: World,
}

impl Place {
    /// Loads what `fill` writes into a fresh folder.
    pub fn new(fill: impl FnOnce(&Path)) -> Place {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Not the temporary folder itself: what lies above the root must stay as it is for `..`.
        let root = folder.path().canonicalize().expect("its real path");
        let root = root.join("root");
        std::fs::create_dir(&root).expect("the root");
        fill(&root);
        let corpus = Corpus::load(&root, Options::default()).expect("the folder loads");
        Place {
            folder,
            corpus,
            world: World::of_this_machine(),
        }
    }

    fn root(&self) -> String {
        self.folder
            .path()
            .canonicalize()
            .expect("a path")
            .join("root")
            .to_str()
            .expect("UTF-8")
            .to_string()
    }

    /// What the shell here answers.
    pub fn ours(&self, command: &str) -> Result<Answer, Refusal> {
        let snapshot = self.corpus.snapshot().expect("a snapshot");
        run_in(
            &self.world,
            &snapshot,
            &command.replace("@ROOT", &self.root()),
            self.root().as_bytes(),
            Limits::default(),
        )
    }

    /// What the shell here answers in the place of `caller`, in the locale `C.UTF-8` or `C`.
    pub fn ours_called(
        &self,
        command: &str,
        caller: Caller,
        locale: &str,
    ) -> Result<Answer, Refusal> {
        let snapshot = self.corpus.snapshot().expect("a snapshot");
        let mut world = self.world.clone();
        if locale == "C" {
            world = world.in_c();
        }
        let command = command.replace("@ROOT", &self.root());
        let root = self.root();
        run_called(
            &world,
            &snapshot,
            &command,
            root.as_bytes(),
            Limits::default(),
            caller,
        )
    }

    /// What that shell really answers, given `input`; the program is found on PATH.
    pub fn real_called(&self, command: &str, caller: Caller, locale: &str, input: &[u8]) -> Answer {
        let shell = match caller.shell {
            Called::Bash(name) => name,
            Called::Dash => "sh",
        };
        let command = command.replace("@ROOT", &self.root());
        let mut child = Command::new(shell);
        child
            .arg("-c")
            .arg(command)
            .current_dir(self.root())
            .env_clear()
            .envs(self.world.environment.iter().cloned())
            .env("PATH", PATH)
            .env("LC_ALL", locale)
            .stdin(if caller.has_input {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut one = None;
        if caller.merged {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            child.stdout(writer.try_clone().expect("a descriptor"));
            child.stderr(writer);
            one = Some(reader);
        }
        let mut started = child.spawn().expect("a shell");
        drop(child); // our copies of the pipe's end
        if let Some(mut pipe) = started.stdin.take() {
            let _ = std::io::Write::write_all(&mut pipe, input);
        }
        let all = one.map(some_of);
        let mut output = started.wait_with_output().expect("it ends");
        output.stdout.extend(all.into_iter().flatten());
        Answer {
            exit_code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: output.stderr,
        }
    }

    /// The difference between the two, or `None`; a refusal is no difference.
    pub fn difference_called(&self, command: &str, caller: Caller, locale: &str) -> Option<String> {
        let mut ours = self.ours_called(command, caller, locale).ok()?;
        let mut real = self.real_called(command, caller, locale, b"one\ntwo\n");
        if ours != real && command.contains("rg ") {
            (ours, real) = (unordered(ours), unordered(real));
        }
        (ours != real).then(|| format!("{command}\n  here {}\n  real {}", show(&ours), show(&real)))
    }

    /// What the real shell answers. What does not end is ended, and nobody reads more than a little of what has no end:
    /// it then gives an exit code that no answer here has.
    pub fn real(&self, command: &str) -> Answer {
        let mut child = Command::new("timeout")
            .args(["-s", "KILL", "10", "bash", "-c"])
            .arg(command.replace("@ROOT", &self.root()))
            .current_dir(self.root())
            .env_clear()
            .envs(self.world.environment.iter().cloned())
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("bash runs");
        let errors = child.stderr.take().expect("a pipe");
        let errors = std::thread::spawn(move || some_of(errors));
        let stdout = some_of(child.stdout.take().expect("a pipe"));
        Answer {
            stdout,
            stderr: errors.join().expect("a thread"),
            exit_code: child.wait().expect("it ends").code().unwrap_or(-1),
        }
    }

    /// The difference between the two, or `None`; a refusal is no difference.
    pub fn difference(&self, command: &str) -> Option<String> {
        let mut ours = self.ours(command).ok()?;
        let mut real = self.real(command);
        // Behind `--` all words are operands.
        let parallel = |rest: &str| {
            let options = rest.split(" -- ").next().unwrap_or(rest);
            !options.contains("--sort") || options.contains("none")
        };
        if ours != real && command.split("rg ").skip(1).any(parallel) {
            // Its threads print files as they come.
            (ours, real) = (unordered(ours), unordered(real));
        }
        (ours != real).then(|| format!("{command}\n  here {}\n  real {}", show(&ours), show(&real)))
    }

    /// The shortest line that deletions make of a `line` that differs, and that still does.
    pub fn shortened(&self, line: &str) -> String {
        let mut least: Vec<char> = line.chars().collect();
        let mut size = least.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at + size <= least.len() {
                let mut shorter = least.clone();
                shorter.drain(at..at + size);
                match self.difference(&shorter.iter().collect::<String>()) {
                    Some(_) => least = shorter,
                    None => at += 1.max(size / 2),
                }
            }
            size /= 2;
        }
        least.into_iter().collect()
    }
}

/// The first megabytes of a stream, which is closed then.
fn some_of(stream: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream
        .take(64 << 20)
        .read_to_end(&mut bytes)
        .expect("a pipe is read");
    bytes
}

/// The same with the lines of its output in order.
fn unordered(answer: Answer) -> Answer {
    let sorted = |bytes: Vec<u8>| {
        let mut lines: Vec<_> = bytes.split_inclusive(|&b| b == b'\n' || b == 0).collect();
        lines.sort_unstable();
        lines.concat()
    };
    Answer {
        stdout: sorted(answer.stdout),
        stderr: sorted(answer.stderr),
        ..answer
    }
}

fn show(answer: &Answer) -> String {
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    format!(
        "{} {:?} {:?}",
        answer.exit_code,
        text(&answer.stdout),
        text(&answer.stderr)
    )
}

/// A small tree with what trips tools up: empty and unfinished files, links, odd names, many lines.
pub fn fill(root: &Path) {
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, text).expect("a file");
    };
    let code: String = (1..=300)
        .map(|i| format!("def f{i}(self, x):\n    return self.x{} + {i}\n\n", i % 7))
        .collect();
    write("src/main.py", &code);
    write("src/util.py", "import os\nimport sys\n\nclass A:\n    pass\n\n\nclass B(A):\n    def m(self):\n        return 1\n");
    write("src/pkg/__init__.py", "");
    write("src/pkg/mod.py", "x = 1\ny = 2\nx = 1\n\tz = 3  \n");
    write(
        "src/pkg/test_mod.py",
        "from pkg import mod\n\n\ndef test_x():\n    assert mod.x == 1",
    );
    write("docs/a.txt", "b 2\na 10\nc 1\nb 2\na 9\n\nB 3\n");
    write("docs/b.txt", "one two  three\nfour\tfive\r\nsix");
    write("docs/no newline", "last");
    write("docs/é.txt", "été\nnaïve — dash\n");
    write("docs/it's", "quote\n");
    write("empty", "");
    write(".hidden", "h\n");
    write(".dot/file", "d\n");
    write("deep/a/b/c/d.py", "d = 1\n");
    write("bin", "a\0b\nc\n");
    write("list", "src/main.py\nsrc/util.py\nnope.py\n");
    write("UPPER.MD", "# T\n\n- a\n- b\n");
    std::fs::create_dir(root.join("void")).expect("a folder");
    symlink("src/util.py", root.join("link")).expect("a link");
    symlink("src", root.join("ldir")).expect("a link");
    symlink("nowhere", root.join("dangling")).expect("a link");
    std::fs::write(root.join("run.sh"), "#!/bin/sh\necho hi\n").expect("a file");
    std::fs::set_permissions(root.join("run.sh"), std::fs::Permissions::from_mode(0o755))
        .expect("a mode");
}
