//! Gives a file its new content, or leaves the old one: whatever fails, on whatever kind of file.
//!
//! A new file takes the old one's place, so that readers see the one or the other. Where that would change more than the
//! content (several hard links, another owner, extended attributes, a folder that takes no new file) the old one is
//! written in place: space is reserved first, and what was there is written back if anything fails. Only whoever is
//! killed in the middle of that leaves a mixture.

use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{fchown, FileExt, MetadataExt, PermissionsExt};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{fallocate, openat, renameat, unlinkat};
use rustix::fs::{AtFlags, FallocateFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::beneath::Spot;

/// Names that are tried for a new file: somebody may have taken the first ones.
const NAMES: usize = 64;

/// Give the file at `spot` the content `bytes`, as the module tells; there need not be one.
///
/// # Errors
/// Where it cannot be written: then the old file is what it was.
pub(crate) fn put(spot: &Spot, bytes: &[u8]) -> io::Result<()> {
    let Some(old) = spot.stat()? else {
        return replace(spot, bytes, None);
    };
    match FileType::from_raw_mode(old.st_mode) {
        FileType::RegularFile => {}
        FileType::Directory => return Err(Errno::ISDIR.into()),
        _ => return Err(io::Error::other("not a regular file")),
    }
    // What may not be written must not be replaced either.
    let file = File::from(spot.open(OFlags::WRONLY)?);
    if old.st_nlink > 1 || has_attributes(&file) {
        return overwrite(spot, &file, bytes);
    }
    match replace(spot, bytes, Some(&old)) {
        // No new file is to be had there, or none like the old one; that it cannot be written is an answer.
        Err(error) if !is_full(&error) => overwrite(spot, &file, bytes),
        done => done,
    }
}

/// Whether there is no room, which there will not be in place either.
fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EFBIG | libc::EIO))
}

fn has_attributes(file: &File) -> bool {
    let mut names = [0u8; 0];
    matches!(rustix::fs::flistxattr(file, &mut names[..]), Ok(1..))
}

/// Write a new file beside the old one, like it, and move it to its place.
fn replace(spot: &Spot, bytes: &[u8], old: Option<&Stat>) -> io::Result<()> {
    let (mut file, beside) = create(spot)?;
    let mut fill = || {
        file.write_all(bytes)?;
        if let Some(old) = old {
            let new = file.metadata()?;
            if (new.uid(), new.gid()) != (old.st_uid, old.st_gid) {
                fchown(&file, Some(old.st_uid), Some(old.st_gid))?;
            }
            file.set_permissions(Permissions::from_mode(old.st_mode & 0o7777))?;
        }
        Ok(renameat(&spot.folder, &beside, &spot.folder, &spot.name)?)
    };
    let filled = fill();
    if filled.is_err() {
        let _ = unlinkat(&spot.folder, &beside, AtFlags::empty());
    }
    filled
}

fn create(spot: &Spot) -> io::Result<(File, String)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mut last = Errno::EXIST;
    for _ in 0..NAMES {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let beside = format!(".curserve.{}.{number}", std::process::id());
        match openat(&spot.folder, &beside, new, Mode::from_raw_mode(0o666)) {
            Ok(file) => return Ok((file.into(), beside)),
            Err(Errno::EXIST) => {}
            Err(error) => {
                last = error;
                break;
            }
        }
    }
    Err(last.into())
}

/// A regular file that is to be written as a shell's `>` and `>>` write it: whoever has it open sees the change, and other
/// names of it do.
#[derive(Debug)]
pub struct InPlace {
    spot: Spot,
    file: File,
    append: bool,
}

impl InPlace {
    /// Opens the file `name` in `folder`, to be written as a whole, or to `append` to it. Nothing changes.
    ///
    /// # Errors
    /// Where it may not be written, is a link or not a regular file, or is not there.
    pub fn open(folder: OwnedFd, name: &OsStr, append: bool) -> io::Result<Self> {
        let spot = Spot {
            folder,
            name: name.to_owned(),
        };
        let flags = match append {
            true => OFlags::WRONLY | OFlags::APPEND,
            false => OFlags::WRONLY,
        };
        let file = File::from(spot.open(flags)?);
        match file.metadata()?.is_file() {
            true => Ok(InPlace { spot, file, append }),
            false => Err(io::Error::other("not a regular file")),
        }
    }

    /// Writes `bytes`.
    ///
    /// # Errors
    /// Where they cannot all be written: then the file is what it was.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match self.append {
            true => append(&self.file, bytes),
            false => overwrite(&self.spot, &self.file, bytes),
        }
    }
}

/// Write behind what is in `file`, which was opened to be appended to.
fn append(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    reserve(file, length, bytes.len())?;
    file.write_all(bytes).inspect_err(|_| {
        // What somebody else has appended meanwhile is not cut off.
        let is_ours = |now: u64| now.saturating_sub(length) <= bytes.len() as u64;
        if file.metadata().is_ok_and(|now| is_ours(now.len())) {
            let _ = file.set_len(length);
        }
    })
}

/// Asks for room for `wanted` bytes from `offset` on; what cannot be asked for is found out in writing.
fn reserve(file: &File, offset: u64, wanted: usize) -> io::Result<()> {
    let reserved = match wanted {
        0 => Ok(()),
        wanted => fallocate(file, FallocateFlags::KEEP_SIZE, offset, wanted as u64),
    };
    match reserved {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
        _ => Ok(()),
    }
}

/// Write into the file itself, which `file` has open for writing.
fn overwrite(spot: &Spot, file: &File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    let before = first_bytes(spot, file, length.min(bytes.len() as u64))?;
    // Not every file system can; there, what was there is written back.
    let write = || {
        reserve(file, 0, bytes.len())?;
        file.write_all_at(bytes, 0)?;
        file.set_len(bytes.len() as u64)
    };
    write().inspect_err(|_| {
        let _ = file.write_all_at(&before, 0);
        let _ = file.set_len(length);
    })
}

/// The first `length` bytes of a file, also of one that its owner may write and not read.
fn first_bytes(spot: &Spot, file: &File, length: u64) -> io::Result<Vec<u8>> {
    let mut before = Vec::new();
    if length == 0 {
        return Ok(before);
    }
    let mut read = || -> io::Result<()> {
        let mut readable = File::from(spot.open(OFlags::RDONLY)?);
        let (same, found) = (file.metadata()?, readable.metadata()?);
        if (same.dev(), same.ino()) != (found.dev(), found.ino()) {
            return Err(Errno::LOOP.into()); // another file took its place: all is done again
        }
        readable.rewind()?;
        readable.take(length).read_to_end(&mut before).map(|_| ())
    };
    if let Err(error) = read() {
        if error.raw_os_error() != Some(libc::EACCES) {
            return Err(error);
        }
        let mode = file.metadata()?.mode() & 0o7777;
        file.set_permissions(Permissions::from_mode(mode | 0o400))?;
        let found = read();
        file.set_permissions(Permissions::from_mode(mode))?;
        found?;
    }
    Ok(before)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

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
                let number =
                    |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().ino();
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
}
