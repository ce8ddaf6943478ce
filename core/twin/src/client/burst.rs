//! Which changes belong together: those while version control holds a lock, and those that come thick and fast.

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use curserve_mirror::Hold;

/// So many changed paths …
const MANY: usize = 8;
/// … within this time are one burst …
const SOON: Duration = Duration::from_millis(250);
/// … until nothing changes for so long.
const STILL: Duration = Duration::from_millis(50);
/// Where a lock is held and nothing changes for so long (`git commit -a` waits for an editor, a filter for a download), what
/// there is may be used.
const PAUSE: Duration = Duration::from_millis(300);
/// A burst without a lock is cut after this, and one with a lock makes a pause.
const LONGEST: Duration = Duration::from_secs(5);

/// What has changed lately, and which locks are held.
pub(super) struct Burst {
    root: PathBuf,
    /// Locks of version control that have been seen, and that of the repository in which the workspace lies.
    locks: BTreeSet<PathBuf>,
    own: Option<PathBuf>,
    recent: VecDeque<Instant>,
    /// When the first change came that is not free yet.
    began: Option<Instant>,
    last: Instant,
}

impl Burst {
    pub(super) fn new(root: &Path, now: Instant) -> Self {
        Burst {
            root: root.to_path_buf(),
            locks: BTreeSet::new(),
            own: root.ancestors().find_map(git_folder).map(lock_of),
            recent: VecDeque::new(),
            began: None,
            last: now,
        }
    }

    /// These paths have changed.
    pub(super) fn changed<'p>(&mut self, paths: impl Iterator<Item = &'p [u8]>, now: Instant) {
        for path in paths {
            self.began.get_or_insert(now);
            self.last = now;
            self.recent.push_back(now);
            if is_lock(path) {
                self.locks.insert(self.root.join(OsStr::from_bytes(path)));
            }
        }
        while self.recent.len() > MANY {
            self.recent.pop_front();
        }
    }

    /// So much has changed that nobody knows what.
    pub(super) fn much_changed(&mut self, now: Instant) {
        self.changed(std::iter::repeat_n(&b""[..], MANY), now);
    }

    /// What becomes of what has changed. `is_still`: nothing has since the last look; `said_all`: it could all be read.
    pub(super) fn hold(
        &mut self,
        is_locked: bool,
        is_still: bool,
        said_all: bool,
        now: Instant,
    ) -> Hold {
        let Some(began) = self.began else {
            return Hold::Free;
        };
        let (still, long) = (now - self.last, now - began);
        let is_over = still >= STILL || long >= LONGEST || said_all && !self.is_fast();
        let hold = match is_locked {
            true if still >= PAUSE || long >= LONGEST => Hold::Paused,
            true => Hold::Held,
            false if is_still && is_over => Hold::Free,
            false if long >= LONGEST => Hold::Paused,
            false => Hold::Held,
        };
        if hold == Hold::Free {
            self.began = None;
        }
        hold
    }

    /// Whether much has changed in little time.
    fn is_fast(&self) -> bool {
        let first = self.recent.front().filter(|_| self.recent.len() >= MANY);
        first.is_some_and(|first| self.last - *first <= SOON)
    }

    /// Whether version control is at work.
    pub(super) fn is_locked(&mut self) -> bool {
        let is_there = |lock: &PathBuf| fs::symlink_metadata(lock).is_ok();
        self.locks.retain(is_there);
        !self.locks.is_empty() || self.own.as_ref().is_some_and(is_there)
    }
}

/// Whether `path` is held by git or Mercurial while it changes files of its working tree.
fn is_lock(path: &[u8]) -> bool {
    let mut names = path.rsplit(|&byte| byte == b'/');
    match names.next() {
        Some(b"index.lock") => names.any(|name| name == b".git"),
        Some(b"wlock") => names.next() == Some(b".hg"),
        _ => false,
    }
}

fn lock_of(git: PathBuf) -> PathBuf {
    git.join("index.lock")
}

