//! A start that recalls what an earlier one has indexed gives what a start without it gives, whatever happened between.

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use common::{assert_fresh, edit, Random};
use curserve_corpus::{Corpus, Kind, Node, Options, Snapshot};
use curserve_index::{Query, Within};

const WORDS: [&str; 6] = ["word", "more", "alpha", "omega", "Quite", "rare17"];

fn load(root: &Path, state: Option<&Path>) -> Corpus {
    let options = Options {
        state: state.map(Path::to_owned),
        ..Options::default()
    };
    Corpus::load(root, options).unwrap()
}

/// All that a snapshot says: of each node its metadata, bytes and target, the orders of folders, and where each word is.
fn told(snapshot: &Snapshot) -> BTreeMap<Vec<u8>, String> {
    fn tell(node: Node<'_>, into: &mut BTreeMap<Vec<u8>, String>) {
        let names = |node: Node<'_>| -> Option<[Vec<Vec<u8>>; 3]> {
            Some([
                node.entries().ok()?.map(|it| it.name.to_vec()).collect(),
                node.entries_by_name()
                    .ok()?
                    .map(|it| it.name.to_vec())
                    .collect(),
                node.entries_as_walked()
                    .ok()?
                    .map(|it| it.name.to_vec())
                    .collect(),
            ])
        };
        let bytes = node.bytes().map(|bytes| (bytes.to_vec(), bytes.facts()));
        let (meta, target) = (node.meta(), node.link_target());
        let said = format!("{meta:?} {bytes:?} {target:?} {:?}", names(node));
        into.insert(node.relative(), said);
        if node.kind() == Kind::Folder {
            for entry in node.entries().into_iter().flatten() {
                tell(entry.node, into);
            }
        }
    }
    let mut all = BTreeMap::new();
    tell(snapshot.root(), &mut all);
    for word in WORDS {
        for within in [Within::Line, Within::Text] {
            let found =
                snapshot.files_below(snapshot.root(), &Query::literal(word.as_bytes()), within);
            let found = found
                .expect("all can be read")
                .into_iter()
                .filter_map(|file| {
                    let bytes = file.node.bytes().unwrap();
                    let whole = std::iter::once(0..bytes.len()).collect();
                    let parts = file.parts.map_or(whole, Vec::from);
                    let count = |part: std::ops::Range<usize>| {
                        bytes[part]
                            .windows(word.len())
                            .filter(|at| *at == word.as_bytes())
                            .count()
                    };
                    let count: usize = parts.into_iter().map(count).sum();
                    (count > 0).then(|| (file.node.relative(), count))
                });
            let found: Vec<_> = found.collect();
            let key = format!("//{word} {within:?}").into_bytes();
            all.insert(key, format!("{found:?}"));
        }
    }
    all
}

fn assert_same(recalled: &Snapshot, fresh: &Snapshot, after: &str) {
    let (ours, theirs) = (told(recalled), told(fresh));
    for name in ours.keys().chain(theirs.keys()) {
        let shown = String::from_utf8_lossy(name);
        assert_eq!(ours.get(name), theirs.get(name), "{shown}, after {after}");
    }
}

