//! The disk beneath one folder. Every path is opened component by component from a descriptor of that folder, by the kernel
//! (`openat2`), which neither follows a link nor leaves it; what is new stands under another name until it is whole.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{
    fchmod, fchown, fstat, fsync, mkdirat, openat, openat2, readlinkat, renameat, renameat_with,
    statat, symlinkat, unlinkat, utimensat, AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags,
    ResolveFlags, Stat, Timespec, Timestamps, Uid, CWD,
};
use rustix::io::Errno;

use crate::disk::{Disk, Look, New, Seen};
use crate::path::{Name, RelPath};
use crate::tree::Stamp;
use crate::wire::MAX_FILE;

/// How the names of what is half made begin. They are not mirrored, and swept away when their process is gone.
const HALF: &str = ".curserve-half.";
/// A change within this time of the last one may leave the same time of change.
const TICK: Duration = Duration::from_millis(20);

/// Which regular files are withheld: their names are mirrored, what is in them is not.
pub type Withheld = Box<dyn Fn(&RelPath) -> bool + Send>;

/// A folder, and what may be done beneath it.
pub struct Beneath {
    root: OwnedFd,
    withheld: Withheld,
    /// Files that could not be read, as what they looked like then.
    unreadable: HashMap<RelPath, Stamp>,
    /// Whether a change is on the disk before it is reported as done.
    durable: bool,
    count: u64,
}

impl fmt::Debug for Beneath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Beneath({})", self.root.as_raw_fd())
    }
}