/// Where the repository is whose working tree is `folder`; a worktree's lies elsewhere.
fn git_folder(folder: &Path) -> Option<PathBuf> {
    let git = folder.join(".git");
    if fs::symlink_metadata(&git).ok()?.is_dir() {
        return Some(git);
    }
    let said = fs::read(&git).ok()?;
    let named = said.trim_ascii_end().strip_prefix(b"gitdir: ")?;
    Some(folder.join(OsStr::from_bytes(named)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn paths(count: usize) -> impl Iterator<Item = &'static [u8]> {
        std::iter::repeat_n(&b"src/a"[..], count)
    }

    fn hold(burst: &mut Burst, is_still: bool, now: Instant) -> Hold {
        let is_locked = burst.is_locked();
        burst.hold(is_locked, is_still, true, now)
    }

    #[test]
    fn one_change_is_free_at_once_and_many_when_they_are_over() {
        let folder = tempfile::tempdir().unwrap();
        let now = Instant::now();
        let mut burst = Burst::new(folder.path(), now);
        assert_eq!(hold(&mut burst, true, now), Hold::Free);
        burst.changed(paths(1), now);
        assert_eq!(hold(&mut burst, false, now), Hold::Held);
        assert_eq!(hold(&mut burst, true, now), Hold::Free);
        burst.changed(paths(20), now);
        assert_eq!(hold(&mut burst, true, now + ms(10)), Hold::Held);
        burst.changed(paths(1), now + ms(40));
        assert_eq!(hold(&mut burst, true, now + ms(80)), Hold::Held);
        assert_eq!(hold(&mut burst, true, now + ms(90)), Hold::Free);
        // Eight saved in a second are none.
        (0..8).for_each(|at| burst.changed(paths(1), now + ms(1000 + at * 120)));
        assert_eq!(hold(&mut burst, true, now + ms(1850)), Hold::Free);
        // One that does not end is cut.
        (0..500).for_each(|at| burst.changed(paths(9), now + ms(2000 + at * 10)));
        assert_eq!(hold(&mut burst, false, now + ms(6990)), Hold::Held);
        assert_eq!(hold(&mut burst, false, now + ms(7000)), Hold::Paused);
        assert_eq!(hold(&mut burst, true, now + ms(7000)), Hold::Free);
    }

    #[test]
    fn what_changes_under_a_lock_is_held_until_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let now = Instant::now();
        fs::create_dir_all(folder.path().join("sub/.git")).unwrap();
        let lock = folder.path().join("sub/.git/index.lock");
        let mut burst = Burst::new(folder.path(), now);
        fs::write(&lock, "").unwrap();
        burst.changed([&b"sub/.git/index.lock"[..]].into_iter(), now);
        assert_eq!(hold(&mut burst, true, now + ms(200)), Hold::Held);
        assert_eq!(hold(&mut burst, true, now + ms(300)), Hold::Paused);
        burst.changed(paths(1), now + ms(400));
        assert_eq!(hold(&mut burst, true, now + ms(400)), Hold::Held);
        fs::remove_file(&lock).unwrap();
        assert_eq!(hold(&mut burst, false, now + ms(401)), Hold::Held);
        assert_eq!(hold(&mut burst, true, now + ms(401)), Hold::Free);
    }

    #[test]
    fn the_lock_of_a_worktree_lies_in_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let now = Instant::now();
        let work = folder.path().join("work/deep");
        fs::create_dir_all(&work).unwrap();
        fs::create_dir_all(folder.path().join("main/.git/worktrees/w")).unwrap();
        fs::write(
            folder.path().join("work/.git"),
            "gitdir: ../main/.git/worktrees/w\n",
        )
        .unwrap();
        let mut burst = Burst::new(&work, now);
        burst.changed(paths(1), now);
        fs::write(folder.path().join("main/.git/worktrees/w/index.lock"), "").unwrap();
        assert_eq!(hold(&mut burst, true, now), Hold::Held);
    }
}
