//! Which program the first words of a command name: `/usr/bin/grep …`, `command grep …` and `timeout 60 grep …` all run
//! `grep`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use curserve_text::options::Number;
use curserve_tools::World;

/// A program behind the words that lead to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<'w> {
    /// Its name, without the folder.
    pub name: &'w [u8],
    /// Its place among the words.
    pub at: usize,
    /// It is called by a path, which its messages then begin with.
    pub by_path: bool,
    /// It is a program of its own even where the shell has a builtin of its name.
    pub program: bool,
}

/// How long `timeout` must wait at least: what is answered here takes the real program less, so that it never ends it.
const PATIENT: u64 = 10;

/// The program that `words` name; what is none of the forms above names itself.
pub fn named(words: &[Vec<u8>]) -> Named<'_> {
    let mut found = Named {
        name: &words[0],
        at: 0,
        by_path: false,
        program: false,
    };
    loop {
        let rest = &words[found.at + 1..];
        let skip = match (found.name, rest) {
            (b"command", [next, ..]) if !next.starts_with(b"-") && !found.program => 1,
            (b"timeout", [time, _, ..]) if is_patient(time) => {
                found.program = true;
                2
            }
            _ => break,
        };
        found.at += skip;
        found.name = &words[found.at];
    }
    if let Some(name) = [&b"/usr/bin/"[..], b"/bin/"]
        .iter()
        .find_map(|folder| found.name.strip_prefix(*folder))
    {
        found = Named {
            name,
            by_path: true,
            program: true,
            ..found
        };
    }
    found
}

fn is_patient(time: &[u8]) -> bool {
    let (digits, unit) = match time.split_last() {
        Some((b's', digits)) => (digits, 1),
        Some((b'm', digits)) => (digits, 60),
        Some((b'h', digits)) => (digits, 3600),
        _ => (time, 1),
    };
    const TIME: Number = Number::between(0, 999_999);
    TIME.read(digits)
        .is_ok_and(|time| time.number * unit >= PATIENT)
}

/// Whether the path that names a program leads to the one that the pinned PATH finds under its name.
pub fn is_the_pinned(world: &World, path: &[u8], name: &[u8]) -> bool {
    let (Ok(path), Ok(name)) = (std::str::from_utf8(path), std::str::from_utf8(name)) else {
        return false;
    };
    // The pinned rg lies in a folder that only the sandbox has; what has its name elsewhere is another one.
    if name == "rg" || name.contains('/') {
        return false;
    }
    let search = world
        .environment
        .iter()
        .find(|(variable, _)| variable == "PATH")
        .map_or("", |(_, value)| value);
    let runs = |path: &Path| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let first = search
        .split(':')
        .map(|folder| Path::new(folder).join(name))
        .find(|path| runs(path));
    let real = |path: &Path| path.canonicalize().ok();
    first.is_some_and(|first| runs(Path::new(path)) && real(&first) == real(Path::new(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> (String, usize, bool) {
        let words: Vec<Vec<u8>> = line
            .split(' ')
            .map(|word| word.as_bytes().to_vec())
            .collect();
        let found = named(&words);
        (
            String::from_utf8_lossy(found.name).into_owned(),
            found.at,
            found.by_path,
        )
    }

    #[test]
    fn words_lead_to_a_program() {
        for (line, name, at, by_path) in [
            ("grep a b", "grep", 0, false),
            ("/usr/bin/grep a b", "grep", 0, true),
            ("/bin/ls", "ls", 0, true),
            ("command grep a", "grep", 1, false),
            ("command -v grep", "command", 0, false),
            ("timeout 60 grep a", "grep", 2, false),
            ("timeout 1m command /bin/ls", "command", 2, false),
            ("command timeout 30s /bin/ls a", "ls", 3, true),
            ("timeout 5 grep a", "timeout", 0, false),
            ("timeout -k 5 60 grep a", "timeout", 0, false),
            ("timeout 60", "timeout", 0, false),
            ("/opt/x/ls", "/opt/x/ls", 0, false),
        ] {
            assert_eq!(of(line), (name.to_string(), at, by_path), "{line}");
        }
    }
}