const FOLDER: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl Beneath {
    /// The folder at `root`. `durable`: what is put by [`Disk::swap`] outlasts a power cut.
    ///
    /// # Errors
    /// Where it cannot be opened, or is no folder.
    pub fn open(root: &Path, withheld: Withheld, durable: bool) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Beneath {
            root: openat(CWD, root, flags, Mode::empty())?,
            withheld,
            unreadable: HashMap::new(),
            durable,
            count: 0,
        })
    }

    fn reach(&self, path: &RelPath, flags: OFlags) -> rustix::io::Result<OwnedFd> {
        let resolve =
            ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let bytes = match path.is_root() {
            true => b".",
            false => path.bytes(),
        };
        openat2(
            &self.root,
            bytes,
            flags | OFlags::CLOEXEC,
            Mode::empty(),
            resolve,
        )
    }

    /// The folder that `path` lies in, open, and its name there.
    fn spot<'p>(&self, path: &'p RelPath) -> io::Result<(OwnedFd, &'p OsStr)> {
        let Some((parent, name)) = path.split() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the root itself",
            ));
        };
        match self.reach(&parent, FOLDER) {
            Ok(folder) => Ok((folder, OsStr::from_bytes(name))),
            Err(error) if is_absent(error) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => Err(error.into()),
        }
    }

    fn stat(&self, path: &RelPath) -> io::Result<Option<Stat>> {
        if path.is_root() {
            let stat = fstat(&self.root)?;
            return Ok((stat.st_nlink > 0).then_some(stat));
        }
        let (folder, name) = match self.spot(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            spot => spot?,
        };
        match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if is_absent(error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn seen(&self, path: &RelPath, stat: &Stat, stamp: &Stamp) -> io::Result<Option<Seen>> {
        let size = stat.st_size as u64;
        let what = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return Ok(Some(Seen::Folder)),
            FileType::Symlink => {
                let (folder, name) = self.spot(path)?;
                return match readlinkat(&folder, name, Vec::new()) {
                    Ok(target) => Ok(Some(Seen::Link(target.into_bytes().into()))),
                    Err(Errno::INVAL | Errno::NOENT) => Ok(None),
                    Err(error) => Err(error.into()),
                };
            }
            FileType::RegularFile => {
                let is_hidden = size > MAX_FILE
                    || self.unreadable.get(path) == Some(stamp)
                    || (self.withheld)(path);
                if !is_hidden {
                    return Ok(Some(Seen::File(size)));
                }
                b'f'
            }
            FileType::Fifo => b'p',
            FileType::Socket => b's',
            FileType::CharacterDevice => b'c',
            _ => b'b',
        };
        Ok(Some(Seen::Withheld { size, what }))
    }

    /// A name for what is half made, in the folder of `path`.
    fn half(&mut self) -> String {
        self.count += 1;
        format!("{HALF}{}.{}", std::process::id(), self.count)
    }

    /// Makes the file or link under another name.
    fn prepare(&mut self, folder: &OwnedFd, new: &New) -> io::Result<String> {
        loop {
            let half = self.half();
            let made = match new {
                New::File { bytes, mode, mtime } => {
                    self.prepare_file(folder, &half, bytes, *mode, *mtime)
                }
                New::Withheld {
                    size, mode, mtime, ..
                } => prepare_hollow(folder, &half, *size, *mode, *mtime),
                New::Link { target, mtime } => symlinkat(OsStr::from_bytes(target), folder, &*half)
                    .and_then(|()| match mtime {
                        Some(mtime) => {
                            utimensat(folder, &*half, &times(*mtime), AtFlags::SYMLINK_NOFOLLOW)
                        }
                        None => Ok(()),
                    })
                    .map_err(Into::into),
                New::Folder { .. } => Err(io::ErrorKind::IsADirectory.into()),
            };
            match made {
                Ok(()) => return Ok(half),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let _ = unlinkat(folder, &*half, AtFlags::empty());
                    return Err(error);
                }
            }
        }
    }

    fn prepare_file(
        &self,
        folder: &OwnedFd,
        half: &str,
        bytes: &[u8],
        mode: Option<u16>,
        mtime: Option<i64>,
    ) -> io::Result<()> {
        let mut file = create(folder, half)?;
        give(&file, folder)?;
        file.write_all(bytes)?;
        if let Some(mode) = mode {
            fchmod(&file, Mode::from_raw_mode(mode.into()))?;
        }
        if let Some(mtime) = mtime {
            rustix::fs::futimens(&file, &times(mtime))?;
        }
        if self.durable {
            fsync(&file)?;
        }
        Ok(())
    }

    /// Does `act` in a folder that may have to be made writable for it; the mode is put back.
    fn within<T>(
        &mut self,
        folder: &OwnedFd,
        mut act: impl FnMut(&mut Self) -> io::Result<T>,
    ) -> io::Result<T> {
        match act(self) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let mode = fstat(folder)?.st_mode & 0o7777;
                if mode & 0o300 == 0o300 || chmod(folder, mode | 0o700).is_err() {
                    return Err(error);
                }
                let done = act(self);
                chmod(folder, mode)?;
                done
            }
            done => done,
        }
    }

    /// Whether the regular file at `path` has other names, which are to have its new content too.
    fn has_names(&self, path: &RelPath) -> io::Result<bool> {
        let stat = self.stat(path)?;
        Ok(stat.is_some_and(|stat| {
            stat.st_nlink > 1 && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        }))
    }

    /// Writes into the file at `path`, if it is what was seen. Who is killed within leaves a part of it: the log says so.
    fn overwrite(
        &self,
        path: &RelPath,
        look: &Look,
        bytes: &[u8],
        mode: Option<u16>,
    ) -> io::Result<bool> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file: File = match self.reach(path, flags) {
            Ok(file) => file.into(),
            Err(error) if is_absent(error) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if stamp(&fstat(&file)?) != look.stamp {
            return Ok(false);
        }
        let before = look.stamp[4] as usize;
        let mut old = Vec::with_capacity(before);
        (&file).take(before as u64).read_to_end(&mut old)?;
        let put = |bytes: &[u8]| -> io::Result<()> {
            file.write_all_at(bytes, 0)?;
            file.set_len(bytes.len() as u64)
        };
        if let Err(error) = put(bytes) {
            put(&old)?;
            return Err(error);
        }
        if let Some(mode) = mode {
            fchmod(&file, Mode::from_raw_mode(mode.into()))?;
        }
        if self.durable {
            fsync(&file)?;
        }
        Ok(true)
    }

    fn synced(&self, folder: &OwnedFd) -> io::Result<()> {
        if self.durable {
            // An O_PATH descriptor cannot be synced.
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            fsync(openat(folder, ".", flags, Mode::empty())?)?;
        }
        Ok(())
    }
}

