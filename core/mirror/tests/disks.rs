//! The two machines on two real folders, with the real log and the real stream between them.

use std::fs;
use std::os::unix::fs::{symlink, MetadataExt, PermissionsExt};
use std::path::Path;

use curserve_mirror::{
    Beneath, Change, Content, Disk, FileLog, Hash, Limits, New, Outcome, Owner, Packer, RelPath,
    Replica, Unpacker,
};

struct Pair {
    owner: Owner<Beneath, FileLog>,
    replica: Replica<Beneath, FileLog>,
    up: (Packer, Unpacker),
    down: (Packer, Unpacker),
    /// Bytes on the wire, to the server and back.
    bytes: (usize, usize),
}

fn beneath(root: &Path) -> Beneath {
    Beneath::open(root, Box::new(|_| false), true).unwrap()
}

impl Pair {
    fn new(client: &Path, server: &Path, state: &Path) -> Pair {
        let log = FileLog::open(&state.join("client.log")).unwrap();
        let owner = Owner::open(beneath(client), log, [1; 16], Limits::default()).unwrap();
        let log = FileLog::open(&state.join("server.log")).unwrap();
        let replica = Replica::open(beneath(server), log, [2; 16], Limits::default()).unwrap();
        let line = || (Packer::new().unwrap(), Unpacker::new().unwrap());
        let mut pair = Pair {
            owner,
            replica,
            up: line(),
            down: line(),
            bytes: (0, 0),
        };
        pair.owner.connected();
        pair.replica.connected().unwrap();
        pair
    }

    /// Looks at the whole client, and lets both speak until nobody has anything to say.
    fn settle(&mut self) {
        self.owner.touched_all();
        loop {
            self.owner.pump().unwrap();
            let up = self.speak_up();
            let down = self.speak_down();
            if up + down == 0 && self.owner.is_acknowledged() {
                return;
            }
            assert_eq!(self.replica.stalled(), None);
        }
    }

    fn speak_up(&mut self) -> usize {
        let mut count = 0;
        while let Some(message) = self
            .owner
            .next_message()
            .or_else(|| self.owner.next_piece())
        {
            self.up.0.push(&message).unwrap();
            count += 1;
        }
        let bytes = match count {
            0 => Vec::new(),
            _ => self.up.0.take().unwrap(),
        };
        self.bytes.0 += bytes.len();
        let mut rest = &bytes[..];
        while let Some(message) = self.up.1.next(&mut rest).unwrap() {
            self.replica.receive(message).unwrap();
        }
        count
    }

    fn speak_down(&mut self) -> usize {
        let mut count = 0;
        while let Some(message) = self.replica.next_message() {
            self.down.0.push(&message).unwrap();
            count += 1;
        }
        let bytes = match count {
            0 => Vec::new(),
            _ => self.down.0.take().unwrap(),
        };
        self.bytes.1 += bytes.len();
        let mut rest = &bytes[..];
        while let Some(message) = self.down.1.next(&mut rest).unwrap() {
            self.owner.receive(message).unwrap();
        }
        count
    }
}

/// What a tree shows: path, mode, time, and target or content.
fn shown(root: &Path) -> Vec<(String, u32, i128, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            let what = if meta.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else if meta.is_dir() {
                folders.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            let time = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
            let name = path
                .strip_prefix(root)
                .unwrap()
                .as_os_str()
                .as_encoded_bytes();
            all.push((name.escape_ascii().to_string(), meta.mode(), time, what));
        }
    }
    all.sort();
    all
}

fn source(lines: usize) -> String {
    let line = |n: usize| {
        format!(
            "    let value_{n} = compute({n}, 0x{:08x});\n",
            n.wrapping_mul(0x9e37_79b9)
        )
    };
    (0..lines).map(line).collect()
}

fn file(bytes: &[u8]) -> Change {
    Change::File {
        mode: None,
        size: bytes.len() as u64,
        hash: Hash::of(bytes),
        content: Content::Whole(bytes.into()),
    }
}

