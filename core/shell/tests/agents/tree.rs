//! Odd trees from a seed: names, encodings, ignore files, links.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;

use super::Generator;

const FOLDERS: &[&str] = &[
    "src",
    "src/pkg",
    "src/pkg/inner",
    "tests",
    "docs",
    "build",
    "node_modules/x",
    "vendor/lib",
    "a b",
    "-dir",
    ".venv/lib",
    ".github",
    "é",
    "deep/er/and/deeper",
    "__pycache__",
    "dot.",
    "it's",
    "[x]",
    "target",
    "sub.d",
    "x{y}",
    "日本",
];

const NAMES: &[&[u8]] = &[
    b"main.py",
    b"utils.py",
    b"test_models.py",
    b"models.py",
    b"__init__.py",
    b"README.md",
    b"setup.cfg",
    b"data.json",
    b"conf.yaml",
    b"Makefile",
    b"index.ts",
    b"lib.rs",
    b"x.c",
    b"x.h",
    b"notes.txt",
    b"CHANGES",
    b"style.css",
    b"a.log",
    b"a b.py",
    b"it's.txt",
    b"-n",
    b"--help.md",
    b".hidden.py",
    b".env",
    "é.py".as_bytes(),
    "naïve file.md".as_bytes(),
    b"tab\t.txt",
    b"new\nline.py",
    b"*.py",
    b"[x].py",
    b"{}",
    b"$HOME.txt",
    b"#notes#",
    b"x~",
    b"latin\xff.txt",
    b"a.",
    b"..x",
    "файл.md".as_bytes(),
    "空.txt".as_bytes(),
    b"back\\slash.py",
    b"`tick`",
    b"semi;colon.py",
    b"(paren).py",
    b"&",
    b"q?.py",
    b"%s.py",
    b"a=b",
    b"@",
    b"!bang.py",
    b"\"q\".txt",
    b"~",
    b"\x01.txt",
    b"core.py.orig",
    b"A.PY",
    b"a.min.js",
];

const IGNORED: &[&str] = &[
    "*.py",
    "*.log",
    "!main.py",
    "build/",
    "/build",
    "target",
    "node_modules/",
    "a b",
    "\\#notes#",
    "[x]",
    "**/inner",
    "src/**",
    "*.",
    "# comment",
    "",
    "!",
    "/",
    "\\",
    "[",
    "{a,b}",
    "*.{py,md}",
    "x ",
    "x\\ ",
    "docs/*.md",
    "!docs/",
    "**",
    "deep/**/deeper",
    "é*",
    "?",
    ".env",
    "*~",
    "sub.d/",
    "/src/pkg/*.py",
    "!/src/pkg/models.py",
    "**/*.txt",
    "a/**/b",
    "[a-m]*.txt",
    "[!a]*.css",
    "test_*",
    "\t",
    "a**b",
    "/*",
    "!/src",
    "[^x].c",
    "[[:alpha:]].c",
    "foo[",
    "***",
    "/**/x.h",
    "tests",
    "*.min.*",
    "\\!bang.py",
];

/// Words that the texts are made of, and patterns ask for.
pub const WORDS: &[&str] = &[
    "def",
    "class",
    "import",
    "return",
    "self",
    "x",
    "y",
    "foo",
    "bar",
    "get_value",
    "Model",
    "TODO",
    "None",
    "config",
    "test",
    "error",
    "été",
    "naïve",
    "0",
    "42",
    "a.b",
    "func()",
    "[1]",
    "path/to",
    "\"quoted\"",
    "it's",
    "$var",
    "{}",
    "a|b",
    "C++",
    "<html>",
    "FooBar",
    "foo_bar",
    "--",
    "#",
    "=",
    "==",
    "  ",
    "\t",
    "日本",
    "ß",
    "ẞ",
    "İ",
    "K",
    "\\n",
    "*",
    "^",
    "x-y",
];

/// What of a tree commands name.
#[derive(Default)]
pub struct Tree {
    /// Files, from the root.
    pub files: Vec<String>,
    /// Folders, from the root.
    pub folders: Vec<String>,
}