fn create(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(folder, name, flags, Mode::from_raw_mode(0o666))?.into())
}

/// What root makes belongs to whom its folder belongs: a workspace is not root's because root follows it.
fn give(node: &impl AsFd, folder: &OwnedFd) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fstat(folder)?;
    let ids = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
    match fchown(node, Some(ids.0), Some(ids.1)) {
        // Root of a namespace that has no such user.
        Err(Errno::PERM | Errno::INVAL) => Ok(()),
        done => Ok(done?),
    }
}

/// A file of the right length with nothing in it.
fn prepare_hollow(
    folder: &OwnedFd,
    half: &str,
    size: u64,
    mode: u16,
    mtime: i64,
) -> io::Result<()> {
    let file = create(folder, half)?;
    file.set_len(size)?;
    fchmod(&file, Mode::from_raw_mode(mode.into()))?;
    Ok(rustix::fs::futimens(&file, &times(mtime))?)
}

/// Sets the mode of what is open, by a descriptor that only names it.
fn chmod(node: &impl AsFd, mode: u32) -> io::Result<()> {
    let path = format!("/proc/self/fd/{}", node.as_fd().as_raw_fd());
    Ok(rustix::fs::chmod(path, Mode::from_raw_mode(mode))?)
}

fn times(ns: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: ns.div_euclid(1_000_000_000),
        tv_nsec: ns.rem_euclid(1_000_000_000),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn mtime(stat: &Stat) -> i64 {
    stat.st_mtime
        .saturating_mul(1_000_000_000)
        .saturating_add(stat.st_mtime_nsec as i64)
}

fn stamp(stat: &Stat) -> Stamp {
    [
        stat.st_ino,
        stat.st_ctime as u64,
        stat.st_ctime_nsec,
        mtime(stat) as u64,
        stat.st_size as u64,
    ]
}

/// Whether a change from now on shows in the time of change.
fn is_settled(stat: &Stat) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let changed = Duration::new(stat.st_ctime as u64, stat.st_ctime_nsec as u32);
    now.is_ok_and(|now| now >= changed + TICK)
}

/// Whether the error says that nothing is there to be reached.
fn is_absent(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV
    )
}

fn is_half(path: &RelPath) -> bool {
    path.split()
        .is_some_and(|(_, name)| name.starts_with(HALF.as_bytes()))
}

impl Disk for Beneath {
    fn look(&mut self, path: &RelPath) -> io::Result<Option<Look>> {
        if is_half(path) {
            return Ok(None);
        }
        let Some(stat) = self.stat(path)? else {
            return Ok(None);
        };
        let stamp = stamp(&stat);
        let Some(kind) = self.seen(path, &stat, &stamp)? else {
            return Ok(None);
        };
        Ok(Some(Look {
            mode: (stat.st_mode & 0o7777) as u16,
            mtime: mtime(&stat),
            kind,
            stamp,
            settled: is_settled(&stat),
        }))
    }