#[test]
fn two_folders_come_to_be_the_same_and_stay_so() {
    let all = tempfile::tempdir().unwrap();
    let (client, server) = (all.path().join("client"), all.path().join("server"));
    fs::create_dir_all(client.join("src/deep/er")).unwrap();
    fs::create_dir(&server).unwrap();
    fs::write(client.join("src/main.rs"), source(10)).unwrap();
    fs::write(client.join("src/large.rs"), source(5000)).unwrap();
    fs::write(client.join("src/deep/er/new\nline"), "x").unwrap();
    fs::write(client.join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(client.join("run"), PermissionsExt::from_mode(0o750)).unwrap();
    symlink("/etc/passwd", client.join("out")).unwrap();
    symlink("src", client.join("in")).unwrap();

    let mut pair = Pair::new(&client, &server, all.path());
    pair.settle();
    assert_eq!(shown(&client), shown(&server));

    // A line in a large file, in place.
    let text = source(5000);
    assert!(text.len() > 200_000);
    let changed = text.replacen("compute(2500, 0x", "compute(2500, 1x", 1);
    assert_ne!(changed, text);
    fs::write(client.join("src/large.rs"), &changed).unwrap();
    pair.bytes = (0, 0);
    pair.settle();
    assert_eq!(shown(&client), shown(&server));
    assert!(pair.bytes.0 <= 250, "{:?} bytes for a line", pair.bytes);
    println!(
        "a line in {} bytes: {:?} bytes on the wire",
        text.len(),
        pair.bytes
    );

    // A new file costs about what zstd makes of it.
    let fresh = source(700).replace("value", "other");
    fs::write(client.join("src/fresh.rs"), &fresh).unwrap();
    let packed = zstd::bulk::compress(fresh.as_bytes(), 3).unwrap().len();
    pair.bytes = (0, 0);
    pair.settle();
    println!(
        "a file of {}, {packed} as zstd: {:?} bytes",
        fresh.len(),
        pair.bytes
    );
    assert!(
        pair.bytes.0 <= packed * 11 / 10,
        "{:?}, zstd {packed}",
        pair.bytes
    );

    // Nothing happens, nothing is said.
    pair.bytes = (0, 0);
    for _ in 0..20 {
        pair.settle();
    }
    assert_eq!(pair.bytes, (0, 0));

    // Folders move, trees go, kinds change.
    fs::rename(client.join("src/deep"), client.join("moved")).unwrap();
    fs::remove_file(client.join("in")).unwrap();
    fs::create_dir(client.join("in")).unwrap();
    fs::write(client.join("in/side"), "s").unwrap();
    pair.settle();
    assert_eq!(shown(&client), shown(&server));

    // The agent's edit reaches the client; one that meets a user's is kept beside it.
    let edited = RelPath::new(b"src/main.rs").unwrap();
    pair.replica.edit(&edited, file(b"fn main() {}\n")).unwrap();
    pair.settle();
    assert_eq!(
        fs::read(client.join("src/main.rs")).unwrap(),
        b"fn main() {}\n"
    );
    assert_eq!(shown(&client), shown(&server));
    pair.replica
        .edit(&edited, file(b"fn agent() {}\n"))
        .unwrap();
    fs::write(client.join("src/main.rs"), "fn user() {}\n").unwrap();
    pair.settle();
    assert_eq!(
        fs::read(client.join("src/main.rs")).unwrap(),
        b"fn user() {}\n"
    );
    let kept = client.join("src/main.rs.curserve-conflict-2");
    assert_eq!(fs::read(kept).unwrap(), b"fn agent() {}\n");
    assert_eq!(shown(&client), shown(&server));

    // Both start anew, and find each other the same.
    drop(pair);
    let mut pair = Pair::new(&client, &server, all.path());
    pair.settle();
    assert_eq!(shown(&client), shown(&server));
}

#[test]
fn nothing_is_done_or_read_behind_a_link() {
    let all = tempfile::tempdir().unwrap();
    let (root, other) = (all.path().join("root"), all.path().join("other"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&other).unwrap();
    fs::write(other.join("victim"), "v").unwrap();
    symlink(&other, root.join("link")).unwrap();
    symlink(other.join("victim"), root.join("file")).unwrap();
    let before = shown(&other);
    let mut disk = beneath(&root);
    let new = New::File {
        bytes: b"new"[..].into(),
        mode: Some(0o644),
        mtime: Some(0),
    };
    let behind = RelPath::new(b"link/victim").unwrap();
    assert_eq!(disk.look(&behind).unwrap(), None);
    assert!(disk.read(&behind).is_err());
    assert!(disk.put(&behind, &new).is_err());
    assert!(disk.set(&behind, Some(0o777), Some(0)).is_err());
    assert!(disk.remove(&behind).is_err());
    assert!(disk.list(&RelPath::new(b"link").unwrap()).is_err());
    assert!(disk
        .rename(
            &RelPath::new(b"file").unwrap(),
            &RelPath::new(b"link/x").unwrap()
        )
        .is_err());
    assert!(!disk.swap(&behind, None, Some(&new)).unwrap());
    let file = RelPath::new(b"file").unwrap();
    assert!(disk.read(&file).is_err());
    // The link itself takes a time and a new content; what it points to does not.
    disk.set(&file, Some(0o777), Some(5)).unwrap();
    disk.put(&file, &new).unwrap();
    assert_eq!(shown(&other), before);
    assert_eq!(fs::read(root.join("file")).unwrap(), b"new");
}

#[test]
fn what_has_changed_meanwhile_is_not_swapped() {
    let all = tempfile::tempdir().unwrap();
    let mut disk = beneath(all.path());
    let path = RelPath::new(b"f").unwrap();
    let new = |bytes: &[u8]| New::File {
        bytes: bytes.into(),
        mode: None,
        mtime: None,
    };
    let look = |disk: &mut Beneath| loop {
        match disk.look(&path).unwrap() {
            Some(look) if !look.settled => std::thread::sleep(std::time::Duration::from_millis(5)),
            look => return look,
        }
    };
    assert!(disk.swap(&path, None, Some(&new(b"one"))).unwrap());
    assert!(!disk.swap(&path, None, Some(&new(b"two"))).unwrap());
    let seen = look(&mut disk);
    fs::write(all.path().join("f"), "xyz").unwrap();
    assert!(!disk.swap(&path, seen.as_ref(), Some(&new(b"two"))).unwrap());
    assert!(!disk.swap(&path, seen.as_ref(), None).unwrap());
    assert_eq!(fs::read(all.path().join("f")).unwrap(), b"xyz");
    let seen = look(&mut disk);
    assert!(disk.swap(&path, seen.as_ref(), Some(&new(b"two"))).unwrap());
    assert_eq!(fs::read(all.path().join("f")).unwrap(), b"two");
    let seen = look(&mut disk);
    assert!(disk.swap(&path, seen.as_ref(), None).unwrap());
    assert_eq!(fs::read_dir(all.path()).unwrap().count(), 0);
}

#[test]
fn changes_of_both_sides_are_brought_together_or_both_kept() {
    let folder = tempfile::tempdir().unwrap();
    let [client, server, state] =
        ["client", "server", "state"].map(|name| folder.path().join(name));
    for place in [&client, &server, &state] {
        fs::create_dir(place).unwrap();
    }
    let text = |first: &str, last: &str| format!("{first}\n{}{last}\n", source(40));
    fs::write(client.join("a"), text("one", "two")).unwrap();
    fs::write(client.join("b"), text("one", "two")).unwrap();
    let mut pair = Pair::new(&client, &server, &state);
    pair.settle();
    for (name, edit) in [("a", text("one", "agent")), ("b", text("agent", "two"))] {
        let path = RelPath::new(name.as_bytes()).unwrap();
        pair.replica.edit(&path, file(edit.as_bytes())).unwrap();
        fs::write(client.join(name), text("user", "two")).unwrap();
    }
    pair.settle();
    let read = |name: &str| fs::read_to_string(client.join(name)).unwrap();
    assert_eq!(read("a"), text("user", "agent"));
    assert_eq!(read("b"), text("user", "two"));
    assert_eq!(read("b.curserve-conflict-2"), text("agent", "two"));
    assert_eq!(shown(&client), shown(&server));
    let told: Vec<Outcome> = pair
        .replica
        .outcomes()
        .into_iter()
        .map(|(.., outcome)| outcome)
        .collect();
    let copy = RelPath::new(b"b.curserve-conflict-2").unwrap();
    assert_eq!(told, [Outcome::Merged, Outcome::Conflict(Some(copy))]);
}
