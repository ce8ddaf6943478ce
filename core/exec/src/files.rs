//! `read`, `list` and `glob`, without a process: what agents do in their own.

use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use curserve_proto::{Answer, Call};
use globset::GlobBuilder;
use ignore::WalkBuilder;
use rustix::fs::{Dir, FileType, OFlags};

use crate::arguments::{flag, number, optional_text, text, Wrong};
use crate::beneath::{Miss, Spot};
use crate::places::Places;

/// What an error of the file system is called on the command line, without Rust's number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

pub(crate) fn complaint(tool: &str, path: &str, what: &str) -> Answer {
    Answer::done(1, "", format!("{tool}: {path}: {what}\n"))
}

/// Lines of a file; `most` bytes of answer.
pub fn read(call: &Call, places: &Places, cwd: &str, most: usize) -> Result<Answer, Wrong> {
    let path = text(call, "path")?;
    let offset = number(call, "offset")?.unwrap_or(1).max(1);
    let limit = number(call, "limit")?.unwrap_or(u64::MAX);
    let numbered = flag(call, "numbered", false)?;
    let file = match places.reach(cwd, path, false, Spot::open_regular) {
        Ok(file) => file,
        Err(miss) => return Err(miss.answer(|error| complaint("read", path, &reason(error)))),
    };
    let size = file.metadata().map_or(0, |meta| meta.len());
    let mut source = BufReader::with_capacity(256 << 10, file);
    let mut out = Vec::with_capacity(if limit == u64::MAX {
        (size as usize).min(most)
    } else {
        4096
    });
    // Lines that have begun: a line is taken as it comes, since the first of a large file may be all of it.
    let (mut lines, mut at_start) = (0u64, true);
    loop {
        if at_start && lines >= offset - 1 && lines - (offset - 1) >= limit {
            break;
        }
        let buffer = match source.fill_buf() {
            Ok([]) => break,
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(complaint("read", path, &reason(&error))),
        };
        lines += u64::from(at_start);
        let end = memchr::memchr(b'\n', buffer).map(|at| at + 1);
        let part = &buffer[..end.unwrap_or(buffer.len())];
        if lines >= offset {
            if numbered && at_start {
                out.extend_from_slice(format!("{lines:6}\t").as_bytes());
            }
            out.extend_from_slice(part);
            if out.len() > most {
                return Ok(Answer::failed(format!("more than {most} bytes of output")));
            }
        }
        at_start = end.is_some();
        let taken = part.len();
        source.consume(taken);
    }
    if offset > 1 && lines < offset {
        return Ok(complaint(
            "read",
            path,
            &format!("line {offset} asked for; it has {lines}"),
        ));
    }
    Ok(Answer::done(0, out, ""))
}

/// Names in a folder.
pub fn list(call: &Call, places: &Places, cwd: &str) -> Result<Answer, Wrong> {
    let path = optional_text(call, "path")?.unwrap_or(".");
    let names = places.reach(cwd, path, false, |spot| {
        let folder = spot.open(OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(folder)? {
            let entry = entry?;
            let mut name = entry.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                if entry.file_type() == FileType::Directory {
                    name.push(b'/');
                }
                name.push(b'\n');
                names.push(name);
            }
        }
        Ok(names)
    });
    match names {
        Ok(mut names) => {
            // By name, hence without the slash that was put behind folders.
            names.sort_by(|a, b| bare(a).cmp(bare(b)));
            Ok(Answer::done(0, names.concat(), ""))
        }
        Err(miss) => Err(miss.answer(|error| complaint("list", path, &reason(error)))),
    }
}

fn bare(name: &[u8]) -> &[u8] {
    let name = name.strip_suffix(b"\n").unwrap_or(name);
    name.strip_suffix(b"/").unwrap_or(name)
}

/// Files whose path matches a pattern.
pub fn glob(call: &Call, places: &Places, cwd: &str) -> Result<Answer, Wrong> {
    let pattern = text(call, "pattern")?;
    let path = optional_text(call, "path")?.unwrap_or(".");
    let (hidden, no_ignore) = (
        flag(call, "hidden", false)?,
        flag(call, "no_ignore", false)?,
    );
    let limit = number(call, "limit")?.map_or(usize::MAX, |n| n as usize);
    let anywhere = if pattern.contains('/') {
        pattern.to_owned()
    } else {
        format!("**/{pattern}")
    };
    let matcher = match GlobBuilder::new(&anywhere).literal_separator(true).build() {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => return Ok(complaint("glob", pattern, &error.kind().to_string())),
    };
    let folder = places.real(cwd, path);
    let miss = |miss: Miss| miss.answer(|error| complaint("glob", path, &reason(error)));
    places.resolve(&folder).map_err(miss)?;
    match std::fs::metadata(&folder) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Ok(complaint("glob", path, "Not a directory")),
        Err(error) => return Ok(complaint("glob", path, &reason(&error))),
    }
    let folder = normal(&folder);
    let mut found: Vec<(SystemTime, Vec<u8>)> = WalkBuilder::new(&folder)
        .hidden(!hidden)
        .ignore(!no_ignore)
        .git_ignore(!no_ignore)
        .git_exclude(!no_ignore)
        .git_global(false)
        .parents(!no_ignore)
        .filter_entry(|entry| entry.file_name() != ".git" || entry.depth() == 0)
        .build()
        .flatten()
        .filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        .filter(|entry| {
            entry
                .path()
                .strip_prefix(&folder)
                .is_ok_and(|below| matcher.is_match(below))
        })
        // A folder on the way may have become a link since: only what is inside as well is named.
        .filter(|entry| places.holds(entry.path()))
        .map(|entry| {
            let changed = entry
                .metadata()
                .ok()
                .and_then(|meta| meta.modified().ok())
                .unwrap_or(SystemTime::UNIX_EPOCH);
            (
                changed,
                places.outward(entry.path().as_os_str().as_bytes().to_vec()),
            )
        })
        .collect();
    found.sort_by(|(a_time, a), (b_time, b)| b_time.cmp(a_time).then_with(|| a.cmp(b)));
    found.truncate(limit);
    let code = i32::from(found.is_empty());
    Ok(Answer::done(
        code,
        found
            .into_iter()
            .flat_map(|(_, path)| [path, b"\n".to_vec()])
            .flatten()
            .collect::<Vec<_>>(),
        "",
    ))
}

/// `a/./b/../c` as `a/c`, by the names alone.
fn normal(path: &Path) -> std::path::PathBuf {
    use std::path::Component;
    let mut result = std::path::PathBuf::new();
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
