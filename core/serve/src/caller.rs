//! Somebody else's environment: whether commands answer in it as in the pinned world, and the world that it makes.
//!
//! A shim's caller runs the real program where a call is refused, so what is not certain is refused here, and no call of
//! a caller writes anything: it can always be run once more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use curserve_proto::{Caller, Refusal};
use curserve_shell::{HEEDED, MADE_BY_BASH};
use curserve_tools::World;

use crate::programs::Programs;

/// More at which the shell, the C library or a program looks: a line is refused where one is set at all.
const HEEDED_TOO: [&str; 18] = [
    "BASHOPTS",
    "BASH_COMPAT",
    "BASH_ENV",
    "BASH_XTRACEFD",
    "COLUMNS",
    "EXECIGNORE",
    "GCONV_PATH",
    "GREP_COLOR",
    "GREP_COLORS",
    "GREP_OPTIONS",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LOCPATH",
    "LS_BLOCK_SIZE",
    "NLSPATH",
    "SHELLOPTS",
    "_POSIX2_VERSION",
];

fn heeded() -> impl Iterator<Item = &'static str> {
    HEEDED.into_iter().chain(HEEDED_TOO)
}

/// The categories of a locale, as far as programs here ask for them.
const CATEGORIES: [&str; 5] = [
    "LC_COLLATE",
    "LC_CTYPE",
    "LC_MESSAGES",
    "LC_NUMERIC",
    "LC_TIME",
];

/// What the real programs would go by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Locale {
    Utf8,
    C,
    /// English UTF-8, or C where that is not installed: what both answer alike. It sorts otherwise.
    English,
}

/// Whether commands of `caller` sort otherwise than by bytes.
pub(crate) fn sorts_otherwise(caller: &Caller) -> bool {
    let of = |name: &str| caller.environment.get(name).map(String::as_str);
    !matches!(locale(&of), Ok(Locale::Utf8 | Locale::C))
}

