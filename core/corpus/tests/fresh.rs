//! What was written before the question is in the answer.

use std::fs;
use std::io::Write;
use std::path::Path;

use curserve_corpus::{Chosen, Corpus, Counters, Entry, Error, Kind, Node, Options, Snapshot};
use curserve_index::{Query, Within};

/// The whole tree as (path, kind, content or target), in order, from the file system.
fn live(path: &Path, prefix: &str, into: &mut Vec<(String, Kind, Vec<u8>)>) {
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            into.push((name.clone(), Kind::Folder, Vec::new()));
            live(&entry.path(), &format!("{name}/"), into);
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).unwrap();
            into.push((name, Kind::Link, target.to_str().unwrap().into()));
        } else {
            into.push((name, Kind::File, fs::read(entry.path()).unwrap()));
        }
    }
}

fn held(node: Node<'_>, prefix: &str, into: &mut Vec<(String, Kind, Vec<u8>)>) {
    for Entry { name, kind, node } in node.entries().unwrap() {
        let (name, child) = (format!("{prefix}{}", String::from_utf8_lossy(name)), node);
        assert_eq!(kind, child.kind(), "{name}");
        match kind {
            Kind::Folder => {
                into.push((name.clone(), Kind::Folder, Vec::new()));
                held(child, &format!("{name}/"), into);
            }
            Kind::Link => into.push((name, Kind::Link, child.link_target().unwrap().to_vec())),
            _ => into.push((name, Kind::File, child.bytes().unwrap().to_vec())),
        }
    }
}

fn assert_fresh(folder: &Path, corpus: &Corpus, after: &str) -> Snapshot {
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    live(folder, "", &mut theirs);
    let snapshot = corpus.snapshot().unwrap();
    held(snapshot.root(), "", &mut ours);
    let shown = |node: Option<&(String, Kind, Vec<u8>)>| {
        node.map(|(p, k, c)| format!("{p} {k:?} {} bytes", c.len()))
    };
    let first = (0..ours.len().max(theirs.len())).find(|&at| ours.get(at) != theirs.get(at));
    if let Some(at) = first {
        panic!(
            "after {after}: held {:?}, live {:?}",
            shown(ours.get(at)),
            shown(theirs.get(at))
        );
    }
    assert_walk(&snapshot, &ours, after);
    snapshot
}

/// The files chosen for a query come in walk order, and none that holds its words is left out.
fn assert_walk(snapshot: &Snapshot, held: &[(String, Kind, Vec<u8>)], after: &str) {
    let named = |query: &Query| -> Vec<String> {
        let root = snapshot.root();
        let files = snapshot.files_below(root, query, Within::Line).unwrap();
        let name = |file: &Chosen<'_>| String::from_utf8(file.node.relative()).unwrap();
        files.iter().map(name).collect()
    };
    let of_kind = |wanted: &dyn Fn(&[u8]) -> bool| -> Vec<String> {
        let files = held
            .iter()
            .filter(|(_, kind, bytes)| *kind == Kind::File && wanted(bytes));
        files.map(|(name, _, _)| name.clone()).collect()
    };
    assert_eq!(named(&Query::All), of_kind(&|_| true), "after {after}");
    let holds = |word: &'static [u8]| move |bytes: &[u8]| bytes.windows(4).any(|at| at == word);
    for word in [b"word", b"more"] {
        let found = named(&Query::literal(word));
        assert_eq!(found, of_kind(&holds(word)), "after {after}");
    }
}

