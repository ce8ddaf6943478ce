//! `rg`, `grep`, `egrep`, `fgrep` by the name it was called: ask the daemon that owns the folder, else become the
//! real program, and never this one again.
//!
//! Forwarded is only what the daemon can answer exactly: output to pipes, no configuration in the environment, standard
//! input that is not read. Nothing is written before the whole answer is here, so that becoming the real program is
//! always still possible.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use serde_json::json;

use crate::line::Line;
use crate::{inherited, known, outputs};

/// Names under which the binary is a shim.
pub const NAMES: [&str; 4] = ["rg", "grep", "egrep", "fgrep"];

/// Answer, or become the real `name`.
pub fn run(name: &str, arguments: &[OsString]) -> ExitCode {
    if may_forward(name, arguments) {
        if let Some((code, out, err)) = ask(name, arguments) {
            let order_shows = !out.is_empty() && !err.is_empty() && outputs::are_one();
            if !order_shows && deliver(name, &out, &err) {
                return ExitCode::from(code);
            }
        }
    }
    become_real(name, arguments)
}

/// Writes the answer; false where the reader has gone and the real program should find that out for itself.
///
/// `rg` then says nothing, and its status depends on what it was doing; the real one finds the same closed pipe. Of
/// `grep` all is known, and it may search for long before it writes again.
fn deliver(name: &str, out: &[u8], err: &[u8]) -> bool {
    if outputs::write(1, out).is_ok() {
        // As the real programs, which tell nobody that their messages could not be told.
        let _ = outputs::write(2, err);
        return true;
    }
    if name != "rg" && err.is_empty() && !inherited::ignores_sigpipe() {
        inherited::restore();
        // SAFETY: ends this process as a write to a closed pipe ends `grep`.
        unsafe { libc::raise(libc::SIGPIPE) };
    }
    false
}

fn may_forward(name: &str, arguments: &[OsString]) -> bool {
    let chain = format!("{}:", std::process::id());
    if std::env::var(VISITED).is_ok_and(|list| list.starts_with(&chain)) {
        return false; // another copy of this binary has asked already, and became us
    }
    let set = |key: &str| std::env::var_os(key).is_some_and(|value| !value.is_empty());
    let configured = [
        "RIPGREP_CONFIG_PATH",
        "GREP_OPTIONS",
        "GREP_COLOR",
        "GREP_COLORS",
        "LANGUAGE",
        "POSIXLY_CORRECT",
    ];
    if configured.into_iter().any(set) {
        return false;
    }
    if inherited::lacks_a_descriptor() || !outputs::take_an_answer(name) {
        return false;
    }
    if name != "rg" && !is_utf8_locale() {
        return false;
    }
    outputs::metadata(0).is_some_and(|meta| outputs::is_null(&meta)) || names_a_path(arguments)
}

/// Whether messages and characters are those of the pinned world: C.UTF-8, or English UTF-8, which equals it here.
fn is_utf8_locale() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|key| std::env::var(key).ok().filter(|value| !value.is_empty()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    ["c.utf-8", "c.utf8", "en_us.utf-8", "en_us.utf8"].contains(&locale.as_str())
}

/// Whether the command line certainly names something to search, so that standard input is not read.
///
/// Options take at most one following word: a last word whose predecessor is no option is a path, if a pattern came
/// before it. What is not certain is not forwarded.
pub fn names_a_path(arguments: &[OsString]) -> bool {
    let words: Vec<&[u8]> = arguments.iter().map(|word| word.as_bytes()).collect();
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let free = |at: usize| {
        !words[at].starts_with(b"-")
            && at
                .checked_sub(1)
                .is_none_or(|prior| !words[prior].starts_with(b"-"))
    };
    let has_pattern = before
        .iter()
        .any(|word| [&b"-e"[..], b"--regexp"].contains(word) || word.starts_with(b"--regexp="))
        || (0..before.len()).any(free);
    let is_path = !before.is_empty()
        && free(before.len())
        && std::fs::symlink_metadata(std::ffi::OsStr::from_bytes(last)).is_ok();
    has_pattern && is_path
}

