//! What was written before the question is in the answer.

mod common;

use std::fs;
use std::path::Path;

use common::{assert_fresh, edit, Random};
use curserve_corpus::{Corpus, Counters, Error, Options, Snapshot};
use curserve_index::{Query, Within};

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

/// A folder of many names, where one that comes or goes does not have all of them listed again.
#[test]
fn names_come_and_go_among_many() {
    for base in [std::env::temp_dir(), "/dev/shm".into()] {
        let Ok(folder) = tempfile::tempdir_in(&base) else {
            continue;
        };
        let name = |random: &mut Random| folder.path().join(format!("f{}", random.below(400)));
        for number in (0..400).step_by(2) {
            fs::write(folder.path().join(format!("f{number}")), "word\n").unwrap();
        }
        let corpus = Corpus::load(folder.path(), Options::default()).unwrap();
        let mut random = Random(11);
        for round in 0..600 {
            let mut done = String::new();
            for _ in 0..=random.below(3) {
                let (a, b) = (name(&mut random), name(&mut random));
                done += &match random.below(6) {
                    0 | 1 => format!("write {a:?}: {:?}; ", fs::write(&a, "more\nword\n")),
                    2 => format!("remove {a:?}: {:?}; ", fs::remove_file(&a)),
                    3 => format!("rename {a:?} {b:?}: {:?}; ", fs::rename(&a, &b)),
                    4 => format!("mkdir {a:?}: {:?}; ", fs::create_dir(&a)),
                    _ => format!("rmdir {a:?}: {:?}; ", fs::remove_dir(&a)),
                };
            }
            // Now and then a step is only taken in, and nobody asks in which order.
            match random.below(3) {
                0 => drop(corpus.snapshot().unwrap()),
                _ => drop(assert_fresh(folder.path(), &corpus, &done)),
            }
            if round % 50 == 0 {
                edit(folder.path(), folder.path(), &mut random);
            }
        }
    }
}

#[test]
fn an_order_that_nobody_can_tell_any_more_is_not_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |number| folder.path().join(format!("f{number}"));
    for number in 0..200 {
        fs::write(path(number), "word\n").unwrap();
    }
    let corpus = Corpus::load(folder.path(), Options::default()).unwrap();
    fs::write(path(200), "word\n").unwrap();
    let before = corpus.snapshot().unwrap();
    fs::remove_file(path(7)).unwrap();
    let query = Query::literal(b"word");
    assert!(before.root().entries().is_err());
    assert_eq!(before.root().entries_by_name().unwrap().len(), 201);
    assert!(before
        .files_below(before.root(), &query, Within::Line)
        .is_none());
    let after = assert_fresh(folder.path(), &corpus, "what went meanwhile");
    assert_eq!(after.root().entries().unwrap().len(), 200);
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