/// A tree of all kinds of nodes.
fn plant(root: &Path) {
    for name in ["src/deep/er", "lib", "docs", "twin", "many"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    let put = |name: &str, text: &str| fs::write(root.join(name), text).unwrap();
    for at in 0..40 {
        put(
            &format!("src/f{at}"),
            &format!("word {at}\nsome text of {at}\nrare{at}\n"),
        );
        put(&format!("many/n{at}"), &format!("name {at}\nalpha\n"));
    }
    for (name, word) in [("lib", "alpha"), ("twin", "omega")] {
        put(&format!("{name}/a"), &format!("one {word} a\n"));
        put(&format!("{name}/b"), &format!("two {word} b\n"));
    }
    put("src/deep/er/f", "deeper omega\n");
    put("large", &"a line of a large file\n".repeat(5000));
    put("README", "Quite a word\n");
    put(".gitignore", "docs\n");
    put("docs/d", "word of the docs\n");
    put("empty", "");
    symlink("README", root.join("link")).unwrap();
    symlink("lib", root.join("way")).unwrap();
}

/// What was done to a tree; where it needs what nobody gives here, nothing.
type Way = fn(&Path, &Path);

/// The bytes of a file changed, and all that can be set about it as before.
fn rewrite(path: &Path, text: &str) {
    let meta = fs::metadata(path).unwrap();
    fs::write(path, text).unwrap();
    stamp(path, meta.modified().unwrap());
}

fn stamp(path: &Path, time: SystemTime) {
    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
    File::open(path).unwrap().set_times(times).unwrap();
}

fn swap(one: &Path, other: &Path) {
    let aside = one.with_file_name("aside");
    fs::rename(one, &aside).unwrap();
    fs::rename(other, one).unwrap();
    fs::rename(&aside, other).unwrap();
}

/// A folder with all in it copied, times included.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        let meta = fs::symlink_metadata(&path).unwrap();
        if meta.is_dir() {
            copy(&path, &target);
        } else if meta.is_symlink() {
            symlink(fs::read_link(&path).unwrap(), &target).unwrap();
        } else {
            fs::copy(&path, &target).unwrap();
            stamp(&target, meta.modified().unwrap());
        }
    }
}

