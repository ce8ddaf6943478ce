//! Trees deeper than what walks them bears: the deepest folders are not known, and nothing is said to be missing there.

use std::path::{Path, PathBuf};

use curserve_corpus::{Corpus, Kind, Node, Options, Snapshot, Unreadable};

/// Makes folders one in the other below `root`; each but the last holds a file too.
fn dig(root: &Path, depth: usize) -> PathBuf {
    let mut path = root.to_path_buf();
    for _ in 0..depth {
        std::fs::write(path.join("f"), "x").expect("a file");
        path.push("d");
        std::fs::create_dir(&path).expect("a folder");
    }
    path
}

/// The folders that are known one below the other, and what the last one says of its entries.
fn known(snapshot: &Snapshot, from: &str) -> (usize, Result<usize, Unreadable>) {
    let at = snapshot.at().to_vec();
    let mut folder: Node<'_> = snapshot
        .resolve(&at, from.as_bytes(), true)
        .expect("a folder");
    let mut depth = 0;
    while let Some(below) = folder.child(b"d") {
        assert_eq!(below.kind(), Kind::Folder);
        folder = below;
        depth += 1;
    }
    (depth, folder.entries().map(|entries| entries.len()))
}

#[test]
fn what_lies_too_deep_is_unknown() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("its path");
    for chain in ["one", "two", "three"] {
        std::fs::create_dir(root.join(chain)).expect("a folder");
        dig(&root.join(chain), 700);
    }
    let short = dig(&root.join("d"), 0);
    std::fs::create_dir(&short).expect("a folder");
    let corpus = Corpus::load(&root, Options::default()).expect("it loads");
    for chain in ["one", "two", "three"] {
        let (depth, entries) = known(&corpus.snapshot().expect("a snapshot"), chain);
        assert!((100..=256).contains(&depth), "{depth}");
        assert_eq!(entries, Err(Unreadable::Unknown));
    }
    // The same where it grows step by step under our eyes.
    let mut path = short;
    for _ in 0..300 {
        path.push("d");
        std::fs::create_dir(&path).expect("a folder");
        corpus.snapshot().expect("a snapshot");
    }
    let (depth, entries) = known(&corpus.snapshot().expect("a snapshot"), "d");
    assert!((100..=256).contains(&depth), "{depth}");
    assert_eq!(entries, Err(Unreadable::Unknown));
    // And where it is moved to where it is too deep.
    std::fs::rename(root.join("three"), root.join("d/d/three")).expect("moved");
    let (depth, _) = known(&corpus.snapshot().expect("a snapshot"), "d/d/three");
    assert!((90..=256).contains(&depth), "{depth}");
}
