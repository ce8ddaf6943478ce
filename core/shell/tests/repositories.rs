//! Trees that git made itself, with worktrees, submodules and nested repositories: every walk over them as the real programs
//! walk.

mod common;

use std::path::Path;
use std::process::Command;

use common::Place;

/// Runs git in a folder, with nobody's settings.
fn git(folder: &Path, words: &[&str]) {
    let done = Command::new("git")
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(["-c", "user.name=a", "-c", "user.email=a@b.c"])
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "git {words:?}: {said}");
}

/// A repository with a few files, some of them ignored.
fn repository(folder: &Path) {
    std::fs::create_dir_all(folder.join("src/deep")).expect("folders");
    for (name, text) in [
        ("a.py", "import x\n"),
        ("a.log", "x log\n"),
        ("src/b.py", "x = 1\n"),
        ("src/deep/c.tmp", "x\n"),
        (".gitignore", "*.log\n"),
        (".hid", "x hidden\n"),
    ] {
        std::fs::write(folder.join(name), text).expect("a file");
    }
    git(folder, &["init", "-q"]);
    git(folder, &["add", "-A"]);
    git(folder, &["commit", "-q", "-m", "first"]);
    let exclude = folder.join(".git/info/exclude");
    std::fs::write(exclude, "# of this one only\n*.tmp\n").expect("a file");
}

fn fill(root: &Path) {
    repository(&root.join("library"));
    let main = root.join("main");
    repository(&main);
    git(&main, &["submodule", "--quiet", "add", "../library", "lib"]);
    git(&main, &["commit", "-q", "-m", "second"]);
    git(&main, &["worktree", "add", "-q", "../tree", "-b", "other"]);
    git(&main, &["worktree", "add", "-q", "inside", "-b", "third"]);
    repository(&main.join("nested"));
    git(&main, &["tag", "one"]);
    git(&main, &["pack-refs", "--all"]);
    std::fs::create_dir(root.join("bare")).expect("a folder");
    git(&root.join("bare"), &["init", "-q", "--bare"]);
}

#[test]
fn every_walk_is_as_the_real_programs_walk() {
    let place = Place::new(fill);
    let (mut wrong, mut refused) = (Vec::new(), Vec::new());
    let mut count = 0;
    for folder in [
        ".",
        "main",
        "tree",
        "main/inside",
        "main/lib",
        "main/nested",
        "library",
        "bare",
        "main/.git",
    ] {
        for command in [
            "rg --files @",
            "rg x @",
            "rg --files --hidden @",
            "rg -uu -l x @",
            "rg --files --no-ignore-vcs @",
            "find @",
            "find @ -name .git",
            "find @ -name .git -prune -o -type f -print",
            "find @ -type f -not -path '*/.git/*'",
            "find @ -name '*.py' -exec grep -l x {} +",
            "find @ -maxdepth 2 -type d",
            "find @ -empty",
            "ls @",
            "ls -la @",
            "ls -R @",
            "ls -laR @",
            "grep -rl x @ --exclude-dir=.git",
            "grep -rc x @",
            "tree -a @",
            "cd @ && ls -A && rg x",
            "cat @/.git",
            "ls -ld @/.git && cat @/.git",
        ] {
            let command = command.replace('@', folder);
            count += 1;
            if let Err(refusal) = place.ours(&command) {
                refused.push(format!("{command}: {refusal}"));
            }
            wrong.extend(place.difference(&command));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        refused.is_empty(),
        "{} of {count} refused:\n{}",
        refused.len(),
        refused.join("\n")
    );
}