/// xorshift: a seed gives the same edits every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// One random edit; errors of the file system (a folder moved into itself, a name in use) are part of the game. `outside`
/// lies on the same file system.
fn edit(folder: &Path, outside: &Path, random: &mut Random) -> String {
    let folders = ["", "d0", "d1", "d0/d2", "d1/d3", "d0/d2/d4"];
    let path = |random: &mut Random| {
        folder
            .join(folders[random.below(6)])
            .join(format!("f{}", random.below(5)))
    };
    let sub = |random: &mut Random| folder.join(folders[1 + random.below(5)]);
    let text = |random: &mut Random| "word\n".repeat(random.below(2000));
    let (a, b) = (path(random), path(random));
    match random.below(15) {
        0..=2 => format!("write {a:?}: {:?}", fs::write(&a, text(random)).is_ok()),
        3 => format!("remove {a:?}: {:?}", fs::remove_file(&a).is_ok()),
        4 => format!("rename {a:?} {b:?}: {:?}", fs::rename(&a, &b).is_ok()),
        5 => {
            let folder = sub(random);
            format!(
                "mkdir {folder:?}: {:?}",
                fs::create_dir_all(&folder)
                    .and_then(|()| fs::write(folder.join("f0"), "new\n"))
                    .is_ok()
            )
        }
        6 if random.below(3) == 0 => {
            let folder = sub(random);
            format!(
                "rmdir {folder:?}: {:?}",
                fs::remove_dir_all(&folder).is_ok()
            )
        }
        7 => {
            let (from, to) = (sub(random), sub(random));
            format!("move {from:?} {to:?}: {:?}", fs::rename(&from, &to).is_ok())
        }
        8 => {
            let _ = fs::remove_file(&a);
            format!(
                "link {a:?}: {:?}",
                std::os::unix::fs::symlink("../x", &a).is_ok()
            )
        }
        9 => {
            let file = fs::OpenOptions::new().write(true).open(&a);
            format!(
                "truncate {a:?}: {:?}",
                file.and_then(|f| f.set_len(random.below(50) as u64))
                    .is_ok()
            )
        }
        10 => {
            let name = outside.join(format!("o{}", random.below(5)));
            let _ = fs::remove_file(&name);
            format!("{name:?} for {a:?}: {:?}", fs::hard_link(&a, &name).is_ok())
        }
        11 => {
            let name = outside.join(format!("o{}", random.below(5)));
            format!(
                "write {name:?}: {:?}",
                fs::write(&name, text(random)).is_ok()
            )
        }
        12 => {
            let name = outside.join(format!("o{}", random.below(5)));
            format!(
                "name {b:?} for {name:?}: {:?}",
                fs::hard_link(&name, &b).is_ok()
            )
        }
        13 => {
            // The name that the descriptor was opened by goes; another one stays.
            let name = outside.join("held");
            let linked = fs::hard_link(&a, &name);
            let file = fs::OpenOptions::new().append(true).open(&name);
            let _ = fs::remove_file(&name);
            let written = file.and_then(|mut file| file.write_all(b"held\nword\n"));
            format!(
                "write a link of {a:?}: {:?}",
                (linked.is_ok(), written.is_ok())
            )
        }
        _ => {
            let file = fs::OpenOptions::new().append(true).open(&a);
            format!(
                "append {a:?}: {:?}",
                file.and_then(|mut f| f.write_all(b"more\n")).is_ok()
            )
        }
    }
}

/// Edits at random, and looks after each few of them; returns what had happened by then.
fn edit_and_look(options: Options, seed: u64, rounds: usize) -> Counters {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let corpus = Corpus::load(folder.path(), options).unwrap();
    let mut random = Random(seed);
    for round in 0..rounds {
        let mut done = String::new();
        for _ in 0..=random.below(3) {
            done += &edit(folder.path(), outside.path(), &mut random);
        }
        assert_fresh(folder.path(), &corpus, &format!("round {round}: {done}"));
    }
    corpus.counters()
}

#[test]
fn random_edits_are_seen_at_once() {
    let counters = edit_and_look(Options::default(), 0x9E37_79B9_7F4A_7C15, 1500);
    assert_eq!(counters.unwatched, 0);
}

#[test]
fn random_edits_are_seen_at_once_where_files_have_no_watches() {
    let few = |watches| Options {
        watches: Some(watches),
        ..Options::default()
    };
    let counters = edit_and_look(few(0), 7, 500);
    assert!(counters.unwatched > 0);
    edit_and_look(few(12), 8, 500);
}

/// The kernel's limit, and names to write to.
fn queue() -> usize {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    limit.trim().parse().unwrap()
}

