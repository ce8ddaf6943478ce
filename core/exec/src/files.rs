//! `read`, `list` and `glob`, without a process: what agents do in their own.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

use curserve_proto::{Answer, Call};
use globset::GlobBuilder;
use ignore::WalkBuilder;

use crate::arguments::{flag, number, optional_text, text, Wrong};
use crate::places::Places;

/// What an error of the file system is called on the command line, without Rust's number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

pub(crate) fn complaint(tool: &str, path: &str, what: &str) -> Answer {
    Answer::done(1, "", format!("{tool}: {path}: {what}\n"))
}

/// Open `path` for reading if it is a regular file; a FIFO or device is an error, not a wait.
pub(crate) fn open_regular(path: &Path) -> Result<File, String> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open(path)
        .map_err(|error| reason(&error))?;
    let kind = file.metadata().map_err(|error| reason(&error))?.file_type();
    if kind.is_dir() {
        return Err("Is a directory".into());
    }
    if !kind.is_file() {
        return Err("not a regular file".into());
    }
    Ok(file)
}

/// Lines of a file; `most` bytes of answer.
pub fn read(call: &Call, places: &Places, cwd: &str, most: usize) -> Result<Answer, Wrong> {
    let path = text(call, "path")?;
    let offset = number(call, "offset")?.unwrap_or(1).max(1);
    let limit = number(call, "limit")?.unwrap_or(u64::MAX);
    let numbered = flag(call, "numbered", false)?;
    let file = match open_regular(&places.real(cwd, path)) {
        Ok(file) => file,
        Err(what) => return Ok(complaint("read", path, &what)),
    };
    let size = file.metadata().map_or(0, |meta| meta.len());
    let mut source = BufReader::with_capacity(256 << 10, file);
    let mut lines = 0u64;
    let mut out = Vec::with_capacity(if limit == u64::MAX {
        (size as usize).min(most)
    } else {
        4096
    });
    let mut line = Vec::new();
    loop {
        if lines >= offset - 1 && lines - (offset - 1) >= limit {
            break;
        }
        line.clear();
        match source.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => lines += 1,
            Err(error) => return Ok(complaint("read", path, &reason(&error))),
        }
        if lines < offset {
            continue;
        }
        if numbered {
            out.extend_from_slice(format!("{lines:6}\t").as_bytes());
        }
        out.extend_from_slice(&line);
        if out.len() > most {
            return Ok(Answer::failed(format!("more than {most} bytes of output")));
        }
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
    let names = std::fs::read_dir(places.real(cwd, path)).and_then(|entries| {
        entries
            .map(|entry| {
                let entry = entry?;
                let mut name = entry.file_name().as_bytes().to_vec();
                if entry.file_type()?.is_dir() {
                    name.push(b'/');
                }
                name.push(b'\n');
                Ok(name)
            })
            .collect::<io::Result<Vec<_>>>()
    });
    match names {
        Ok(mut names) => {
            // By name, hence without the slash that was put behind folders.
            names.sort_by(|a, b| bare(a).cmp(bare(b)));
            Ok(Answer::done(0, names.concat(), ""))
        }
        Err(error) => Ok(complaint("list", path, &reason(&error))),
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