    fn read(&mut self, path: &RelPath) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file: File = match self.reach(path, flags) {
            Ok(file) => file.into(),
            Err(error) if is_absent(error) || error == Errno::NXIO => {
                return Err(io::ErrorKind::NotFound.into())
            }
            Err(Errno::ACCESS | Errno::PERM) => {
                if let Some(stat) = self.stat(path)? {
                    self.unreadable.insert(path.clone(), stamp(&stat));
                }
                return Err(io::ErrorKind::NotFound.into());
            }
            Err(error) => return Err(error.into()),
        };
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut bytes = Vec::with_capacity(stat.st_size.clamp(0, 64 << 20) as usize + 1);
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&mut self, path: &RelPath) -> io::Result<Vec<Name>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let folder = match self.reach(path, flags) {
            Err(error) if is_absent(error) => return Err(io::ErrorKind::NotFound.into()),
            folder => folder?,
        };
        let own = format!("{HALF}{}.", std::process::id());
        let mut names = Vec::new();
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            match name {
                b"." | b".." => {}
                _ if name.starts_with(HALF.as_bytes()) => {
                    // Of a process before this one, which was killed.
                    if !name.starts_with(own.as_bytes()) {
                        let _ = unlinkat(&folder, entry.file_name(), AtFlags::empty());
                    }
                }
                _ => names.push(Name::from(name)),
            }
        }
        Ok(names)
    }

    fn put(&mut self, path: &RelPath, new: &New) -> io::Result<()> {
        let (folder, name) = self.spot(path)?;
        let made = folder.try_clone()?;
        self.within(&folder, |disk| {
            if let New::Folder { mode } = new {
                mkdirat(&made, name, Mode::from_raw_mode(0o700))?;
                let node = openat(&made, name, FOLDER, Mode::empty())?;
                return chmod(&node, (*mode).into());
            }
            let half = disk.prepare(&made, new)?;
            renameat(&made, &*half, &made, name).map_err(|error| {
                let _ = unlinkat(&made, &*half, AtFlags::empty());
                error.into()
            })
        })
    }

    fn swap(&mut self, path: &RelPath, seen: Option<&Look>, new: Option<&New>) -> io::Result<bool> {
        let (folder, name) = match self.spot(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            spot => spot?,
        };
        if seen.is_some_and(|look| !look.settled && !look.is_folder()) {
            // Another change now could not be told from the last one.
            std::thread::sleep(TICK + Duration::from_millis(5));
            return Ok(false);
        }
        let done = match (seen, new) {
            (None, None) => self.stat(path)?.is_none(),
            (None, Some(New::Folder { mode })) => {
                match mkdirat(&folder, name, Mode::from_raw_mode(0o700)) {
                    Ok(()) => {
                        let node = openat(&folder, name, FOLDER, Mode::empty())?;
                        chmod(&node, (*mode).into())?;
                        true
                    }
                    Err(Errno::EXIST) => false,
                    Err(error) => return Err(error.into()),
                }
            }
            (Some(look), None) if look.is_folder() => {
                match unlinkat(&folder, name, AtFlags::REMOVEDIR) {
                    Ok(()) => true,
                    Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR | Errno::NOENT) => false,
                    Err(error) => return Err(error.into()),
                }
            }
            (Some(look), _) if look.is_folder() => false,
            (None, Some(new)) => {
                let half = self.prepare(&folder, new)?;
                let moved = renameat_with(&folder, &*half, &folder, name, RenameFlags::NOREPLACE);
                if moved.is_err() {
                    let _ = unlinkat(&folder, &*half, AtFlags::empty());
                }
                match moved {
                    Ok(()) => true,
                    Err(Errno::EXIST) => false,
                    Err(error) => return Err(error.into()),
                }
            }
            (Some(look), Some(New::File { bytes, mode, .. })) if self.has_names(path)? => {
                self.overwrite(path, look, bytes, *mode)?
            }
            (Some(look), Some(new)) => {
                let half = self.prepare(&folder, new)?;
                match exchange(&folder, &half, name, look, RenameFlags::EXCHANGE) {
                    Ok(done) => {
                        let _ = unlinkat(&folder, &*half, AtFlags::empty());
                        done
                    }
                    Err(error) => {
                        let _ = unlinkat(&folder, &*half, AtFlags::empty());
                        return Err(error);
                    }
                }
            }
            (Some(look), None) => {
                let half = self.half();
                let done = take_out(&folder, &half, name, look)?;
                if done {
                    let _ = unlinkat(&folder, &*half, AtFlags::empty());
                }
                done
            }
        };
        if done {
            self.synced(&folder)?;
        }
        Ok(done)
    }

    fn set(&mut self, path: &RelPath, mode: Option<u16>, mtime: Option<i64>) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW;
        if path.is_root() {
            if let Some(mode) = mode {
                fchmod(&self.root, Mode::from_raw_mode(mode.into()))?;
            }
            if let Some(mtime) = mtime {
                rustix::fs::futimens(&self.root, &times(mtime))?;
            }
            return Ok(());
        }
        let (folder, name) = self.spot(path)?;
        if let Some(mode) = mode {
            let node = openat(&folder, name, flags | OFlags::CLOEXEC, Mode::empty())?;
            let is_link = FileType::from_raw_mode(fstat(&node)?.st_mode) == FileType::Symlink;
            if !is_link {
                chmod(&node, mode.into())?;
            }
        }
        if let Some(mtime) = mtime {
            utimensat(&folder, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        Ok(())
    }

    fn remove(&mut self, path: &RelPath) -> io::Result<()> {
        let (folder, name) = self.spot(path)?;
        let held = folder.try_clone()?;
        self.within(&folder, |_| match unlinkat(&held, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => {
                unlinkat(&held, name, AtFlags::REMOVEDIR).map_err(Into::into)
            }
            done => done.map_err(Into::into),
        })
    }

    fn rename(&mut self, from: &RelPath, to: &RelPath) -> io::Result<()> {
        let (old, name) = self.spot(from)?;
        let (new, other) = self.spot(to)?;
        let held = new.try_clone()?;
        self.within(&new, |_| {
            let moved = renameat_with(&old, name, &held, other, RenameFlags::NOREPLACE);
            moved.map_err(Into::into)
        })
    }
}