#[test]
fn what_moves_while_the_queue_overflows_is_followed_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["a/sub", "b", "c"] {
        fs::create_dir_all(path(name)).unwrap();
        fs::write(path(name).join("f"), "old\n").unwrap();
    }
    let busy = ["g", "h"].map(|name| fs::File::create(path("c").join(name)).unwrap());
    let corpus = Corpus::load(folder.path(), Options::default()).unwrap();
    for (from, to, file) in [
        ("a/sub", "b/sub", "b/sub/f"),
        ("b/sub", "a/again", "a/again/f"),
        ("a/again/f", "b/file", "b/file"),
        ("b/file", "a/file", "a/file"),
    ] {
        let (before, hold) = (corpus.counters().rescans, corpus.hold());
        fs::rename(path(from), path(to)).unwrap();
        for i in 0..queue().max(20_000) {
            // In turns: equal events in a row become one.
            busy[i % 2].set_modified(std::time::UNIX_EPOCH).unwrap();
        }
        drop(hold);
        assert_fresh(folder.path(), &corpus, "an overflow");
        assert!(corpus.counters().rescans > before, "no overflow");
        fs::write(path(file), "written after it\n").unwrap();
        assert_fresh(folder.path(), &corpus, "a write to what was moved");
        fs::write(path(file).with_file_name("new"), "made after it\n").unwrap();
        assert_fresh(folder.path(), &corpus, "a file beside it");
    }
}

#[test]
fn a_root_behind_links_is_where_they_lead() {
    let outer = tempfile::tempdir().unwrap();
    let path = |name: &str| outer.path().join(name);
    for name in ["one/root", "two/root", "three"] {
        plant(&path(name), &format!("in {name}\n"));
    }
    let lead = |link: &str, to: &str| {
        let _ = fs::remove_file(path(link));
        std::os::unix::fs::symlink(to, path(link)).unwrap();
    };
    lead("way", "one");
    lead("end", "way/root");
    let corpus = Corpus::load(path("end"), Options::default()).unwrap();
    assert_fresh(&path("end"), &corpus, "the load");
    fs::write(path("end/sub/f"), "through the links\n").unwrap();
    assert_fresh(&path("end"), &corpus, "a write through the links");
    lead("way", "two");
    assert_fresh(&path("end"), &corpus, "a link in the middle, led elsewhere");
    fs::write(path("two/root/sub/f"), "not through the links\n").unwrap();
    assert_fresh(&path("end"), &corpus, "a write past the links");
    lead("end", "three");
    assert_fresh(&path("end"), &corpus, "the last link, led elsewhere");
    fs::remove_file(path("end")).unwrap();
    assert!(matches!(corpus.snapshot(), Err(Error::Vanished(_))));
    lead("end", "way/root");
    assert_fresh(&path("end"), &corpus, "the link, put back");
    // The same folder by another way: what is read is read by that.
    fs::rename(path("two"), path("moved")).unwrap();
    lead("two", "moved");
    fs::write(path("end/sub/f"), "in the folder that was moved\n").unwrap();
    assert_fresh(&path("end"), &corpus, "a folder on the way, now a link");
}

#[test]
fn what_no_kernel_reports_is_not_followed() {
    let refused = Corpus::load("/proc/self/task", Options::default());
    assert!(matches!(refused, Err(Error::Unreported(..))));
}

#[test]
fn an_overflowing_queue_means_a_rescan_and_no_stale_answer() {
    let folder = tempfile::tempdir().unwrap();
    let limit = queue();
    for i in 0..200 {
        fs::write(folder.path().join(format!("f{i}")), "old\n").unwrap();
    }
    let corpus = Corpus::load(folder.path(), Options::default()).unwrap();
    let mut round = 0;
    while corpus.counters().rescans == 0 {
        round += 1;
        assert!(round <= 10, "{limit} events a queue, and no overflow");
        let hold = corpus.hold();
        for i in 0..limit + 1000 {
            fs::write(
                folder.path().join(format!("f{}", i % 200)),
                format!("round {round}\n"),
            )
            .unwrap();
        }
        drop(hold);
        assert_fresh(folder.path(), &corpus, "an overflow");
    }
}

#[test]
fn a_snapshot_does_not_move() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    fs::write(&path, "old\n").unwrap();
    let corpus = Corpus::load(folder.path(), Options::default()).unwrap();
    let before = corpus.snapshot().unwrap();
    fs::write(&path, "new\n").unwrap();
    let after = corpus.snapshot().unwrap();
    let read = |snapshot: &Snapshot| {
        snapshot
            .resolve(snapshot.at(), b"f", true)
            .unwrap()
            .bytes()
            .unwrap()
            .to_vec()
    };
    assert_eq!(
        (read(&before), read(&after)),
        (b"old\n".to_vec(), b"new\n".to_vec())
    );
}

