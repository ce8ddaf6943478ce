//! What a command may ask for before the folder is in memory: the paths that its words could be.

use std::path::{Path, PathBuf};

use curserve_corpus::{Error, Options, Snapshot};

/// More words than this are not looked at …
const MOST: usize = 64;
/// … nor are longer ones, or longer paths: the kernel takes none.
const LONGEST: usize = 4096;

/// What lies along the words of `text`, run in `cwd` below `root`, which tools see at `at`.
///
/// It may be less than the command asks for, which then finds things unknown, and is refused; never anything wrong.
///
/// # Errors
/// Where the root cannot be read.
pub(crate) fn glimpse(root: &Path, at: &str, text: &[u8], cwd: &[u8]) -> Result<Snapshot, Error> {
    let options = Options {
        at: Some(PathBuf::from(at)),
        ..Options::default()
    };
    Snapshot::glimpse(root, &options, &paths(text, cwd))
}

/// Every word as a path, seen from `cwd` and from each folder that `cd` might lead to.
fn paths(text: &[u8], cwd: &[u8]) -> Vec<Vec<u8>> {
    let words: Vec<&[u8]> = text
        .split(|b| b.is_ascii_whitespace() || b"'\"|&;<>()`$={},:".contains(b))
        .filter(|word| !word.is_empty() && word.len() < LONGEST)
        .take(MOST)
        .collect();
    let mut bases = vec![cwd.to_vec()];
    for pair in words.windows(2) {
        if pair[0] == b"cd" {
            let to = seen_from(&bases[bases.len() - 1], pair[1]);
            if to.len() < LONGEST {
                bases.push(to);
            }
        }
    }
    let below = |base: &Vec<u8>| -> Vec<Vec<u8>> {
        words.iter().map(|word| seen_from(base, word)).collect()
    };
    let mut paths: Vec<Vec<u8>> = bases.iter().flat_map(below).collect();
    paths.append(&mut bases);
    paths
}

fn seen_from(base: &[u8], word: &[u8]) -> Vec<u8> {
    match word.first() {
        Some(b'/') => word.to_vec(),
        _ => [base, b"/", word].concat(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use curserve_shell::{run_in, Limits};
    use curserve_tools::World;

    use super::{glimpse, paths};

    /// Lines that need no more than a few paths, and so are answered.
    const READS: &[&str] = &[
        "cat a.txt",
        "cat -n sub/b.py | sed -n '2,3p'",
        "sed -n '1,2p' sub/b.py; echo $?",
        "cd sub && head -1 b.py && pwd",
        "cd sub/deep && cat c.txt; pwd",
        "cat missing sub/missing/x a.txt/x",
        "ls sub",
        "ls -la sub/deep",
        "ls *.txt",
        "ls sub/*.py",
        "wc -l a.txt sub/b.py",
        "tail -2 sub/b.py | tac",
        "grep -n one a.txt sub/b.py",
        "grep -rn one sub/deep/c.txt",
        "test -f sub/b.py && echo there || echo not",
        "[ -d sub/deep ] && echo folder",
        "cat <a.txt",
        "for f in a.txt sub/b.py; do head -1 $f; done",
        "find sub -maxdepth 0",
        "echo nothing to read",
        "cat empty",
    ];

    /// Lines that reach for more, and are refused, or answered rightly all the same.
    const MORE: &[&str] = &[
        "grep -rn one .",
        "grep -rn one sub",
        "grep -rl c sub/deep",
        "grep -rn three sub/deep c.txt",
        "find . -name '*.py'",
        "find sub -type f",
        "find sub/deep -empty",
        "ls -R",
        "ls -R sub/deep",
        "ls",
        "tree",
        "cat */b.py",
        "cat sub/*",
        "cat sub/deep/../b.py",
        "cat ldir/b.py",
        "ls ldir/",
        "cat link",
        "cat loop out/passwd",
        "rg one",
        "rg one sub",
        "rg -uu c sub/deep",
        "rg one a.txt",
        "cat $(ls sub/deep)",
        "cd sub/deep && cat ../../a.txt c.txt",
        "x=sub; cat $x/b.py",
        "cat ./././sub//b.py",
        "cat locked/x; ls locked; ls locked2",
        "test -x locked/x; echo $?",
        "du sub",
    ];

    #[test]
    fn a_glimpse_answers_as_the_real_programs_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("a path");
        let write = |name: &str, text: &str| std::fs::write(root.join(name), text).expect("a file");
        for name in ["sub/deep", "other", "locked2"] {
            std::fs::create_dir_all(root.join(name)).expect("a folder");
        }
        write("a.txt", "one\ntwo\n");
        write("empty", "");
        write("sub/b.py", "def one():\n    pass\n\nthree\n");
        write("sub/deep/c.txt", "c one\nthree");
        write("other/.gitignore", "*.py\n");
        write(".gitignore", "c.txt\n");
        symlink("a.txt", root.join("link")).expect("a link");
        symlink("sub", root.join("ldir")).expect("a link");
        symlink("loop", root.join("loop")).expect("a link");
        symlink("/etc", root.join("out")).expect("a link");
        let world = World::of_this_machine();
        let mut wrongly_refused = Vec::new();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let has_rg = std::env::split_paths(&path).any(|folder| folder.join("rg").is_file());
        let lines = READS.iter().chain(MORE);
        for line in lines.filter(|line| has_rg || !line.starts_with("rg")) {
            let at = root.to_str().expect("UTF-8");
            let snapshot = glimpse(&root, at, line.as_bytes(), at.as_bytes()).expect("a glimpse");
            let given = run_in(&world, &snapshot, line, at.as_bytes(), Limits::default());
            let Ok(given) = given else {
                wrongly_refused.extend(READS.contains(line).then_some(*line));
                continue;
            };
            let real = Command::new("bash")
                .args(["-c", line])
                .current_dir(&root)
                .env_clear()
                .envs(world.environment.iter().map(|(k, v)| (k, v)))
                .env("PATH", &path)
                .stdin(Stdio::null())
                .output()
                .expect("bash");
            let real = (real.status.code(), real.stdout, real.stderr);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(
                (
                    Some(given.exit_code),
                    text(&given.stdout),
                    text(&given.stderr)
                ),
                (real.0, text(&real.1), text(&real.2)),
                "{line}"
            );
        }
        assert_eq!(wrongly_refused, Vec::<&str>::new());
    }

    #[test]
    fn words_are_paths_from_every_folder_that_a_line_may_be_in() {
        let found = paths(b"cd src && sed -n '1,5p' a.py | head >x", b"/testbed");
        for path in [
            "/testbed/src",
            "/testbed/src/a.py",
            "/testbed/x",
            "/testbed",
        ] {
            assert!(found.iter().any(|p| p == path.as_bytes()), "{path}");
        }
        let found = paths(b"cat /testbed/b", b"/testbed/sub");
        assert!(found.iter().any(|p| p == b"/testbed/b"));
    }
}
