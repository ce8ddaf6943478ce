//! `glob`: files whose path matches a pattern, the newest first.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use curserve_proto::{Answer, Call};
use globset::{GlobBuilder, GlobMatcher};
use ignore::WalkBuilder;

use super::{complaint, reason};
use crate::arguments::{flag, number, optional_text, text, Wrong};
use crate::due::Due;
use crate::places::Places;

/// After so many entries the clock is looked at.
const BETWEEN_LOOKS: usize = 1 << 4;

/// A longer pattern is none …
const LONGEST: usize = 4096;
/// … nor is one with more braces: what reads it goes one deeper at each.
const BRACES: usize = 32;

/// A file that matches: when it was changed, and its path.
pub type Found = ((i64, i64), Vec<u8>);

/// Files that are asked for.
pub struct Glob<'c> {
    path: &'c str,
    matcher: GlobMatcher,
    hidden: bool,
    no_ignore: bool,
    limit: usize,
}

impl<'c> Glob<'c> {
    /// What `call` asks for.
    ///
    /// # Errors
    /// The complaint about arguments that are none of this tool, or a pattern that is none.
    pub fn new(call: &'c Call) -> Result<Self, Wrong> {
        let pattern = text(call, "pattern")?;
        let path = optional_text(call, "path")?.unwrap_or(".");
        let hidden = flag(call, "hidden", false)?;
        let no_ignore = flag(call, "no_ignore", false)?;
        let limit = number(call, "limit")?.map_or(usize::MAX, |n| n as usize);
        if pattern.len() > LONGEST || pattern.bytes().filter(|&b| b == b'{').count() > BRACES {
            let what = "a pattern of more than 4096 bytes or 32 braces";
            return Err(complaint("glob", "the pattern", what));
        }
        let anywhere = if pattern.contains('/') {
            pattern.to_owned()
        } else {
            format!("**/{pattern}")
        };
        let built = GlobBuilder::new(&anywhere).literal_separator(true).build();
        let glob = built.map_err(|error| complaint("glob", pattern, &error.kind().to_string()))?;
        Ok(Glob {
            path,
            matcher: glob.compile_matcher(),
            hidden,
            no_ignore,
            limit,
        })
    }

    /// The folder below which files are looked for, as the caller names it.
    pub fn path(&self) -> &'c str {
        self.path
    }

    /// Whether hidden files count.
    pub fn hidden(&self) -> bool {
        self.hidden
    }

    /// Whether ignored files count.
    pub fn no_ignore(&self) -> bool {
        self.no_ignore
    }

    /// Whether a file of this path below the folder is meant.
    pub fn matches(&self, below: &[u8]) -> bool {
        self.matcher.is_match(Path::new(OsStr::from_bytes(below)))
    }

    /// The answer from the file system.
    ///
    /// # Errors
    /// A refusal, or what is wrong with the folder; out of time.
    pub fn on_disk(&self, places: &Places, cwd: &str, due: Due) -> Result<Answer, Answer> {
        let complain = |what: &str| complaint("glob", self.path, what);
        let folder = places.real(cwd, self.path);
        let resolved = places.resolve(&folder);
        resolved.map_err(|miss| miss.answer(|error| complain(&reason(error))))?;
        match std::fs::metadata(&folder) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Ok(complain("Not a directory")),
            Err(error) => return Ok(complain(&reason(&error))),
        }
        let folder = normal(&folder);
        let walk = WalkBuilder::new(&folder)
            .hidden(!self.hidden)
            .ignore(!self.no_ignore)
            .git_ignore(!self.no_ignore)
            .git_exclude(!self.no_ignore)
            .git_global(false)
            .parents(!self.no_ignore)
            .filter_entry(|entry| entry.file_name() != ".git" || entry.depth() == 0)
            .build();
        let mut found = Vec::new();
        // An error is an entry too: a walk that finds nothing else must not go on for ever.
        for (number, entry) in walk.enumerate() {
            if (number + 1) % BETWEEN_LOOKS == 0 {
                due.check()?;
            }
            let Ok(entry) = entry else { continue };
            let path = entry.path();
            let is_meant = entry.file_type().is_some_and(|kind| kind.is_file())
                && path
                    .strip_prefix(&folder)
                    .is_ok_and(|below| self.matcher.is_match(below))
                // A folder on the way may have become a link since: only what is inside as well is named.
                && places.holds(path);
            if is_meant {
                let changed = entry
                    .metadata()
                    .map(|meta| (meta.mtime(), meta.mtime_nsec()));
                let path = places.outward(path.as_os_str().as_bytes().to_vec());
                found.push((changed.unwrap_or_default(), path));
            }
        }
        Ok(self.answer(found))
    }

    /// The answer from all files that match, in any order.
    pub fn answer(&self, mut found: Vec<Found>) -> Answer {
        found
            .sort_unstable_by(|(a_time, a), (b_time, b)| b_time.cmp(a_time).then_with(|| a.cmp(b)));
        found.truncate(self.limit);
        let mut out = Vec::with_capacity(found.iter().map(|(_, path)| path.len() + 1).sum());
        for (_, path) in &found {
            out.extend_from_slice(path);
            out.push(b'\n');
        }
        Answer::done(i32::from(found.is_empty()), out, "")
    }
}

/// `a/./b/../c` as `a/c`, by the names alone.
fn normal(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}