#[test]
fn a_vanished_root_is_an_error_that_says_so() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    fs::create_dir(&root).unwrap();
    let corpus = Corpus::load(&root, Options::default()).unwrap();
    fs::remove_dir(&root).unwrap();
    assert!(matches!(corpus.snapshot(), Err(Error::Vanished(_))));
}

#[test]
fn writes_through_a_hard_link_outside_are_seen() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("f"), "old\n").unwrap();
    fs::hard_link(root.join("f"), outer.path().join("outside")).unwrap();
    let corpus = Corpus::load(&root, Options::default()).unwrap();
    fs::write(outer.path().join("outside"), "new and longer\n").unwrap();
    assert_fresh(&root, &corpus, "a write through a hard link");
}

/// A tree with one file, which says `text`.
fn plant(root: &Path, text: &str) {
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(root.join("sub/f"), text).unwrap();
}

#[test]
fn a_root_that_is_removed_and_made_again_is_followed() {
    let outer = tempfile::tempdir().unwrap();
    let root = outer.path().join("root");
    plant(&root, "old\n");
    let corpus = Corpus::load(&root, Options::default()).unwrap();
    for round in 0..20 {
        fs::remove_dir_all(&root).unwrap();
        if round % 2 == 1 {
            assert!(matches!(corpus.snapshot(), Err(Error::Vanished(_))));
        }
        // The file system may give the new folder the inode number of the old one.
        fs::create_dir(&root).unwrap();
        assert_fresh(&root, &corpus, "a new root");
        fs::write(root.join("n.txt"), format!("round {round}\n")).unwrap();
        assert_fresh(&root, &corpus, "a file in the new root");
        plant(&root, "again\n");
        assert_fresh(&root, &corpus, "a folder in the new root");
        fs::write(root.join("sub/f"), "later\n").unwrap();
        assert_fresh(&root, &corpus, "a write in the new root");
    }
}

#[test]
fn another_tree_in_the_place_of_a_moved_parent_is_followed() {
    let outer = tempfile::tempdir().unwrap();
    let path = |name: &str| outer.path().join(name);
    plant(&path("parent/root"), "first\n");
    plant(&path("other/root"), "second\n");
    let root = path("parent/root");
    let corpus = Corpus::load(&root, Options::default()).unwrap();
    for _ in 0..5 {
        fs::rename(path("parent"), path("away")).unwrap();
        assert!(matches!(corpus.snapshot(), Err(Error::Vanished(_))));
        fs::write(path("away/root/new"), "behind our back\n").unwrap();
        fs::rename(path("other"), path("parent")).unwrap();
        assert_fresh(&root, &corpus, "another tree at the root's path");
        // The tree that we do not follow is written to, and what we follow is not.
        fs::write(path("away/root/sub/f"), "not ours\n").unwrap();
        assert_fresh(&root, &corpus, "a write elsewhere");
        fs::rename(path("parent"), path("other")).unwrap();
        fs::rename(path("away"), path("parent")).unwrap();
        fs::write(path("other/root/sub/f"), "not ours either\n").unwrap();
        assert_fresh(&root, &corpus, "the first tree, put back");
        fs::remove_file(root.join("new")).unwrap();
        assert_fresh(&root, &corpus, "a file removed from it");
    }
}

#[test]
fn a_root_that_was_away_for_a_moment_is_read_again() {
    let outer = tempfile::tempdir().unwrap();
    let (root, away) = (outer.path().join("root"), outer.path().join("away"));
    plant(&root, "old\n");
    let corpus = Corpus::load(&root, Options::default()).unwrap();
    for round in 0..5 {
        fs::rename(&root, &away).unwrap();
        plant(&root, "for a moment\n");
        fs::write(away.join("sub/f"), format!("round {round}\n")).unwrap();
        if round % 2 == 1 {
            assert_fresh(&root, &corpus, "another root");
        }
        fs::remove_dir_all(&root).unwrap();
        fs::rename(&away, &root).unwrap();
        assert_fresh(&root, &corpus, "the old root, back");
    }
}