fn ask(name: &str, arguments: &[OsString]) -> Option<(u8, Vec<u8>, Vec<u8>)> {
    let folder = known::folder();
    if !known::is_private(&folder) {
        return None;
    }
    let cwd = std::env::current_dir().ok()?;
    let (line, root) = cwd.ancestors().find_map(|root| {
        let line = Line::open(&known::socket(&folder, root))?;
        Some((line, root.to_owned()))
    })?;
    let words: Option<Vec<&str>> = std::iter::once(Some(name))
        .chain(arguments.iter().map(|word| word.to_str()))
        .collect();
    let call = json!({"tool": "bash", "arguments": {"argv": words?}, "cwd": cwd.to_str()?});
    let (header, mut out) = line.ask(root.to_str()?, call)?;
    if !header.get("refused")?.is_null() || !header.get("failed")?.is_null() {
        return None;
    }
    let printed = usize::try_from(header.get("stdout_len")?.as_u64()?).ok()?;
    let err = (printed <= out.len()).then(|| out.split_off(printed))?;
    Some((
        u8::try_from(header.get("exit_code")?.as_u64()?).ok()?,
        out,
        err,
    ))
}

/// What tells one exec chain which programs were this one: `PID:DEV.INO:DEV.INO…`.
const VISITED: &str = "CURSERVE_SHIM";

/// Become the first program `name` on PATH that is not this binary, under whatever name or copy.
fn become_real(name: &str, arguments: &[OsString]) -> ExitCode {
    let pid = std::process::id().to_string();
    let mut visited: Vec<String> = std::env::var(VISITED)
        .ok()
        .and_then(|list| {
            list.strip_prefix(&format!("{pid}:"))
                .map(|rest| rest.split(':').map(str::to_owned).collect())
        })
        .unwrap_or_default();
    if let Some(me) = identity(Path::new("/proc/self/exe")) {
        visited.push(me);
    }
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let candidates = std::env::split_paths(&path).map(|folder| folder.join(name));
    for candidate in candidates {
        if identity(&candidate).is_some_and(|it| !visited.contains(&it)) {
            std::env::set_var(VISITED, format!("{pid}:{}", visited.join(":")));
            exec(&candidate, name, arguments);
        }
    }
    eprintln!(
        "curserve: the real {name:?} is not on PATH; install it, or remove this shim from PATH"
    );
    ExitCode::from(127)
}

fn identity(path: &Path) -> Option<String> {
    let meta = std::fs::metadata(path).ok()?;
    (meta.is_file() && meta.mode() & 0o111 != 0).then(|| format!("{}.{}", meta.dev(), meta.ino()))
}

/// Returns only where the program could not be started.
fn exec(program: &Path, name: &str, arguments: &[OsString]) {
    let terminated = |word: OsString| CString::new(word.into_vec()).ok();
    let words: Option<Vec<CString>> = std::iter::once(OsString::from(name))
        .chain(arguments.iter().cloned())
        .map(terminated)
        .collect();
    let (Some(words), Some(program)) = (words, terminated(program.as_os_str().to_owned())) else {
        return;
    };
    let pointers: Vec<*const libc::c_char> = words
        .iter()
        .map(|w| w.as_ptr())
        .chain([std::ptr::null()])
        .collect();
    inherited::restore();
    // SAFETY: replaces this process; the pointers live until then.
    unsafe { libc::execv(program.as_ptr(), pointers.as_ptr()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(words: &[&str]) -> bool {
        names_a_path(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_a_certain_path_counts() {
        assert!(names(&["foo", "/tmp"]));
        assert!(names(&[
            "--json",
            "--regexp",
            "PAT",
            "--threads",
            "4",
            "/tmp"
        ]));
        assert!(names(&["-n", "foo", "x", "/tmp"]));
        assert!(!names(&["foo"]));
        assert!(!names(&["/tmp"]), "that is a pattern");
        assert!(
            !names(&["foo", "--max-count", "/tmp"]),
            "that may be an option's value"
        );
        assert!(!names(&["foo", "/no/such/path"]));
        assert!(
            !names(&["-A", "3", "/tmp"]),
            "the 3 belongs to -A: no pattern before the path"
        );
        assert!(!names(&[]));
    }
}
