//! Which command lines take microseconds: decided from the words alone, before anything is parsed.

/// Words of commands that may walk the whole workspace, or go on for long.
const SLOW: [&str; 8] = [
    "rg", "find", "tree", "for ", "while ", "until ", "xargs", "**",
];

/// Whether `command` is answered in less time than it takes to hand it to another thread.
///
/// A guess that costs nothing but time where it is wrong: what is not quick is answered by a thread of its own.
pub fn is_quick(command: &str) -> bool {
    command.len() < 2000
        && !SLOW.iter().any(|word| command.contains(word))
        && !command.split_ascii_whitespace().any(may_recurse)
}

/// Whether a word may be the option that makes `grep` or `ls` go below a folder.
fn may_recurse(word: &str) -> bool {
    match word.strip_prefix('-') {
        Some(long) if long.starts_with('-') => ["--rec", "--deref", "--dir"]
            .iter()
            .any(|option| word.starts_with(option)),
        Some(letters) => letters.contains(['r', 'R', 'd']),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_quick;

    #[test]
    fn reads_are_quick_and_walks_are_not() {
        for command in [
            "cat a.txt",
            "sed -n '1,3p' a.txt | head",
            "ls",
            "grep a b.txt",
            "grep -n -A 3 --include='*.py' a b.txt",
            "ls -la src",
        ] {
            assert!(is_quick(command), "{command}");
        }
        for command in [
            "rg a",
            "grep -r a .",
            "grep -inR a .",
            "grep --directories=recurse a .",
            "ls -R",
            "until false; do :; done",
            "echo **",
        ] {
            assert!(!is_quick(command), "{command}");
        }
        assert!(!is_quick(&"a".repeat(2000)));
    }
}