const WAYS: &[(&str, Way)] = &[
    ("nothing", |_, _| {}),
    (
        "other bytes of the same number, mtime put back",
        |root, _| {
            rewrite(&root.join("src/f3"), "more 3\nsome text of 3\nrare3\n");
        },
    ),
    ("more bytes, mtime put back", |root, _| {
        rewrite(&root.join("src/f4"), "word, and more of it, and omega\n");
    }),
    ("bytes that only differ by case", |root, _| {
        rewrite(&root.join("README"), "quite a word\n");
    }),
    ("nothing left of a file", |root, _| {
        File::create(root.join("src/f5")).unwrap();
    }),
    ("something in an empty one", |root, _| {
        fs::write(root.join("empty"), "word\n").unwrap();
    }),
    ("a line more", |root, _| {
        use std::io::Write;
        let file = OpenOptions::new().append(true).open(root.join("src/f6"));
        file.unwrap().write_all(b"more\n").unwrap();
    }),
    ("longer and cut again", |root, _| {
        let file = OpenOptions::new()
            .write(true)
            .open(root.join("src/f7"))
            .unwrap();
        let len = file.metadata().unwrap().len();
        file.set_len(5).unwrap();
        file.set_len(len).unwrap();
    }),
    ("a write by a name outside", |root, outside| {
        fs::hard_link(root.join("src/f8"), outside.join("name")).unwrap();
        rewrite(&outside.join("name"), "more 8\nsome text of 8\nrare8\n");
    }),
    ("a name outside, and nothing written", |root, outside| {
        fs::hard_link(root.join("src/f9"), outside.join("name")).unwrap();
    }),
    ("another name", |root, _| {
        fs::rename(root.join("src/f10"), root.join("src/g10")).unwrap();
    }),
    ("the name of another file", |root, _| {
        fs::rename(root.join("src/f11"), root.join("src/f12")).unwrap();
    }),
    ("names exchanged between files of one size", |root, _| {
        swap(&root.join("src/f13"), &root.join("src/f14"));
    }),
    ("names exchanged between folders", |root, _| {
        swap(&root.join("lib"), &root.join("twin"));
    }),
    ("a copy with other bytes and the same mtime", |root, _| {
        let (path, aside) = (root.join("src/f15"), root.join("aside"));
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&aside, "more 15\nsome text of 15\nrare15\n").unwrap();
        stamp(&aside, time);
        fs::rename(aside, path).unwrap();
    }),
    ("removed", |root, _| {
        fs::remove_file(root.join("src/f16")).unwrap()
    }),
    ("removed and made again, of the same size", |root, _| {
        let path = root.join("src/f17");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, "more 17\nsome text of 17\nrare99\n").unwrap();
        stamp(&path, time);
    }),
    ("a new file", |root, _| {
        fs::write(root.join("new"), "word\n").unwrap()
    }),
    ("a new folder", |root, _| {
        fs::create_dir(root.join("fresh")).unwrap();
        fs::write(root.join("fresh/f"), "omega\n").unwrap();
    }),
    ("no folder any more", |root, _| {
        fs::remove_dir_all(root.join("lib")).unwrap();
    }),
    ("another name of a folder", |root, _| {
        fs::rename(root.join("lib"), root.join("bil")).unwrap();
    }),
    ("a folder of the same names, sizes and times", |root, _| {
        let (path, aside) = (root.join("lib"), root.join("aside"));
        copy(&path, &aside);
        rewrite(&aside.join("a"), "one gamma a\n");
        fs::remove_dir_all(&path).unwrap();
        fs::rename(&aside, &path).unwrap();
    }),
    ("a link in the place of a folder", |root, outside| {
        copy(&root.join("lib"), &outside.join("lib"));
        fs::remove_dir_all(root.join("lib")).unwrap();
        symlink(outside.join("lib"), root.join("lib")).unwrap();
    }),
    ("a link led elsewhere", |root, _| {
        fs::remove_file(root.join("link")).unwrap();
        symlink("LICENS", root.join("link")).unwrap();
    }),
    ("links exchanged", |root, _| {
        swap(&root.join("link"), &root.join("way"))
    }),
    ("a link in the place of a file", |root, _| {
        fs::remove_file(root.join("src/f18")).unwrap();
        symlink("f19", root.join("src/f18")).unwrap();
    }),
    ("a file in the place of a link", |root, _| {
        fs::remove_file(root.join("link")).unwrap();
        fs::write(root.join("link"), "README").unwrap();
    }),
    ("a folder in the place of a file", |root, _| {
        fs::remove_file(root.join("src/f20")).unwrap();
        fs::create_dir(root.join("src/f20")).unwrap();
        fs::write(root.join("src/f20/f20"), "word\n").unwrap();
    }),
    ("a FIFO in the place of a file", |root, _| {
        let path = root.join("src/f21");
        fs::remove_file(&path).unwrap();
        let done = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(done.unwrap().success());
    }),
    ("another mode of a file", |root, _| {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(root.join("src/f22"), mode).unwrap();
    }),
    ("another mode of a folder", |root, _| {
        let mode = fs::Permissions::from_mode(0o700);
        fs::set_permissions(root.join("lib"), mode).unwrap();
    }),
    ("another case of a name", |root, _| {
        fs::rename(root.join("README"), root.join("readme")).unwrap();
    }),
    ("another order of a folder", |root, _| {
        for at in 0..40 {
            let (path, aside) = (root.join(format!("many/n{at}")), root.join("aside"));
            fs::rename(&path, &aside).unwrap();
            fs::rename(&aside, root.join(format!("many/n{:02}x", 39 - at))).unwrap();
        }
        for at in 0..40 {
            let name = |tail: &str| root.join(format!("many/n{tail}"));
            fs::rename(name(&format!("{at:02}x")), name(&at.to_string())).unwrap();
        }
    }),
    ("a NUL byte", |root, _| {
        rewrite(
            &root.join("src/f23"),
            "word\x0023\nsome text of 23\nrare23\n",
        );
    }),
    ("UTF-16", |root, _| {
        fs::write(root.join("src/f24"), b"\xff\xfeword and more\n\0").unwrap();
    }),
    ("other ignore rules", |root, _| {
        rewrite(&root.join(".gitignore"), "lib/\n")
    }),
    ("a touch", |root, _| {
        stamp(&root.join("src/f25"), SystemTime::now())
    }),
    ("a time to come", |root, _| {
        stamp(
            &root.join("src/f26"),
            SystemTime::now() + Duration::from_secs(1 << 20),
        );
    }),
    ("a line in the middle of a large file", |root, _| {
        let text = fs::read_to_string(root.join("large")).unwrap();
        let (before, after) = text.split_at(text.len() / 46 * 23);
        let text = format!("{before}omega of a large fil\n\n{}", &after[22..]);
        rewrite(&root.join("large"), &text);
    }),
    ("bytes exchanged between files of one size", |root, _| {
        let paths = ["src/f27", "src/f28"].map(|name| root.join(name));
        let texts = paths.clone().map(|path| fs::read_to_string(path).unwrap());
        rewrite(&paths[0], &texts[1]);
        rewrite(&paths[1], &texts[0]);
    }),
    (
        "another tree of the same names, sizes and times",
        |root, outside| {
            copy(root, &outside.join("tree"));
            rewrite(&outside.join("tree/lib/b"), "two gamma b\n");
            fs::remove_dir_all(root).unwrap();
            fs::rename(outside.join("tree"), root).unwrap();
        },
    ),
    ("most of it written anew", |root, _| {
        for at in 0..40 {
            rewrite(
                &root.join(format!("src/f{at}")),
                &format!("more {at}\nalpha\n"),
            );
            fs::remove_file(root.join(format!("many/n{at}"))).unwrap();
        }
    }),
    ("nothing left", |root, _| {
        fs::remove_dir_all(root).unwrap();
        fs::create_dir(root).unwrap();
    }),
];

