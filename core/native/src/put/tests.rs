//! Every kind of file, written whole and in place, and failing at every point.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::{symlink, FileExt};
use std::path::Path;

use super::*;
use crate::in_place::InPlace;

fn spot(folder: &Path, name: &str) -> Spot {
    Spot {
        folder: File::open(folder).unwrap().into(),
        name: OsString::from(name),
    }
}

fn names(folder: &Path) -> Vec<OsString> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    names
}

/// A forked child keeps files of other tests open for a moment, and so their space.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|error| error.into_inner())
}

/// Whether `put` succeeds in a child process that may write no more than `most` bytes into a file.
fn put_limited(spot: &Spot, bytes: &[u8], most: u64) -> bool {
    limited(most, || put(spot, bytes))
}

/// Whether `write` succeeds in such a child.
fn limited(most: u64, write: impl Fn() -> io::Result<()>) -> bool {
    // SAFETY: the child only makes system calls and allocates, which the C library allows after a fork, and exits.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            let limit = libc::rlimit {
                rlim_cur: most,
                rlim_max: most,
            };
            libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
            libc::_exit(i32::from(write().is_err()));
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        assert!(libc::WIFEXITED(status));
        libc::WEXITSTATUS(status) == 0
    }
}

type Shape = (&'static str, fn(&Path));

/// Every shape of an existing file: made in `folder` under the name `f`.
const SHAPES: &[Shape] = &[
    ("plain", |folder| {
        std::fs::write(folder.join("f"), b"old content\n").unwrap()
    }),
    ("empty", |folder| {
        std::fs::write(folder.join("f"), b"").unwrap()
    }),
    ("several links", |folder| {
        std::fs::write(folder.join("f"), b"old content\n").unwrap();
        std::fs::hard_link(folder.join("f"), folder.join("g")).unwrap();
    }),
    ("sparse", |folder| {
        let file = File::create(folder.join("f")).unwrap();
        file.set_len(300_000).unwrap();
        file.write_all_at(b"end", 299_997).unwrap();
    }),
    ("sparse, several links", |folder| {
        let file = File::create(folder.join("f")).unwrap();
        file.set_len(300_000).unwrap();
        file.write_all_at(b"end", 150_000).unwrap();
        std::fs::hard_link(folder.join("f"), folder.join("g")).unwrap();
    }),
    ("mode 0200, several links", |folder| {
        std::fs::write(folder.join("f"), b"old content\n").unwrap();
        std::fs::hard_link(folder.join("f"), folder.join("g")).unwrap();
        let mode = Permissions::from_mode(0o200);
        std::fs::set_permissions(folder.join("f"), mode).unwrap();
    }),
    ("mode 6755", |folder| {
        std::fs::write(folder.join("f"), b"old content\n").unwrap();
        let mode = Permissions::from_mode(0o6755);
        std::fs::set_permissions(folder.join("f"), mode).unwrap();
    }),
    ("another owner", |folder| {
        std::fs::write(folder.join("f"), b"old content\n").unwrap();
        let mode = Permissions::from_mode(0o666);
        std::fs::set_permissions(folder.join("f"), mode).unwrap();
        // Only root can; for others this is one more plain file.
        let _ = std::os::unix::fs::chown(folder.join("f"), Some(12345), Some(54321));
    }),
];

type Seen = Vec<(OsString, u64, u32, u32, u32, u64, Vec<u8>)>;

fn seen(folder: &Path) -> Seen {
    let mut all = Seen::new();
    for name in names(folder) {
        let path = folder.join(&name);
        let meta = std::fs::metadata(&path).unwrap();
        let readable = Permissions::from_mode(meta.mode() | 0o400);
        if meta.mode() & 0o400 == 0 {
            std::fs::set_permissions(&path, readable).unwrap();
        }
        let content = std::fs::read(&path).unwrap();
        if meta.mode() & 0o400 == 0 {
            std::fs::set_permissions(&path, meta.permissions()).unwrap();
        }
        all.push((
            name,
            meta.len(),
            meta.mode(),
            meta.uid(),
            meta.gid(),
            meta.nlink(),
            content,
        ));
    }
    all
}

#[test]
fn a_write_changes_the_content_and_nothing_else() {
    let _alone = alone();
    for (shape, make) in SHAPES {
        for new in [&b"new\n"[..], b"", &[b'n'; 500_000]] {
            let folder = tempfile::tempdir().unwrap();
            make(folder.path());
            let before = seen(folder.path());
            assert!(put_limited(&spot(folder.path(), "f"), new, 500_000));
            let expected: Seen = before
                .into_iter()
                .map(|(name, _, mode, uid, gid, links, _)| {
                    (name, new.len() as u64, mode, uid, gid, links, new.to_vec())
                })
                .collect();
            assert!(expected == seen(folder.path()), "{shape}: {}", new.len());
        }
    }
}

#[test]
fn a_write_that_fails_leaves_everything_as_it_was() {
    let _alone = alone();
    for (shape, make) in SHAPES {
        for most in [1, 5, 4096, 100_000, 499_999] {
            let folder = tempfile::tempdir().unwrap();
            make(folder.path());
            let before = seen(folder.path());
            let done = put_limited(&spot(folder.path(), "f"), &[b'n'; 500_000], most);
            assert!(!done, "{shape} {most}");
            assert!(before == seen(folder.path()), "{shape} {most}");
        }
    }
}

fn in_place(folder: &Path, append: bool) -> io::Result<InPlace> {
    InPlace::open(File::open(folder)?.into(), OsStr::new("f"), append)
}

#[test]
fn what_is_written_in_place_stays_the_same_file() {
    let _alone = alone();
    for (shape, make) in SHAPES {
        for append in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            make(folder.path());
            let number = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().ino();
            let (before, old) = (number("f"), seen(folder.path()));
            in_place(folder.path(), append)
                .unwrap()
                .write(b"new\n")
                .unwrap();
            assert_eq!(before, number("f"), "{shape}");
            let start = if append { old[0].6.clone() } else { Vec::new() };
            let wanted = [start.as_slice(), b"new\n"].concat();
            assert!(
                seen(folder.path()).iter().all(|one| one.6 == wanted),
                "{shape}"
            );
        }
    }
}

