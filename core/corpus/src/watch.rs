//! inotify: watches, and their events.
//!
//! A folder's watch reports names that come and go. What happens to a node itself is reported by a watch of its own, by
//! whichever way it was reached: through a hard link from elsewhere, through a descriptor that was opened before the node got
//! its name here, through a bind mount. The folder's watch would see only what goes by its own names.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::lens::Glass;
use crate::volume::Volumes;

/// Of a folder; `ATTRIB` also for what has no watch of its own.
const NAMES: u32 = libc::IN_CREATE
    | libc::IN_DELETE
    | libc::IN_ATTRIB
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR
    | libc::IN_DONT_FOLLOW
    | libc::IN_EXCL_UNLINK;

/// Of any other node. The end of a shared memory map is `CLOSE_WRITE`, and nothing else is said of stores through it. Added
/// to what is watched already: a folder may have come to this path since somebody looked.
const ITSELF: u32 = libc::IN_MODIFY
    | libc::IN_ATTRIB
    | libc::IN_CLOSE_WRITE
    | libc::IN_DONT_FOLLOW
    | libc::IN_MASK_ADD;

/// One inotify instance.
#[derive(Debug)]
pub(crate) struct Watches {
    fd: OwnedFd,
    /// Which file systems report at all.
    pub(crate) volumes: Volumes,
    /// What the tree is a copy of.
    pub(crate) glass: Glass,
    /// How many watches there may be, for one more on a node that is no folder.
    most: AtomicUsize,
    /// About how many there are.
    taken: AtomicUsize,
    /// The largest number that the kernel gave: it counts upwards.
    last: AtomicI32,
    /// There were none left.
    short: AtomicBool,
}

/// How long the kernel may take to end what was closed.
const PATIENCE: Duration = Duration::from_secs(1);

/// One event: the watch it came from, what happened, and to which name in that folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) watch: i32,
    pub(crate) mask: u32,
    pub(crate) name: Box<[u8]>,
}

/// A new instance. One that is closed counts until the kernel has ended its watches, which a busy one does late: who ends a
/// daemon and starts the next is not refused for that.
fn instance() -> Result<OwnedFd, Error> {
    let began = Instant::now();
    loop {
        // SAFETY: no pointers; a non-negative result is a descriptor that nobody else owns.
        let fd = unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) };
        if fd >= 0 {
            // SAFETY: as above, `fd` is open and ours.
            return Ok(unsafe { OwnedFd::from_raw_fd(fd) });
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::EMFILE) || began.elapsed() > PATIENCE {
            return Err(Error::Instances(error));
        }
        std::thread::sleep(PATIENCE / 100);
    }
}

impl Watches {
    /// An instance whose nodes that are no folders get a watch while there are fewer than `most`; None: half of what the
    /// user may have, since others want some too.
    ///
    /// # Errors
    /// Where the user has no instance left.
    pub(crate) fn new(most: Option<usize>, glass: Glass) -> Result<Watches, Error> {
        Ok(Watches {
            fd: instance()?,
            volumes: Volumes::default(),
            glass,
            most: AtomicUsize::new(most.unwrap_or_else(|| of_this_user() / 2)),
            taken: AtomicUsize::new(0),
            last: AtomicI32::new(0),
            short: AtomicBool::new(false),
        })
    }