#[test]
fn what_changes_while_nobody_looks_is_seen_at_the_next_start() {
    assert!(WAYS.len() >= 30);
    for (what, way) in WAYS {
        let outer = tempfile::tempdir().unwrap();
        let path = |name: &str| outer.path().join(name);
        let (root, state) = (path("root"), path("state"));
        fs::create_dir(path("outside")).unwrap();
        plant(&root);
        assert_eq!(load(&root, Some(&state)).keep(), Ok(true));
        way(&root, &path("outside"));
        let recalled = load(&root, Some(&state));
        let snapshot = assert_fresh(&root, &recalled, what);
        assert_same(&snapshot, &load(&root, None).snapshot().unwrap(), what);
        assert_eq!(recalled.trouble(), None, "{what}");
        let expected = match *what {
            "nothing" | "a touch" => 90..91,
            "nothing left" | "most of it written anew" => 0..11,
            _ => 40..91,
        };
        let found = recalled.counters().recalled;
        assert!(expected.contains(&found), "{what}: {found} recalled");
        // What was recalled is followed as what was read.
        fs::write(root.join("late"), "word\n").unwrap();
        rewrite_first_file(&root);
        assert_fresh(&root, &recalled, what);
    }
}

fn rewrite_first_file(root: &Path) {
    let files = fs::read_dir(root).unwrap().map(|it| it.unwrap().path());
    let path = files.filter(|path| path.is_file()).min().unwrap();
    rewrite(&path, "more of it\n");
}

/// What is stored through a map that was there before moves no time stamp, on some file systems never.
#[test]
fn a_store_through_a_map_that_stood_before_is_seen() {
    let outer = tempfile::tempdir().unwrap();
    let (root, state) = (outer.path().join("root"), outer.path().join("state"));
    plant(&root);
    let path = root.join("src/f1");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    // SAFETY: a shared map of a file that is longer than four bytes and stays so.
    let map = unsafe {
        let rights = libc::PROT_READ | libc::PROT_WRITE;
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
        let map = libc::mmap(std::ptr::null_mut(), 4, rights, libc::MAP_SHARED, fd, 0);
        assert_ne!(map, libc::MAP_FAILED);
        map.cast::<[u8; 4]>()
    };
    // SAFETY: the map is writable, and four bytes long.
    unsafe { map.write_volatile(*b"word") };
    assert_eq!(load(&root, Some(&state)).keep(), Ok(true));
    let before = fs::metadata(&path).unwrap();
    // SAFETY: as above.
    unsafe { map.write_volatile(*b"more") };
    let after = fs::metadata(&path).unwrap();
    let recalled = load(&root, Some(&state));
    assert_eq!(
        (before.ino(), before.ctime_nsec()),
        (after.ino(), after.ctime_nsec())
    );
    let snapshot = assert_fresh(&root, &recalled, "a store");
    assert_same(&snapshot, &load(&root, None).snapshot().unwrap(), "a store");
}

