//! Which programs are imitated here, and which of their versions: the answers are those of these, and another version may
//! answer otherwise.

/// Each program, and how the first line begins that it prints for `--version` (awk: for `-W version`).
///
/// A line that goes on with a digit or a dot is another version's, unless the beginning ends with a dot.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("[", "[ (GNU coreutils) 9.1"),
    ("awk", "mawk 1.3.4 20200120"),
    ("basename", "basename (GNU coreutils) 9.1"),
    ("bash", "GNU bash, version 5.2."),
    ("cat", "cat (GNU coreutils) 9.1"),
    ("cut", "cut (GNU coreutils) 9.1"),
    ("diff", "diff (GNU diffutils) 3.8"),
    ("dirname", "dirname (GNU coreutils) 9.1"),
    ("echo", "echo (GNU coreutils) 9.1"),
    ("egrep", "grep (GNU grep) 3.8"),
    ("false", "false (GNU coreutils) 9.1"),
    ("fgrep", "grep (GNU grep) 3.8"),
    ("find", "find (GNU findutils) 4.9.0"),
    ("grep", "grep (GNU grep) 3.8"),
    ("head", "head (GNU coreutils) 9.1"),
    ("ls", "ls (GNU coreutils) 9.1"),
    ("nl", "nl (GNU coreutils) 9.1"),
    ("printf", "printf (GNU coreutils) 9.1"),
    ("rg", "ripgrep 15."),
    ("sed", "sed (GNU sed) 4.9"),
    ("seq", "seq (GNU coreutils) 9.1"),
    ("sort", "sort (GNU coreutils) 9.1"),
    ("tac", "tac (GNU coreutils) 9.1"),
    ("tail", "tail (GNU coreutils) 9.1"),
    ("tr", "tr (GNU coreutils) 9.1"),
    ("tree", "tree v2.1."),
    ("true", "true (GNU coreutils) 9.1"),
    ("uniq", "uniq (GNU coreutils) 9.1"),
    ("wc", "wc (GNU coreutils) 9.1"),
    ("xargs", "xargs (GNU findutils) 4.9.0"),
];

/// Why `program`, which printed `said`, is not the one that is imitated; None where it is.
pub fn another(program: &str, said: &str) -> Option<String> {
    let known = PROGRAMS.iter().find(|(name, _)| *name == program);
    let (_, begins) = known?;
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match said.strip_prefix(begins) {
        Some(rest) if begins.ends_with('.') || !goes_on(rest) => None,
        _ => Some(format!("{program} says {said:?}, known here is {begins:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        assert_eq!(another("grep", "grep (GNU grep) 3.8"), None);
        assert_eq!(another("tree", "tree v2.1.0 © 1996 - 2022"), None);
        assert_eq!(another("bash", "GNU bash, version 5.2.15(1)-release"), None);
        for (program, said) in [
            ("grep", "grep (GNU grep) 3.80"),
            ("grep", "grep (GNU grep) 3.11"),
            ("grep", "grep (BSD grep, GNU compatible) 2.6.0-FreeBSD"),
            ("find", "find (GNU findutils) 4.9.0.1"),
            ("sort", "sort (uutils coreutils) 0.0.27"),
            ("tree", "tree v2.0.4"),
            ("awk", "mawk 1.3.4 20240905"),
            ("awk", "GNU Awk 5.2.1, API 3.2"),
            ("rg", ""),
        ] {
            assert!(another(program, said).is_some(), "{said}");
        }
    }

    #[test]
    fn every_tool_has_its_program() {
        for (tool, _) in crate::TOOLS {
            // bash's own, and without a word of its version.
            let has = *tool == "test" || PROGRAMS.iter().any(|(name, _)| name == tool);
            assert!(has, "{tool}");
        }
    }
}
