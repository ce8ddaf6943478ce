//! The real program in a shim's place.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::inherited;

/// What tells one exec chain which programs were this one: `PID:DEV.INO:DEV.INO…`.
const VISITED: &str = "CURSERVE_SHIM";
/// What `$SHELL` was before `curserve run` changed it.
pub const SHELL_BEFORE: &str = "CURSERVE_SHELL";

/// Whether another copy of this binary has asked already, and became us.
pub fn came_from_a_shim() -> bool {
    let chain = format!("{}:", std::process::id());
    std::env::var(VISITED).is_ok_and(|list| list.starts_with(&chain))
}

/// The first program `name` on PATH that is not this binary, under whatever name.
pub fn find(name: &str) -> Option<PathBuf> {
    let me = identity(Path::new("/proc/self/exe"));
    let is_real = |path: &PathBuf| identity(path).is_some_and(|it| Some(it) != me);
    folders().map(|folder| folder.join(name)).find(is_real)
}

fn folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.into_iter()
}

/// The environment that the real `name` is given. It has none of ours in it: what a program starts runs undisturbed, a shell
/// says of itself what it would have said without us, and the daemon is asked about one PATH in every run.
pub fn environment(name: &str) -> Vec<(OsString, OsString)> {
    let before = std::env::var_os(SHELL_BEFORE);
    std::env::vars_os()
        .filter(|(key, _)| key != VISITED && key != SHELL_BEFORE)
        .map(|(key, value)| match key.as_bytes() {
            b"PATH" => (key, without_us(name, &value)),
            b"SHELL" => (key, before.clone().unwrap_or(value)),
            _ => (key, value),
        })
        .collect()
}

/// PATH without the folders in which `name` is this binary.
fn without_us(name: &str, path: &OsStr) -> OsString {
    let me = identity(Path::new("/proc/self/exe"));
    let is_ours = |folder: &&[u8]| {
        me.is_some() && identity(&Path::new(OsStr::from_bytes(folder)).join(name)) == me
    };
    let kept: Vec<&[u8]> = path
        .as_bytes()
        .split(|&b| b == b':')
        .filter(|it| !is_ours(it))
        .collect();
    OsString::from_vec(kept.join(&b':'))
}

/// The name under which a shell that was called as `called` would have been called without us.
pub fn shown(name: &str, called: &OsStr) -> OsString {
    if !called.as_bytes().contains(&b'/') {
        return called.to_owned();
    }
    let before = std::env::var_os(SHELL_BEFORE);
    before
        .or_else(|| Some(find(name)?.into_os_string()))
        .unwrap_or_else(|| called.to_owned())
}

/// Becomes the real shell; returns only where there is none.
pub fn become_shell(name: &str, called: &OsStr, arguments: &[OsString]) -> ExitCode {
    if let Some(program) = find(name) {
        let environment = environment(name);
        exec(&program, &shown(name, called), arguments, &environment);
    }
    missing(name)
}

/// Becomes the first program `name` on PATH that is not this binary, under whatever name or copy.
pub fn become_program(name: &str, arguments: &[OsString]) -> ExitCode {
    let pid = std::process::id().to_string();
    let mut visited: Vec<String> = std::env::var(VISITED)
        .ok()
        .and_then(|list| {
            let rest = list.strip_prefix(&format!("{pid}:"))?;
            Some(rest.split(':').map(str::to_owned).collect())
        })
        .unwrap_or_default();
    let shown = |(device, inode): (u64, u64)| format!("{device}.{inode}");
    visited.extend(identity(Path::new("/proc/self/exe")).map(shown));
    let mut environment = environment(name);
    environment.push((
        VISITED.into(),
        format!("{pid}:{}", visited.join(":")).into(),
    ));
    for candidate in folders().map(|folder| folder.join(name)) {
        if identity(&candidate).is_some_and(|it| !visited.contains(&shown(it))) {
            exec(&candidate, OsStr::new(name), arguments, &environment);
        }
    }
    missing(name)
}

fn missing(name: &str) -> ExitCode {
    eprintln!(
        "curserve: the real {name:?} is not on PATH; install it, or remove this shim from PATH"
    );
    ExitCode::from(127)
}

/// Device and inode of a program.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let meta = std::fs::metadata(path).ok()?;
    (meta.is_file() && meta.mode() & 0o111 != 0).then(|| (meta.dev(), meta.ino()))
}

/// Returns only where the program could not be started.
fn exec(
    program: &Path,
    name: &OsStr,
    arguments: &[OsString],
    environment: &[(OsString, OsString)],
) {
    let terminated = |word: &[u8]| CString::new(word).ok();
    let words: Option<Vec<CString>> = std::iter::once(name)
        .chain(arguments.iter().map(OsString::as_os_str))
        .map(|word| terminated(word.as_bytes()))
        .collect();
    let variables: Option<Vec<CString>> = environment
        .iter()
        .map(|(key, value)| terminated(&[key.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect();
    let (Some(words), Some(variables), Some(program)) =
        (words, variables, terminated(program.as_os_str().as_bytes()))
    else {
        return;
    };
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter()
            .map(|word| word.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (words, variables) = (pointers(&words), pointers(&variables));
    inherited::restore();
    // SAFETY: replaces this process; the pointers live until then.
    unsafe { libc::execve(program.as_ptr(), words.as_ptr(), variables.as_ptr()) };
}
