//! Which command lines take microseconds: decided from the words alone, before anything is parsed.

/// Words of commands that may walk the whole workspace, or go on for long.
const SLOW: [&str; 10] = [
    "rg", "grep -", "find", "tree", "ls -", "for ", "while ", "until ", "xargs", "**",
];

/// Whether `command` is answered in less time than it takes to hand it to another thread.
///
/// A guess that costs nothing but time where it is wrong: what is not quick is answered by a thread of its own.
pub fn is_quick(command: &str) -> bool {
    command.len() < 2000 && !SLOW.iter().any(|word| command.contains(word))
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
        ] {
            assert!(is_quick(command), "{command}");
        }
        for command in [
            "rg a",
            "grep -r a .",
            "ls -R",
            "until false; do :; done",
            "echo **",
        ] {
            assert!(!is_quick(command), "{command}");
        }
        assert!(!is_quick(&"a".repeat(2000)));
    }
}