#[test]
fn random_edits_between_starts_are_seen() {
    let outer = tempfile::tempdir().unwrap();
    let path = |name: &str| outer.path().join(name);
    for name in ["root", "outside"] {
        fs::create_dir(path(name)).unwrap();
    }
    plant(&path("root"));
    let mut random = Random(0x5DEE_CE66_D1CE_1CEB);
    let mut recalled = 0;
    for start in 0..60 {
        let corpus = load(&path("root"), Some(&path("state")));
        recalled += corpus.counters().recalled;
        for round in 0..random.below(8) {
            let done = edit(&path("root"), &path("outside"), &mut random);
            let after = format!("start {start}, round {round}: {done}");
            assert_fresh(&path("root"), &corpus, &after);
        }
        let last = corpus.snapshot().unwrap();
        assert_same(
            &last,
            &load(&path("root"), None).snapshot().unwrap(),
            "edits",
        );
        if random.below(3) > 0 {
            corpus.keep().unwrap();
        }
        drop(corpus);
        for _ in 0..random.below(6) {
            edit(&path("root"), &path("outside"), &mut random);
        }
    }
    assert!(recalled > 60 * 40, "{recalled} recalled");
}

/// The files of the state folder of the one root in it.
fn kept(state: &Path) -> (PathBuf, Vec<PathBuf>) {
    let folder = fs::read_dir(state).unwrap().next().unwrap().unwrap().path();
    let files = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
    let (table, segments): (Vec<_>, Vec<_>) = files.partition(|path| path.ends_with("table"));
    assert_eq!(table.len(), 1);
    (table.into_iter().next().unwrap(), segments)
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn what_was_kept_and_is_not_that_any_more_is_dropped_with_a_line() {
    type Damage = fn(&Path, &[PathBuf]);
    let ways: &[(&str, Damage)] = &[
        ("cut or damaged", |table, _| cut(table)),
        ("cut or damaged", |table, _| flip(table, 100)),
        ("cut or damaged", |table, _| fs::write(table, "").unwrap()),
        ("another version", |table, _| flip(table, 8)),
        ("another version", |table, _| flip(table, 12)),
        ("cut or damaged", |_, segments| {
            segments.iter().for_each(|path| cut(path))
        }),
        ("cut or damaged", |_, segments| {
            segments.iter().for_each(|path| flip(path, 777))
        }),
        ("No such file", |_, segments| {
            segments
                .iter()
                .for_each(|path| fs::remove_file(path).unwrap());
        }),
        ("of this user alone", |table, _| {
            fs::set_permissions(table, fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("symbolic links", |table, _| {
            fs::rename(table, table.with_file_name("elsewhere")).unwrap();
            symlink("elsewhere", table).unwrap();
        }),
        ("not a file", |table, _| {
            fs::remove_file(table).unwrap();
            let done = std::process::Command::new("mkfifo").arg(table).status();
            assert!(done.unwrap().success());
        }),
    ];
    for (expected, damage) in ways {
        let outer = tempfile::tempdir().unwrap();
        let (root, state) = (outer.path().join("root"), outer.path().join("state"));
        plant(&root);
        assert_eq!(load(&root, Some(&state)).keep(), Ok(true));
        let (table, segments) = kept(&state);
        for path in segments.iter().chain([&table]) {
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
        }
        damage(&table, &segments);
        let corpus = load(&root, Some(&state));
        let said = corpus.trouble().unwrap_or_default();
        assert!(said.contains(expected), "{expected}: {said}");
        assert_eq!((said.lines().count(), corpus.counters().recalled), (1, 0));
        assert_same(
            &corpus.snapshot().unwrap(),
            &load(&root, None).snapshot().unwrap(),
            expected,
        );
        // It is written anew, and good again.
        if *expected != "not a file" {
            assert_eq!(corpus.keep(), Ok(true), "{expected}");
            assert_eq!(
                load(&root, Some(&state)).counters().recalled,
                90,
                "{expected}"
            );
        }
    }
}

#[test]
fn where_nothing_can_be_kept_the_load_says_so_and_goes_on() {
    let outer = tempfile::tempdir().unwrap();
    let path = |name: &str| outer.path().join(name);
    plant(&path("root"));
    let open = path("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let mut ways = vec![
        (open, "this user alone"),
        (path("root/state"), "lies in the tree"),
        (path("root/a/b"), "lies in the tree"),
        (path("root/README"), "lies in the tree"),
        (PathBuf::from("/proc/state"), "/proc/state"),
    ];
    symlink("root/lib", path("inside")).unwrap();
    ways.push((path("inside"), "lies in the tree"));
    fs::write(path("file"), "").unwrap();
    ways.push((path("file"), "exists"));
    let theirs = path("theirs");
    fs::create_dir(&theirs).unwrap();
    if std::os::unix::fs::chown(&theirs, Some(65534), None).is_ok() {
        ways.push((theirs, "this user alone"));
    }
    for (state, expected) in ways {
        let corpus = load(&path("root"), Some(&state));
        let said = corpus.trouble().unwrap_or_default();
        assert!(said.contains(expected), "{}: {said}", state.display());
        assert_eq!(corpus.keep(), Err(said));
        assert_fresh(&path("root"), &corpus, "a state folder that cannot be had");
        assert!(!path("root/state").exists() && !path("root/a").exists());
    }
}

#[test]
fn little_that_is_new_is_not_written() {
    let outer = tempfile::tempdir().unwrap();
    let (root, state) = (outer.path().join("root"), outer.path().join("state"));
    plant(&root);
    assert_eq!(load(&root, Some(&state)).keep(), Ok(true));
    let corpus = load(&root, Some(&state));
    assert_eq!(corpus.keep(), Ok(false));
    fs::write(root.join("src/f1"), "omega\n").unwrap();
    corpus.snapshot().unwrap();
    assert_eq!(corpus.keep(), Ok(false));
    for at in 0..20 {
        fs::write(root.join(format!("src/f{at}")), "omega\n").unwrap();
    }
    corpus.snapshot().unwrap();
    let before = kept(&state).1;
    assert_eq!(corpus.keep(), Ok(true));
    assert_eq!(load(&root, Some(&state)).counters().recalled, 90);
    assert!(
        before.iter().all(|path| path.exists()),
        "what was kept was written again"
    );
}

#[test]
fn what_nobody_has_used_for_a_month_goes() {
    let outer = tempfile::tempdir().unwrap();
    let path = |name: &str| outer.path().join(name);
    let state = path("state");
    for name in ["old", "new", "third"] {
        plant(&path(name));
    }
    load(&path("old"), Some(&state)).keep().unwrap();
    let (table, _) = kept(&state);
    load(&path("new"), Some(&state)).keep().unwrap();
    let count = || fs::read_dir(&state).unwrap().count();
    stamp(
        &table,
        SystemTime::now() - Duration::from_secs(31 * 24 * 3600),
    );
    assert_eq!(load(&path("old"), Some(&state)).counters().recalled, 90);
    load(&path("third"), Some(&state)).keep().unwrap();
    assert_eq!(count(), 3, "it was used just now");
    stamp(
        &table,
        SystemTime::now() - Duration::from_secs(31 * 24 * 3600),
    );
    fs::write(path("third/more"), "word\n".repeat(9)).unwrap();
    fs::create_dir(state.join("0123456789abcdeg")).unwrap();
    for at in 0..20 {
        fs::write(path("third").join(format!("x{at}")), "omega\n").unwrap();
    }
    load(&path("third"), Some(&state)).keep().unwrap();
    assert!(!table.exists() && !table.parent().unwrap().exists());
    assert_eq!(count(), 3, "and what is not ours stays");
}