/// Whether `stat` is the node of `look`, apart from the time of change, which a rename moves.
fn is_same(stat: &Stat, look: &Look) -> bool {
    let found = stamp(stat);
    found[0] == look.stamp[0] && found[3..] == look.stamp[3..]
}

/// Exchanges `half` and `name`, if `name` is still what was seen; else all is as before.
fn exchange(
    folder: &OwnedFd,
    half: &str,
    name: &OsStr,
    look: &Look,
    flags: RenameFlags,
) -> io::Result<bool> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if stamp(&stat) == look.stamp => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    match renameat_with(folder, half, folder, name, flags) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    // Somebody may have written between the look and the exchange.
    if is_same(&statat(folder, half, AtFlags::SYMLINK_NOFOLLOW)?, look) {
        return Ok(true);
    }
    renameat_with(folder, half, folder, name, flags)?;
    Ok(false)
}

/// Moves `name` to `half`, if it is still what was seen; else all is as before.
fn take_out(folder: &OwnedFd, half: &str, name: &OsStr, look: &Look) -> io::Result<bool> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if stamp(&stat) == look.stamp => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let flags = RenameFlags::NOREPLACE;
    match renameat_with(folder, name, folder, half, flags) {
        Ok(()) => {}
        Err(Errno::NOENT) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    if is_same(&statat(folder, half, AtFlags::SYMLINK_NOFOLLOW)?, look) {
        return Ok(true);
    }
    match renameat_with(folder, half, folder, name, flags) {
        Ok(()) => Ok(false),
        // Somebody has put another there meanwhile: this one is kept beside it.
        Err(Errno::EXIST) => {
            let kept = [name.as_bytes(), b".curserve-conflict-kept"].concat();
            let kept = OsStr::from_bytes(&kept[..kept.len().min(255)]);
            renameat_with(folder, half, folder, kept, flags)?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}
