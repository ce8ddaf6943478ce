//! Paths resolve as the kernel resolves them, and never leave the root.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use curserve_corpus::{Corpus, Errno, Kind, Lookup, Options};

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(at("a/b")).unwrap();
    std::fs::write(at("a/b/f.txt"), "text\n").unwrap();
    symlink("a/b", at("link")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("/etc/passwd", at("out")).unwrap();
    symlink("../..", at("a/up")).unwrap();
    symlink("/testbed/a", at("absolute")).unwrap();
    folder
}

#[test]
fn paths_resolve_below_the_alias() {
    let folder = tree();
    let options = Options {
        at: Some(PathBuf::from("/testbed")),
        ..Options::default()
    };
    let corpus = Corpus::load(folder.path(), options).unwrap();
    let snapshot = corpus.snapshot().unwrap();
    let resolve = |cwd: &str, path: &str, follow| {
        snapshot
            .resolve(cwd.as_bytes(), path.as_bytes(), follow)
            .map(|n| String::from_utf8(n.path()).unwrap())
    };
    let ok = |path: &str| Ok(path.to_string());
    assert_eq!(
        resolve("/testbed", "a/b/f.txt", true),
        ok("/testbed/a/b/f.txt")
    );
    assert_eq!(
        resolve("/testbed/a", "b//./f.txt", true),
        ok("/testbed/a/b/f.txt")
    );
    assert_eq!(
        resolve("/testbed/link", "../f.txt", true),
        Err(Errno::NotFound)
    );
    assert_eq!(resolve("/testbed/link", "..", true), ok("/testbed/a"));
    assert_eq!(resolve("/testbed", "link", false), ok("/testbed/link"));
    assert_eq!(resolve("/testbed", "link/", false), ok("/testbed/a/b"));
    assert_eq!(resolve("/testbed", "absolute/b", true), ok("/testbed/a/b"));
    assert_eq!(
        resolve("/testbed/a", "/testbed/../testbed/a", true),
        ok("/testbed/a")
    );
    assert_eq!(resolve("/testbed", "", true), Err(Errno::NotFound));
    assert_eq!(resolve("/testbed", "nope", true), Err(Errno::NotFound));
    assert_eq!(
        resolve("/testbed", "a/b/f.txt/", true),
        Err(Errno::NotDirectory)
    );
    assert_eq!(
        resolve("/testbed", "a/b/f.txt/..", true),
        Err(Errno::NotDirectory)
    );
    assert_eq!(resolve("/testbed", "loop", true), Err(Errno::TooManyLinks));
    assert_eq!(resolve("/testbed", "loop", false), ok("/testbed/loop"));
    for outside in ["/", "/usr", "..", "a/../..", "out", "a/up/x", "/testbed/.."] {
        assert_eq!(
            resolve("/testbed", outside, true),
            Err(Errno::Outside),
            "{outside}"
        );
    }
    let long = "x".repeat(256);
    assert_eq!(resolve("/testbed", &long, true), Err(Errno::NameTooLong));
    let node = snapshot.resolve(b"/testbed", b"a/b/f.txt", true).unwrap();
    assert_eq!(
        (node.kind(), node.meta().size, node.name()),
        (Kind::File, 5, &b"f.txt"[..])
    );
}

#[test]
fn entries_come_in_readdir_order() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..300 {
        std::fs::write(folder.path().join(format!("file{}", i * 7919 % 1000)), "").unwrap();
    }
    let corpus = Corpus::load(folder.path(), Options::default()).unwrap();
    let snapshot = corpus.snapshot().unwrap();
    let ours: Vec<_> = snapshot
        .root()
        .entries()
        .unwrap()
        .map(|entry| entry.name.to_vec())
        .collect();
    let theirs: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| std::os::unix::ffi::OsStringExt::into_vec(e.unwrap().file_name()))
        .collect();
    assert_eq!(ours, theirs);
}

#[test]
fn paths_looked_up_one_after_the_other_resolve_as_each_by_itself() {
    const NAMES: [&str; 14] = [
        "a", "b", "a", "b", "c", "f.txt", "link", "loop", "absolute", ".", "..", "", "nope",
        "/testbed",
    ];
    let folder = tree();
    std::fs::create_dir_all(folder.path().join("a/c/a/b")).unwrap();
    let options = Options {
        at: Some(PathBuf::from("/testbed")),
        ..Options::default()
    };
    let corpus = Corpus::load(folder.path(), options).unwrap();
    let snapshot = corpus.snapshot().unwrap();
    let mut seed = 1u64;
    let mut below = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % n
    };
    for cwd in ["/testbed", "/testbed/a", "/testbed/link", "/"] {
        let mut lookup = Lookup::new(&snapshot, cwd.as_bytes());
        for _ in 0..20_000 {
            let names: Vec<&str> = (0..1 + below(5)).map(|_| NAMES[below(14)]).collect();
            let (path, follow) = (names.join("/"), below(2) == 0);
            assert_eq!(
                lookup.resolve(path.as_bytes(), follow),
                snapshot.resolve(cwd.as_bytes(), path.as_bytes(), follow),
                "{path} from {cwd}"
            );
        }
    }
}
