//! `rg`, `grep`, `egrep`, `fgrep` and `find`: one program and its words to the daemon.
//!
//! Asked is only what the daemon can answer exactly: output to pipes, no configuration in the environment, standard
//! input that is not read.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use serde_json::json;

use super::ask::{ask, Answer};
use super::caller::caller;
use crate::{inherited, outputs};

/// The daemon's answer to `name` with `arguments`; None: the real one is to run.
pub fn answer(name: &str, arguments: &[OsString]) -> Option<Answer> {
    if !may_forward(name, arguments) {
        return None;
    }
    let words: Option<Vec<&str>> = std::iter::once(Some(name))
        .chain(arguments.iter().map(|word| word.to_str()))
        .collect();
    ask(json!({ "argv": words? }), caller(name, None)?)
}

fn may_forward(name: &str, arguments: &[OsString]) -> bool {
    let set = |key: &str| std::env::var_os(key).is_some_and(|value| !value.is_empty());
    let configured = [
        "RIPGREP_CONFIG_PATH",
        "GREP_OPTIONS",
        "GREP_COLOR",
        "GREP_COLORS",
        "LANGUAGE",
        "POSIXLY_CORRECT",
    ];
    if configured.into_iter().any(set) || inherited::lacks_a_descriptor() {
        return false;
    }
    let fits = outputs::take_an_answer() || name == "rg" && outputs::take_an_answer_of_rg();
    if !fits {
        return false;
    }
    name == "find" || outputs::input_is_null() || names_a_path(arguments)
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