#[test]
fn a_write_in_place_that_fails_leaves_everything_as_it_was() {
    let _alone = alone();
    for (shape, make) in SHAPES {
        for (append, most) in [(false, 5), (false, 499_999), (true, 5), (true, 499_999)] {
            let folder = tempfile::tempdir().unwrap();
            make(folder.path());
            let before = seen(folder.path());
            let write = || in_place(folder.path(), append)?.write(&[b'n'; 500_000]);
            assert!(!limited(most, write), "{shape} {append} {most}");
            assert!(before == seen(folder.path()), "{shape} {append} {most}");
        }
    }
}

#[test]
fn a_full_file_system_leaves_everything_as_it_was() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let place = std::ffi::CString::new(folder.path().to_str().unwrap()).unwrap();
    // SAFETY: mounts a small file system on a folder of ours; only root can.
    let rc = unsafe {
        libc::mount(
            c"none".as_ptr(),
            place.as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            c"size=1m".as_ptr().cast(),
        )
    };
    if rc != 0 {
        eprintln!("not root: no file system of one's own to fill");
        return;
    }
    struct Mounted(std::ffi::CString);
    impl Drop for Mounted {
        fn drop(&mut self) {
            // SAFETY: unmounts what was mounted above.
            unsafe { libc::umount2(self.0.as_ptr(), libc::MNT_DETACH) };
        }
    }
    let _mounted = Mounted(place);
    for (shape, make) in SHAPES {
        for fill in [500_000, 900_000] {
            make(folder.path());
            std::fs::write(folder.path().join("filler"), vec![b'f'; fill]).unwrap();
            let before = seen(folder.path());
            let done = put(&spot(folder.path(), "f"), &[b'n'; 700_000]);
            assert!(done.is_err(), "{shape} {fill}");
            assert!(before == seen(folder.path()), "{shape} {fill}");
            for append in [false, true] {
                let file = in_place(folder.path(), append).unwrap();
                assert!(file.write(&[b'n'; 700_000]).is_err(), "{shape} {fill}");
                assert!(before == seen(folder.path()), "{shape} {fill}");
            }
            for name in names(folder.path()) {
                std::fs::remove_file(folder.path().join(name)).unwrap();
            }
        }
    }
}

#[test]
fn names_that_somebody_took_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let me = std::process::id();
    for number in 0..20 {
        let name = folder.path().join(format!(".curserve.{me}.{number}"));
        symlink("/nowhere", name).unwrap();
    }
    put(&spot(folder.path(), "f"), b"new").unwrap();
    assert_eq!(std::fs::read(folder.path().join("f")).unwrap(), b"new");
}