/// The world in which `caller` would run the real programs.
///
/// # Errors
/// Where they might answer otherwise there.
pub(crate) fn world(
    pinned: &World,
    caller: &Caller,
    programs: &Programs,
) -> Result<World, Refusal> {
    let of = |name: &str| caller.environment.get(name).map(String::as_str);
    for name in caller.environment.keys() {
        if heeded().any(|known| known == name) || name.starts_with("BASH_FUNC_") {
            return refuse(format!("{name} is set, which changes how commands work"));
        }
    }
    let locale = locale(&of)?;
    let path = of("PATH").unwrap_or_default();
    let mut unknown: BTreeMap<String, String> = programs.unknown(path)?.as_ref().clone();
    let mut without = |program: &str, why: &str| {
        let _ = unknown.entry(program.into()).or_insert_with(|| why.into());
    };
    if locale == Locale::English {
        for program in ["ls", "sort", "tree", "uniq"] {
            without(program, "a locale that sorts otherwise");
        }
    }
    if !is_utc(of("TZ")) {
        without("ls", "the time zone is not UTC");
    }
    let colours = |name: &String| name.starts_with("TREE_") || name == "CLICOLOR_FORCE";
    if caller.environment.keys().any(colours) {
        without("tree", "a variable that configures it is set");
    }
    if of("RIPGREP_CONFIG_PATH").is_some_and(|path| !path.is_empty()) {
        without("rg", "RIPGREP_CONFIG_PATH is set");
    }
    if ignores_everywhere(&of) {
        without("rg", "git has an ignore file for all repositories");
    }
    let made = |name: &str| MADE_BY_BASH.contains(&name) || name == "PWD" || name == "LANG";
    let kept = |name: &str| !made(name) && !name.starts_with("LC_");
    let mut environment: Vec<(String, String)> = caller
        .environment
        .iter()
        .filter(|(name, _)| kept(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let shown = if locale == Locale::Utf8 {
        "C.UTF-8"
    } else {
        "C"
    };
    environment.push(("LC_ALL".into(), shown.into()));
    Ok(World {
        environment,
        unknown: Arc::new(OnceLock::from(unknown)),
        ..pinned.clone()
    })
}

/// The locale that an environment asks for.
fn locale<'e>(of: &impl Fn(&str) -> Option<&'e str>) -> Result<Locale, Refusal> {
    let set = |name: &str| of(name).filter(|value| !value.is_empty());
    let category = |name: &str| match set("LC_ALL").or_else(|| set(name)).or_else(|| set("LANG")) {
        None | Some("C" | "POSIX") => Ok(Locale::C),
        Some("C.UTF-8" | "C.utf8" | "C.UTF8" | "C.utf-8") => Ok(Locale::Utf8),
        Some("en_US.UTF-8" | "en_US.utf8") => Ok(Locale::English),
        Some(other) => refuse(format!("the locale {other}")),
    };
    let first = category(CATEGORIES[0])?;
    for name in &CATEGORIES[1..] {
        if category(name)? != first {
            return refuse("a locale of several parts");
        }
    }
    Ok(first)
}

/// Whether local time is UTC.
fn is_utc(zone: Option<&str>) -> bool {
    match zone {
        Some(zone) => ["", "UTC", "UTC0", "Etc/UTC"].contains(&zone),
        None => std::fs::read_link("/etc/localtime").map_or_else(
            |error| error.kind() == std::io::ErrorKind::NotFound,
            |target| target.ends_with("zoneinfo/Etc/UTC") || target.ends_with("zoneinfo/UTC"),
        ),
    }
}

/// Whether `rg` would find an ignore file that holds for all repositories of the user: none of ours.
fn ignores_everywhere<'e>(of: &impl Fn(&str) -> Option<&'e str>) -> bool {
    let folder = |name: &str| {
        of(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = folder("HOME");
    let config = folder("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config")));
    let is_there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
    let names_one = |path: PathBuf| match std::fs::read(&path) {
        Ok(text) => text
            .to_ascii_lowercase()
            .windows(8)
            .any(|part| part == b"excludes" || part == b"[include"),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    };
    home.is_some_and(|home| names_one(home.join(".gitconfig")))
        || config.is_some_and(|config| {
            is_there(&config.join("git/ignore")) || names_one(config.join("git/config"))
        })
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(format!(
        "the caller's environment: {}",
        why.into()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(words: &[(&str, &str)]) -> Result<World, Refusal> {
        let environment = words
            .iter()
            .map(|(n, v)| ((*n).to_string(), (*v).to_string()));
        let caller = Caller {
            environment: environment.collect(),
            ..Caller::default()
        };
        world(&World::pinned(), &caller, &Programs::known())
    }

    #[test]
    fn a_locale_is_one_of_two_or_refused() {
        let of = |words: &[(&str, &str)]| judged(words).map(|world| world.is_c());
        assert_eq!(of(&[("LC_ALL", "C.UTF-8")]), Ok(false));
        assert_eq!(of(&[("LANG", "C.utf8"), ("LC_ALL", "")]), Ok(false));
        assert_eq!(of(&[]), Ok(true));
        assert_eq!(
            of(&[("LC_ALL", "POSIX"), ("LANG", "de_DE.UTF-8")]),
            Ok(true)
        );
        assert_eq!(of(&[("LANG", "en_US.UTF-8")]), Ok(true));
        assert!(judged(&[("LANG", "en_US.UTF-8")])
            .unwrap()
            .refuses(b"sort")
            .is_some());
        assert!(of(&[("LANG", "de_DE.UTF-8")]).is_err());
        assert!(of(&[("LANG", "C.UTF-8"), ("LC_CTYPE", "C")]).is_err());
    }

    #[test]
    fn what_changes_commands_is_refused() {
        for name in heeded().chain(["BASH_FUNC_ls%%"]) {
            assert!(judged(&[(name, "")]).is_err(), "{name}");
        }
    }

    #[test]
    fn a_program_that_would_answer_otherwise_is_left_to_itself() {
        let why = |words: &[(&str, &str)], program: &str| {
            judged(words).map(|it| it.refuses(program.as_bytes()).is_some())
        };
        assert_eq!(why(&[("TZ", "UTC")], "ls"), Ok(false));
        assert_eq!(why(&[("TZ", "Europe/Rome")], "ls"), Ok(true));
        assert_eq!(why(&[("TZ", "Europe/Rome")], "grep"), Ok(false));
        assert_eq!(why(&[("RIPGREP_CONFIG_PATH", "/x")], "rg"), Ok(true));
        let home = std::env::temp_dir().join(format!("caller-{}", std::process::id()));
        std::fs::create_dir_all(home.join(".config/git")).unwrap();
        let set = [("HOME", home.to_str().unwrap())];
        assert_eq!(why(&set, "rg"), Ok(false));
        std::fs::write(home.join(".gitconfig"), "[core]\n\texcludesFile = ~/x\n").unwrap();
        assert_eq!(why(&set, "rg"), Ok(true));
        std::fs::remove_file(home.join(".gitconfig")).unwrap();
        std::fs::write(home.join(".config/git/ignore"), "x\n").unwrap();
        assert_eq!(why(&set, "rg"), Ok(true));
        std::fs::remove_dir_all(&home).unwrap();
    }
}
