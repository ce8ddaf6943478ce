//! Command lines of `grep` and `sort`, and trees for them, from a seed.

#![allow(dead_code)] // each user takes its part

mod expressions;
mod grep;
mod random;
mod sort;

use std::path::Path;

pub use random::Generator;

impl Generator {
    /// A command line of this program, and what it reads on standard input.
    pub fn call(&mut self, program: &str) -> (Vec<String>, Option<Vec<u8>>) {
        match program {
            "grep" => grep::call(self),
            "sort" => sort::call(self),
            other => panic!("no generator for {other}"),
        }
    }

    /// A call of this program with an expression that is near a border, and what it reads on standard input.
    pub fn expression(&mut self, program: &str) -> (Vec<String>, Option<Vec<u8>>) {
        expressions::call(program, self)
    }

    /// A file of such expressions.
    pub fn expressions(&mut self) -> Vec<u8> {
        expressions::file(self)
    }
}

/// The tree that the command lines run on.
pub struct Tree;

/// Files whose content is made anew for each tree.
pub const FILES: &[&str] = &[
    "a.py",
    "b.txt",
    "sub/c.py",
    "sub/deep/d.txt",
    "sub/.hid",
    "patterns",
    "é.md",
];

impl Tree {
    /// Folders, links and files that stay.
    pub fn skeleton(root: &Path) {
        std::fs::create_dir_all(root.join("sub/deep")).expect("folders");
        std::fs::create_dir(root.join("void")).expect("a folder");
        std::os::unix::fs::symlink("a.py", root.join("link")).expect("a link");
        std::os::unix::fs::symlink("sub", root.join("dirlink")).expect("a link");
        std::os::unix::fs::symlink("nowhere", root.join("dangling")).expect("a link");
        std::fs::write(root.join("empty"), "").expect("a file");
    }

    /// Writes new content into each of [`FILES`].
    pub fn fill(root: &Path, program: &str, random: &mut Generator) {
        for name in FILES {
            let content = match (program, *name) {
                ("grep", "patterns") => grep::patterns(random),
                ("grep", _) => grep::text(random),
                _ => sort::text(random),
            };
            std::fs::write(root.join(name), content).expect("a file");
        }
    }

    /// Prints the files that a command may have read.
    pub fn show(root: &Path, args: &[String]) {
        let names_folder = args.iter().any(|arg| {
            arg.contains("sub")
                || arg == "."
                || arg == "./"
                || arg.contains('r')
                || arg.contains('R')
        });
        for name in FILES {
            if names_folder
                || args.iter().any(|arg| arg.ends_with(name))
                || args.iter().any(|arg| arg == "link")
            {
                let bytes = std::fs::read(root.join(name)).expect("a file");
                println!("  {name}: {:?}", bytes.escape_ascii().to_string());
            }
        }
    }
}
