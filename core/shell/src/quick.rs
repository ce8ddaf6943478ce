//! Which command lines take microseconds: decided from the words alone, before anything is parsed.

/// Commands that may walk the whole workspace, or go on for long.
const SLOW: [&str; 7] = ["rg", "find", "tree", "for", "while", "until", "xargs"];

/// Words after which the next one is a command.
const BEFORE: [&str; 11] = [
    "!", "{", "command", "do", "elif", "else", "if", "then", "time", "timeout", "coproc",
];

/// Whether `command` is answered in less time than it takes to hand it to another thread.
///
/// A guess that costs nothing but time where it is wrong: what is not quick is answered by a thread of its own.
pub fn is_quick(command: &str) -> bool {
    if command.len() >= 2000 || command.contains("**") {
        return false;
    }
    if command.contains("$(") || command.contains('`') {
        // Quotes and commands lie within each other: any word might be one.
        let walks = |word: &str| {
            let word = [word.trim_end_matches([')', '`', '"', '\'', ';'])];
            ["grep", "ls"]
                .iter()
                .any(|tool| curserve_tools::walks(tool.as_bytes(), &word))
        };
        return !SLOW.iter().any(|name| command.contains(name))
            && !command.split_ascii_whitespace().any(walks);
    }
    let (mut tool, mut arguments) = ("", Vec::new());
    let mut words = Words::of(command);
    loop {
        let next = words.next();
        if next.is_none_or(|(_, begins)| begins) {
            if curserve_tools::walks(tool.as_bytes(), &arguments) {
                return false;
            }
            tool = "";
            arguments.clear();
        }
        let Some((word, _)) = next else {
            return true;
        };
        if !tool.is_empty() {
            arguments.push(word);
            continue;
        }
        let name = word.trim_matches(['\'', '"', '\\']);
        let name = name.rsplit('/').next().unwrap_or(name);
        if SLOW.contains(&name) {
            return false;
        }
        let leads = BEFORE.contains(&name) || word.contains(['=', '<', '>']);
        if !leads && !name.starts_with(|c: char| c.is_ascii_digit()) {
            tool = name;
        }
    }
}

/// The words of a command line, quotes and all, and whether each is the first of its command.
struct Words<'l> {
    line: &'l str,
    at: usize,
    begins: bool,
}

impl<'l> Words<'l> {
    fn of(line: &'l str) -> Self {
        Words {
            line,
            at: 0,
            begins: true,
        }
    }

    fn next(&mut self) -> Option<(&'l str, bool)> {
        let bytes = self.line.as_bytes();
        while let Some(b) = bytes.get(self.at) {
            match b {
                b' ' | b'\t' => {}
                b if ends_command(*b) => self.begins = true,
                _ => break,
            }
            self.at += 1;
        }
        let start = self.at;
        let mut quote = None;
        while let Some(&b) = bytes.get(self.at) {
            match (quote, b) {
                (None | Some(b'"'), b'\\') => self.at += 1,
                (None, b'\'' | b'"') => quote = Some(b),
                (Some(q), b) if q == b => quote = None,
                (None, b' ' | b'\t') => break,
                (None, b) if ends_command(b) => break,
                _ => {}
            }
            self.at += 1;
        }
        self.at = self.at.min(bytes.len());
        let word = self.line.get(start..self.at)?;
        (start < bytes.len()).then(|| (word, std::mem::take(&mut self.begins)))
    }
}

fn ends_command(b: u8) -> bool {
    matches!(b, b'|' | b'&' | b';' | b'\n' | b'(' | b')')
}

#[cfg(test)]
mod tests {
    use super::is_quick;

    #[test]
    fn reads_are_quick_and_walks_are_not() {
        for command in [
            "",
            "cat a.txt",
            "sed -n '1,3p' a.txt | head",
            "sed -rn 's/(a)/\\1/p' a.txt",
            "sort -r a.txt | uniq -d",
            "cut -d: -f1 a.txt",
            "ls",
            "ls -lart src",
            "ls -d src",
            "ls -I '*R*' src",
            "grep a b.txt",
            "grep -n kwargs merge/org.py",
            "grep -n -A 3 --include='*.py' a b.txt",
            "grep -er a.txt",
            "grep -E 'find |for ' a.txt",
            "ls -la src",
            "cat docs/find.txt tree",
            "LC_ALL=C sort a.txt",
            "cd src && cat a",
            "echo \"a (b\" 'c",
            "x=$(wc -l a); echo \"$x\"",
            "echo é\\",
        ] {
            assert!(is_quick(command), "{command}");
        }
        for command in [
            "rg a",
            "cat a|rg b",
            "grep -r a .",
            "grep -inR a .",
            "grep a . -r",
            "grep -E 'a|b' -rn .",
            "grep \"def f(\" -r .",
            "echo \"$(cat a)\"; rg x",
            "grep --directories=recurse a .",
            "grep -d recurse a .",
            "grep -drecurse a .",
            "cat a && egrep -rl x src",
            "ls -R",
            "ls -laR",
            "ls --recursive",
            "until false; do :; done",
            "while :; do :; done",
            "cat a; for f in *; do cat $f; done",
            "cat $(find . -name a)",
            "echo \"$(rg a)\"",
            "echo `rg a`",
            "timeout 60 grep -r a .",
            "LC_ALL=C /usr/bin/find .",
            "command rg a",
            "if rg -q a; then ls; fi",
            "x=$(tree)",
            "echo **",
        ] {
            assert!(!is_quick(command), "{command}");
        }
        assert!(!is_quick(&"a".repeat(2000)));
    }
}
