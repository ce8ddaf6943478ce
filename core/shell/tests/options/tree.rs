//! A small odd tree, and what of it commands name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;

use super::random::Generator;
use super::values;

/// Files by name; folders are made as they are needed.
const FILES: &[(&[u8], &[u8])] = &[
    (b"a", b"foo bar\nbar 2 x\n\na:b:c\nAb 10\nab 9\nab 9\nfoo\n"),
    (b"b.txt", b"1 a\n2 b\n10 c\n-3 d\n\n\n  e\n\tf g\nz"),
    (b"empty", b""),
    (b"nul", b"a\0b\nfoo\n"),
    (b"latin", b"caf\xe9\nfoo\n"),
    (b"utf8", "été\nnaïve ☃\n".as_bytes()),
    (b"crlf", b"a\r\nb\r\n"),
    (b"one", b"\n"),
    (b"list", b"a\nb.txt\nnope\n"),
    (b"quoted", b"'a b' \"c\" d\\ e\n"),
    (b"long", b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b\n"),
    (b"pats", b"foo\na\n"),
    (b"sub/c.py", b"import os\nfoo = 1\n"),
    (b"sub/deep/d", b"deep foo\n"),
    (b"sub/.hid", b"hidden\n"),
    (b".hid", b"h a\n"),
    (b".hid~", b"backup\n"),
    (b"x~", b"backup\n"),
    (b"a b", b"blank a\n"),
    (b"it's", b"quote a\n"),
    (b"-dash", b"dash a\n"),
    (b"-n", b"option a\n"),
    (b"+1", b"plus a\n"),
    (b"~t", b"tilde\n"),
    (b"#h", b"hash\n"),
    (b"\"q\"", b"double a\n"),
    (b"back\\slash", b"back\n"),
    (b"tab\tname", b"tab\n"),
    (b"new\nline", b"nl\n"),
    (b"{}", b"braces a\n"),
    (b"*", b"star a\n"),
    ("é".as_bytes(), b"e\n"),
    (b"odd/\xff", b"byte\n"),
    (b"odd/\x01", b"control\n"),
    (b"odd/q?", b"q\n"),
    (b"run.sh", b"#!/bin/sh\n"),
];

/// Writes the tree.
pub fn fill(root: &Path) {
    for (name, content) in FILES {
        let path = root.join(OsStr::from_bytes(name));
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, content).expect("a file");
    }
    std::fs::create_dir(root.join("void")).expect("a folder");
    std::fs::create_dir_all(root.join(".dot/in")).expect("folders");
    for (target, name) in [
        ("a", "link"),
        ("sub", "dirlink"),
        ("nowhere", "dangling"),
        ("loop", "loop"),
    ] {
        symlink(target, root.join(name)).expect("a link");
    }
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(root.join("run.sh"), mode).expect("a mode");
}

const PLAIN: &[&str] = &["a", "b.txt", "a", "b.txt", "sub/c.py", "empty", "list"];
const ODD: &[&str] = &[
    "",
    ".",
    "./",
    "-",
    "nope",
    "sub",
    "sub/",
    "link",
    "dirlink",
    "dirlink/",
    "dangling",
    "loop",
    "nul",
    "latin",
    "utf8",
    "crlf",
    "one",
    "quoted",
    "long",
    ".hid",
    "x~",
    "a b",
    "it's",
    "-dash",
    "./-dash",
    "+1",
    "~t",
    "#h",
    "\"q\"",
    "back\\slash",
    "tab\tname",
    "new\nline",
    "{}",
    "*",
    "é",
    "odd",
    "run.sh",
    "void",
    "a/",
    "a/x",
    "sub/../a",
    "nope/x",
    "/dev/null",
    "..",
    "no pe",
    "no'pe",
    "no\"pe",
    "nö",
    "n\u{1}",
    "no\npe",
    "$nope",
    "!",
    "=",
    "no`pe",
    "no\\pe",
    "no?pe",
    "[nope]",
    "nope;",
    "{",
    "}",
    "no{pe",
    "%s",
    "nope:",
    "@",
    ",",
    "^",
    "no~pe",
    "~",
    "#",
    "no#pe",
    "\u{301}",
    "☃",
    "dangling/",
    "loop/x",
    "sub//c.py",
    "--",
    "-",
    "-",
];

/// An operand.
pub fn name(random: &mut Generator) -> String {
    match random.below(2) {
        0 => random.one(PLAIN).to_string(),
        _ => random.one(ODD).to_string(),
    }
}

fn names(random: &mut Generator, most: usize) -> Vec<String> {
    (0..random.below(most + 1)).map(|_| name(random)).collect()
}

/// The operands of a command of `program`.
pub fn operands(random: &mut Generator, program: &str) -> Vec<String> {
    match program {
        "grep" | "rg" => {
            let pattern = random
                .one(&[
                    "a", "foo", "b", "", ".", "x", "^a", "o$", "é", "[ab]", "A", "-a",
                ])
                .to_string();
            [vec![pattern], names(random, 2)].concat()
        }
        "sed" => [vec![values::script(random)], names(random, 2)].concat(),
        "tr" => {
            let set = |random: &mut Generator| {
                random
                    .one(&[
                        "a",
                        "b",
                        "a-z",
                        "A-Z",
                        "[:lower:]",
                        "[:upper:]",
                        "\\n",
                        " ",
                        "",
                        "z-a",
                        "[a*3]",
                        "[a*]",
                        "\\012",
                        "\\8",
                        "abc",
                        "x",
                        "é",
                        "[=a=]",
                        "\\",
                        "a-",
                        "-a",
                        "--",
                        "[:digit:]",
                        "[:nope:]",
                        "0-9",
                        "\\400",
                    ])
                    .to_string()
            };
            let count = [1, 2, 2, 2, 2, 1, 0, 3][random.below(8)];
            (0..count).map(|_| set(random)).collect()
        }
        "xargs" => {
            let command = random
                .one(&[
                    "echo", "echo", "tail", "cat", "wc", "nope", "ls", "grep", "",
                ])
                .to_string();
            let mut words = vec![command];
            for _ in 0..random.below(3) {
                words.push(
                    random
                        .one(&["-n", "{}", "a", "x{}y", "%", "-l", "é", ""])
                        .to_string(),
                );
            }
            if random.once_in(6) {
                words.clear();
            }
            words
        }
        "tree" | "ls" => names(random, 2),
        _ => names(random, 3),
    }
}

/// A word as older programs had their options.
pub fn old_spelling(random: &mut Generator) -> String {
    let sign = random.one(&["-", "+", "-", "+", "--"]).to_string();
    let number = match random.below(3) {
        0 => String::new(),
        1 => values::number(random, None),
        _ => random.below(5).to_string(),
    };
    sign + &number
        + random.one(&[
            "", "", "", "c", "l", "b", "f", "lf", "n", "q", "k", "r", "cf", "w", ",3",
        ])
}