    pub(crate) fn raw_fd(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Watches the names in the folder at `path`. None where it is gone, or may not be read.
    ///
    /// # Errors
    /// Where the user has no watch left.
    pub(crate) fn add_folder(&self, path: &Path) -> Result<Option<i32>, Error> {
        match self.add(path, NAMES) {
            Ok(watch) => Ok(Some(watch)),
            Err(Some(libc::ENOSPC)) => Err(Error::Watches(path.to_path_buf())),
            Err(_) => Ok(None),
        }
    }

    /// Watches what lies at `path` itself, a link and not where it leads. None where that cannot be.
    pub(crate) fn add_node(&self, path: &Path) -> Option<i32> {
        if self.taken.load(Ordering::Relaxed) >= self.most.load(Ordering::Relaxed) {
            return None;
        }
        let added = self.add(path, ITSELF);
        if added == Err(Some(libc::ENOSPC)) {
            self.short.store(true, Ordering::Relaxed);
        }
        added.ok()
    }

    /// Whether watches ran out since this was last asked; then there are to be no more of them than now.
    pub(crate) fn ran_short(&self) -> bool {
        let short = self.short.swap(false, Ordering::Relaxed);
        if short {
            let taken = self.taken.load(Ordering::Relaxed);
            self.most.fetch_min(taken, Ordering::Relaxed);
        }
        short
    }

    /// Ends all watches, where folders lack some that other nodes may have taken, and leaves those nodes half as many. False
    /// where they have none.
    pub(crate) fn begin_with_less(&self) -> bool {
        let (taken, most) = (&self.taken, &self.most);
        let less = taken
            .load(Ordering::Relaxed)
            .min(most.load(Ordering::Relaxed))
            / 2;
        if most.swap(less, Ordering::Relaxed) == 0 {
            return false;
        }
        for watch in 1..=self.last.load(Ordering::Relaxed) {
            self.remove(watch);
        }
        taken.store(0, Ordering::Relaxed);
        true
    }

    fn add(&self, path: &Path, mask: u32) -> Result<i32, Option<i32>> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| None)?;
        // SAFETY: `path` is NUL-terminated and outlives the call; the descriptor is open.
        match unsafe { libc::inotify_add_watch(self.fd.as_raw_fd(), path.as_ptr(), mask) } {
            -1 => Err(io::Error::last_os_error().raw_os_error()),
            watch => {
                if watch > self.last.fetch_max(watch, Ordering::Relaxed) {
                    self.taken.fetch_add(1, Ordering::Relaxed);
                }
                Ok(watch)
            }
        }
    }

    pub(crate) fn remove(&self, watch: i32) {
        // SAFETY: no pointers; a watch that is gone already gives EINVAL, which is what we want then.
        unsafe { libc::inotify_rm_watch(self.fd.as_raw_fd(), watch) };
        self.ended();
    }

    /// A watch is no more.
    pub(crate) fn ended(&self) {
        let less = |taken: usize| taken.checked_sub(1);
        let _ = self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Appends all events that are queued now to `events`; does not block.
    pub(crate) fn drain(&self, events: &mut Vec<Event>) -> io::Result<()> {
        let mut buffer = Buffer([0; 4 << 10]);
        loop {
            // SAFETY: the kernel writes at most the buffer's length into it.
            let got = unsafe {
                libc::read(
                    self.fd.as_raw_fd(),
                    buffer.0.as_mut_ptr().cast(),
                    buffer.0.len(),
                )
            };
            if got < 0 {
                let error = io::Error::last_os_error();
                match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::Interrupted => continue,
                    _ => return Err(error),
                }
            }
            parse(&buffer.0[..got as usize], events);
        }
    }
}

/// How many watches this user may have.
fn of_this_user() -> usize {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_watches");
    let limit = limit.ok().and_then(|limit| limit.trim().parse().ok());
    limit.unwrap_or(8192)
}

/// Aligned as `inotify_event` wants it.
#[repr(align(8))]
struct Buffer([u8; 4 << 10]);

fn parse(mut bytes: &[u8], events: &mut Vec<Event>) {
    const HEAD: usize = std::mem::size_of::<libc::inotify_event>();
    while bytes.len() >= HEAD {
        let word =
            |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let len = word(12) as usize;
        let name = &bytes[HEAD..HEAD + len];
        let name = name.split(|&b| b == 0).next().unwrap_or_default();
        events.push(Event {
            watch: word(0) as i32,
            mask: word(4),
            name: name.into(),
        });
        bytes = &bytes[HEAD + len..];
    }
}