impl Tree {
    /// Writes a tree.
    pub fn write(root: &Path, random: &mut Generator) -> Tree {
        let mut tree = Tree::default();
        for _ in 0..1 + random.below(7) {
            let folder = random.one(FOLDERS);
            std::fs::create_dir_all(root.join(folder)).expect("a folder");
            tree.folders.push(folder.to_string());
        }
        for _ in 0..6 + random.below(22) {
            let folder = match random.once_in(3) {
                true => "",
                false => &tree.folders[random.below(tree.folders.len())],
            };
            let name = NAMES[random.below(NAMES.len())];
            let mut path = folder.as_bytes().to_vec();
            path.extend_from_slice(if folder.is_empty() { b"" } else { b"/" });
            path.extend_from_slice(name);
            std::fs::write(root.join(OsStr::from_bytes(&path)), text(random)).expect("a file");
            tree.files.extend(String::from_utf8(path));
        }
        ignore_files(root, random, &tree);
        links(root, random, &mut tree);
        if let Some(file) = tree.files.first().filter(|_| random.once_in(2)) {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(root.join(file), mode).expect("a mode");
        }
        tree
    }
}

fn ignore_files(root: &Path, random: &mut Generator, tree: &Tree) {
    if random.once_in(2) {
        let info = root.join(".git/info");
        std::fs::create_dir_all(&info).expect("folders");
        std::fs::write(root.join(".git/HEAD"), "ref: refs/heads/main\n").expect("a file");
        std::fs::write(info.join("exclude"), random.one(&["*.log\n", "", "docs\n"]))
            .expect("a file");
    }
    for _ in 0..random.below(4) {
        let folder = match random.once_in(2) {
            true => "",
            false => &tree.folders[random.below(tree.folders.len())],
        };
        let name = random.one(&[".gitignore", ".gitignore", ".ignore", ".rgignore"]);
        let end = random.one(&["\n", "\n", "\r\n"]);
        let lines: Vec<&str> = (0..random.below(5)).map(|_| random.one(IGNORED)).collect();
        let text = lines.join(end) + random.one(&["\n", ""]);
        std::fs::write(root.join(folder).join(name), text).expect("a file");
    }
}

fn links(root: &Path, random: &mut Generator, tree: &mut Tree) {
    for _ in 0..random.below(4) {
        let (target, name) = match random.below(5) {
            0 => ("nowhere".to_string(), "dangling"),
            1 => ("loop".to_string(), "loop"),
            2 => (
                tree.folders[random.below(tree.folders.len())].clone(),
                "dirlink",
            ),
            3 => ("..".to_string(), "src/up"),
            _ => match tree.files.first() {
                Some(file) => (file.clone(), "link.py"),
                None => continue,
            },
        };
        if symlink(target, root.join(name)).is_ok() {
            tree.files.push(name.to_string());
        }
    }
}

/// A file's content, in one encoding or another.
fn text(random: &mut Generator) -> Vec<u8> {
    let lines = [0, 1, 3, 12, 40, 150][random.below(6)];
    let mut text = String::new();
    for _ in 0..lines {
        text.push_str(&line(random));
        text.push_str(random.one(&["\n", "\n", "\n", "\n", "\n", "\n", "\n\n"]));
    }
    if random.once_in(5) {
        text.truncate(text.trim_end_matches('\n').len());
    }
    match random.below(24) {
        0 => text.replace('\n', "\r\n").into_bytes(),
        1 => [b"\xef\xbb\xbf".to_vec(), text.into_bytes()].concat(),
        2 => [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect(),
        3 => [0xfeff]
            .into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_be_bytes)
            .collect(),
        4 => text
            .chars()
            .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
            .collect(),
        5 => {
            let mut bytes = text.into_bytes();
            let at = random.below(bytes.len() + 1);
            bytes.insert(at, 0);
            bytes
        }
        6 => {
            let mut bytes = text.into_bytes();
            let at = random.below(bytes.len() + 1);
            bytes.insert(at, 0xff);
            bytes
        }
        7 => (text + &"long ".repeat(random.below(2000))).into_bytes(),
        _ => text.into_bytes(),
    }
}

fn line(random: &mut Generator) -> String {
    match random.below(10) {
        0 => format!("def {}(self, {}):", random.one(WORDS), random.one(WORDS)),
        1 => format!("class {}({}):", random.one(WORDS), random.one(WORDS)),
        2 => format!("    return {} + {}", random.one(WORDS), random.below(100)),
        3 => format!("import {}", random.one(WORDS)),
        4 => format!(
            "{},{},{}",
            random.below(100),
            random.one(WORDS),
            random.below(10)
        ),
        5 => format!("\t{}:{}  ", random.one(WORDS), random.one(WORDS)),
        6 => random
            .one(&["", " ", "\t", "}", "---", "# TODO", "\u{c}", "a\rb"])
            .to_string(),
        _ => {
            let words: Vec<&str> = (0..random.below(7)).map(|_| random.one(WORDS)).collect();
            words.join(" ")
        }
    }
}
