//! What a command line asks of the program: whether it is a call, and of what.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// The programs that are shells.
pub const SHELLS: [&str; 3] = ["bash", "sh", "dash"];

/// What a command line asks of the program.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A shell's `-c` and its text: a call.
    Command(OsString),
    /// A search program: a call.
    Program,
    /// A shell that reads commands as they come: its commands cannot be told apart.
    Session,
    /// A shell that runs a script file: how agents themselves are started.
    Script,
}

impl Kind {
    /// The kind of a call of the program `name` with `arguments`.
    pub fn of(name: &str, arguments: &[OsString]) -> Kind {
        if !SHELLS.contains(&name) {
            return Kind::Program;
        }
        let (mut has_command, mut at) = (false, 0);
        while let Some(word) = arguments.get(at).map(|word| word.as_bytes()) {
            if word == b"--" || word == b"-" {
                at += 1;
                break;
            }
            if word.starts_with(b"--") {
                at += usize::from([&b"--rcfile"[..], b"--init-file"].contains(&word));
            } else if word.len() > 1 && (word[0] == b'-' || word[0] == b'+') {
                has_command |= word[0] == b'-' && word.contains(&b'c');
                at += word.iter().filter(|c| [b'o', b'O'].contains(c)).count();
            } else {
                break;
            }
            at += 1;
        }
        match (has_command, arguments.get(at)) {
            (true, Some(text)) => Kind::Command(text.clone()),
            (false, Some(_)) => Kind::Script,
            _ => Kind::Session,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Kind {
        Kind::of(
            "bash",
            &words.iter().map(OsString::from).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn a_call_is_what_stands_behind_c() {
        assert_eq!(of(&["-c", "ls"]), Kind::Command("ls".into()));
        assert_eq!(of(&["-lc", "ls", "x"]), Kind::Command("ls".into()));
        assert_eq!(of(&["-c", "-e", "ls"]), Kind::Command("ls".into()));
        assert_eq!(
            of(&["-o", "pipefail", "-c", "ls"]),
            Kind::Command("ls".into())
        );
        assert_eq!(of(&["--norc", "-c", "ls"]), Kind::Command("ls".into()));
        assert_eq!(
            of(&["--rcfile", "x", "-ic", "ls"]),
            Kind::Command("ls".into())
        );
        assert_eq!(of(&["script.sh", "-c", "x"]), Kind::Script);
        assert_eq!(of(&["-i"]), Kind::Session);
        assert_eq!(of(&[]), Kind::Session);
        assert_eq!(Kind::of("rg", &["-c".into(), "x".into()]), Kind::Program);
    }
}
