//! rg against the real rg 15: random trees, patterns and flags; everything must be equal, lines in any order where the
//! real program's own order is undefined, or refused.

mod common;

use common::{load, ours, theirs, Answer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const PATTERNS: &[&str] = &[
    "foo",
    "a",
    "FOO",
    "fo+",
    "foo|bar",
    r"\bfoo\b",
    r"\w+_x",
    "^a",
    "a$",
    "[ab]+",
    ".",
    "",
    "bar.*foo",
    r"\s",
    "é",
    "(?i)foo",
    "k",
    "s",
    r"a\nb",
    r"foo\s+bar",
    "x_",
    "[^a]b",
    r"\w*foo\s*$",
    r"^\s*(foo|a)+bar\b",
    r"\Afoo bar",
    r"\W+foo_x\z",
    r"[^a-f]bar-",
    r"abab\B",
    r"\w{2}\s+\w{3}",
    r"[a-z]+_[a-z]+",
    r"\b\w{3,}\b",
    r"[^\x00-\x7F]",
    r"(a|fo+){2} ?-?$",
];
const TEXT: &[&str] = &[
    "a", "b", "foo", "bar", "foo bar", "_x", " ", "\n", "\n", "\n", "A", "FOO", "é", "ſ", "K",
    "foo_x", "-", "ab", "\r\n", "abab\n",
];
const ODD: &[&[u8]] = &[b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfea\0\n\0"];
const FLAGS: &[&str] = &[
    "-n",
    "-n",
    "-i",
    "-S",
    "-v",
    "-l",
    "-c",
    "-o",
    "-w",
    "-x",
    "-F",
    "-A1",
    "-B1",
    "-C1",
    "--no-heading",
    "-H",
    "-I",
    "-N",
    "--hidden",
    "--no-ignore",
    "-u",
    "-uu",
    "-uuu",
    "-g*.py",
    "-g!b*",
    "-gsub/**",
    "-tpy",
    "-Ttxt",
    "-m1",
    "-d1",
    "--max-depth=2",
    "-d0",
    "--count-matches",
    "--files-without-match",
    "-U",
    "--multiline-dotall",
    "--sort=path",
    "--sortr=path",
    "-a",
    "--column",
    "--vimgrep",
    "-b",
    "--trim",
    "-0",
    "-q",
    "--no-ignore-vcs",
    "--iglob=*.PY",
    "-M10",
    "-rX",
    "--include-zero",
    "--binary",
    "-s",
    "--no-messages",
];
const OPERANDS: &[&str] = &[
    "a.py", "b.txt", "sub", ".", "./", "nope", "sub/", ".hidden", "-",
];
const RULES: &[&str] = &[
    "*.txt\n",
    "sub/\n",
    "!b.txt\n",
    "c.py\n",
    "/a.py\n",
    "*\n!*.py\n",
    "# nothing\n",
    "x{a\n*.txt\n",
    "c.py\n[z-a]\n}\n",
    "!a}\r\n",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let clean = prop::collection::vec(prop::sample::select(TEXT), 0..30)
        .prop_map(|parts| parts.concat().into_bytes());
    let odd = (clean.clone(), prop::sample::select(ODD), clean.clone())
        .prop_map(|(a, odd, b)| [a.as_slice(), odd, b.as_slice()].concat());
    prop_oneof![5 => clean, 1 => odd]
}

fn arguments() -> impl Strategy<Value = Vec<String>> {
    let flags = prop::collection::vec(prop::sample::select(FLAGS), 0..4);
    let operands = prop::collection::vec(prop::sample::select(OPERANDS), 0..3);
    let mode = prop_oneof![9 => Just(false), 1 => Just(true)];
    (flags, prop::sample::select(PATTERNS), operands, mode).prop_map(
        |(flags, pattern, operands, list)| {
            let mut args = vec!["rg".to_string()];
            args.extend(flags.iter().map(|flag| flag.to_string()));
            args.push(if list {
                "--files".into()
            } else {
                format!("-e{pattern}")
            });
            args.extend(operands.iter().map(|operand| operand.to_string()));
            args
        },
    )
}

fn unordered(answer: Answer) -> Answer {
    let sort = |bytes: Vec<u8>| {
        let mut lines: Vec<_> = bytes.split_inclusive(|&b| b == b'\n' || b == 0).collect();
        lines.sort_unstable();
        lines.concat()
    };
    Answer(sort(answer.0), sort(answer.1), answer.2)
}

#[test]
fn the_types_are_those_of_the_real_rg() {
    let Some(rg) = common::rg() else {
        eprintln!("skipped: no rg 15 in .venv/bin or on PATH");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let args = ["rg", "--type-list"].map(str::to_string);
    let answer = ours(&load(folder.path()), &args, None).unwrap();
    assert_eq!(answer, theirs(&rg, folder.path(), &args, None));
}

#[test]
fn rg_equals_the_real_rg() {
    let Some(rg) = common::rg() else {
        eprintln!("skipped: no rg 15 in .venv/bin or on PATH");
        return;
    };
    let cases = std::env::var("CURSERVE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(500);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("sub/.deep")).unwrap();
    let corpus = load(root);
    let (answered, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let rules = prop::collection::vec((0..4usize, prop::sample::select(RULES)), 0..3);
    let strategy = (
        (text(), text(), text(), text()),
        rules,
        any::<bool>(),
        arguments(),
        prop::option::of(text()),
    );
    let result = TestRunner::new(config).run(&strategy, |(texts, rules, git, args, stdin)| {
        let files = ["a.py", "b.txt", "sub/c.py", ".hidden"];
        for (name, bytes) in files.iter().zip([&texts.0, &texts.1, &texts.2, &texts.3]) {
            std::fs::write(root.join(name), bytes).unwrap();
        }
        std::fs::write(root.join("sub/.deep/d.txt"), &texts.0).unwrap();
        let places = [".gitignore", ".ignore", "sub/.gitignore", ".rgignore"];
        places
            .iter()
            .for_each(|place| drop(std::fs::remove_file(root.join(place))));
        for (place, rule) in rules {
            std::fs::write(root.join(places[place]), rule).unwrap();
        }
        let _ = if git {
            std::fs::create_dir(root.join(".git"))
        } else {
            std::fs::remove_dir(root.join(".git"))
        };
        match ours(&corpus, &args, stdin.as_deref()) {
            Ok(answer) => {
                answered.set(answered.get() + 1);
                let real = theirs(&rg, root, &args, stdin.as_deref());
                if args
                    .iter()
                    .any(|arg| arg == "--sort=path" || arg == "--sortr=path")
                {
                    prop_assert_eq!(answer, real, "{:?}", args);
                } else {
                    prop_assert_eq!(unordered(answer), unordered(real), "{:?}", args);
                }
            }
            Err(_) => refused.set(refused.get() + 1),
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(
        answered.get() > refused.get(),
        "{answered:?} answered, {refused:?} refused"
    );
}

/// Folders that `git worktree add`, `git submodule add` and `git init` leave: a `.git` that is a file, or lies deep. Their rules are
/// those of the repository that they belong to, as far as the real rg looks for them.
#[test]
fn worktrees_submodules_and_nested_repositories_are_searched_as_by_the_real_rg() {
    let Some(rg) = common::rg() else {
        eprintln!("skipped: no rg 15 in .venv/bin or on PATH");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let write = |name: &str, text: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let at = |name: &str| root.join(name).to_str().unwrap().to_string();
    for place in [
        "main",
        "tree",
        "main/sub",
        "main/nested",
        "stray",
        "odd",
        "empty",
    ] {
        for file in ["a.py", "a.log", "a.tmp", "a.txt", "deep/b.log", "deep/.hid"] {
            write(&format!("{place}/{file}"), "x\n");
        }
        write(&format!("{place}/.gitignore"), "*.log\n");
    }
    write("main/.git/HEAD", "ref: refs/heads/main\n");
    write("main/.git/info/exclude", "# only here\n*.tmp\n");
    write("main/.git/worktrees/tree/commondir", "../..\n");
    write("main/.git/modules/sub/HEAD", "ref: refs/heads/main\n");
    write("main/.git/modules/sub/info/exclude", "*.txt\n");
    write("main/nested/.git/info/exclude", "*.txt\n");
    write(
        "tree/.git",
        &format!("gitdir: {}\n", at("main/.git/worktrees/tree")),
    );
    write("main/sub/.git", "gitdir: ../.git/modules/sub\n");
    write("stray/.git", &format!("gitdir: {}\n", at("main/.git/none")));
    write("odd/.git", "no such line\n");
    write("empty/.git", "");
    let corpus = load(&root);
    let mut answered = 0;
    let places = [
        "",
        "main",
        "tree",
        "main/sub",
        "main/nested",
        "stray",
        "odd",
        "empty",
        "main/deep",
        "tree/deep",
    ];
    for place in places {
        for words in [
            "rg --files",
            "rg --files --hidden",
            "rg --files --no-ignore",
            "rg -l x",
            "rg --files --no-ignore-vcs",
            "rg --files -g *.log",
        ] {
            let args: Vec<String> = words
                .split(' ')
                .map(str::to_string)
                .chain((!place.is_empty()).then(|| place.to_string()))
                .collect();
            let answer =
                ours(&corpus, &args, None).unwrap_or_else(|refusal| panic!("{args:?}: {refusal}"));
            answered += 1;
            assert_eq!(
                unordered(answer),
                unordered(theirs(&rg, &root, &args, None)),
                "{args:?}"
            );
        }
    }
    assert_eq!(answered, 60);
    // What lies beyond the root is looked at when asked: a worktree alone, with and without rules in its repository.
    let corpus = load(&root.join("tree"));
    let args = ["rg", "--files"].map(str::to_string);
    assert!(ours(&corpus, &args, None).is_err());
    write("main/.git/info/exclude", "# nothing\n");
    let answer = ours(&corpus, &args, None).unwrap();
    assert_eq!(
        unordered(answer),
        unordered(theirs(&rg, &root.join("tree"), &args, None))
    );
}
