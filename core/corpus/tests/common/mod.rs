//! A tree compared with what lies there, and edits of it at random.
#![allow(dead_code)] // each test uses some of it

use std::fs;
use std::io::Write;
use std::path::Path;

use curserve_corpus::{Chosen, Corpus, Entry, Kind, Node, Snapshot};
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
        } else if kind.is_file() {
            into.push((name, Kind::File, fs::read(entry.path()).unwrap()));
        } else {
            into.push((name, Kind::Other, Vec::new()));
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
            Kind::File => into.push((name, Kind::File, child.bytes().unwrap().to_vec())),
            Kind::Other => into.push((name, Kind::Other, Vec::new())),
        }
    }
}

/// The snapshot now, which is what lies there.
pub fn assert_fresh(folder: &Path, corpus: &Corpus, after: &str) -> Snapshot {
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
pub struct Random(pub u64);

impl Random {
    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// One random edit; errors of the file system (a folder moved into itself, a name in use) are part of the game. `outside`
/// lies on the same file system.
pub fn edit(folder: &Path, outside: &Path, random: &mut Random) -> String {
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
