//! Which lines dash reads as bash does: commands of plain words, pipes, `&&`, `||`, `;`, `( )`, quotes and `*`.
//!
//! A `/bin/sh -c` is dash's on many machines. What the two expand, build in or say differently is refused: all that has a
//! `$` in it, every builtin but a few, every message. Both were asked the same lines (tests/dash.rs).

use crate::Refusal;

/// Programs, and the builtins of which only one form is taken below.
const COMMANDS: [&str; 27] = [
    "basename", "cat", "cd", "cut", "dirname", "echo", "egrep", "false", "fgrep", "find", "grep",
    "head", "ls", "nl", "pwd", "rg", "sed", "seq", "sort", "tac", "tail", "test", "tr", "tree",
    "true", "uniq", "wc",
];

/// Programs that run another one, which is then no builtin.
const STARTERS: [&str; 2] = ["timeout", "xargs"];

/// Refuses `line`, unless dash does with it as bash does; with `globs`, an unquoted `*` is fine.
///
/// # Errors
/// Where dash may read or do it otherwise.
pub fn is_bashs(line: &str, globs: bool) -> Result<(), Refusal> {
    let fine = |b: u8| matches!(b, b'\n' | b'\t' | b' '..=b'~');
    if !line.bytes().all(fine) {
        return refuse("characters beyond ASCII");
    }
    let mut rest = Scanner {
        bytes: line.as_bytes(),
        at: 0,
        globs,
    };
    let mut words: Vec<String> = Vec::new();
    loop {
        match rest.next()? {
            Token::Word(word) => words.push(word),
            Token::Operator => {
                is_same(&words)?;
                words.clear();
            }
            Token::Redirection => match rest.next()? {
                Token::Word(_) => {}
                _ => return refuse("a redirection without a word"),
            },
            Token::End => return is_same(&words),
        }
    }
}

/// Refuses a command that the two shells may run otherwise.
fn is_same(words: &[String]) -> Result<(), Refusal> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((name, args)) = words.split_first() else {
        return Ok(());
    };
    let program = ["/usr/bin/", "/bin/"]
        .iter()
        .find_map(|folder| name.strip_prefix(folder));
    let known = match program {
        Some(program) => COMMANDS.contains(&program) || STARTERS.contains(&program),
        None => match *name {
            "cd" => matches!(args, [folder] if !folder.is_empty() && !folder.starts_with('-')),
            "pwd" | "true" | "false" => args.is_empty(),
            "echo" => !args
                .iter()
                .any(|word| word.contains('\\') || is_echos(word)),
            "test" => matches!(args, ["-e" | "-f" | "-d" | "-s", path] if !path.is_empty()),
            name => COMMANDS.contains(&name) || STARTERS.contains(&name),
        },
    };
    match known {
        true => Ok(()),
        false => refuse(&format!("the command {name}")),
    }
}

/// Whether one of the two `echo`s takes the word for options.
fn is_echos(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word[1..].bytes().all(|b| b"neE".contains(&b))
}

enum Token {
    /// A word without its quotes.
    Word(String),
    /// What ends a command.
    Operator,
    /// `<`, `>` or `>>`, whose file is the next word.
    Redirection,
    End,
}

struct Scanner<'l> {
    bytes: &'l [u8],
    at: usize,
    globs: bool,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn follows(&mut self, text: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    fn next(&mut self) -> Result<Token, Refusal> {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let Some(first) = self.peek() else {
            return Ok(Token::End);
        };
        match first {
            b'#' => {
                let rest = &self.bytes[self.at..];
                self.at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                self.next()
            }
            b'\n' | b';' | b')' => {
                self.at += 1;
                match self.follows(b";") {
                    true => refuse(";;"),
                    false => Ok(Token::Operator),
                }
            }
            b'(' => {
                self.at += 1;
                match self.peek() == Some(b'(') {
                    true => refuse("(("),
                    false => Ok(Token::Operator),
                }
            }
            b'|' => {
                self.at += 1;
                let _or = self.follows(b"|");
                match self.peek() {
                    Some(b'&' | b'|') => refuse("an operator"),
                    _ => Ok(Token::Operator),
                }
            }
            b'&' => match self.follows(b"&&") && self.peek() != Some(b'&') {
                true => Ok(Token::Operator),
                false => refuse("a command in the background, or &>"),
            },
            b'<' | b'>' => self.redirection(first),
            _ => self.word(),
        }
    }

    /// `<`, `>`, `>>`; `>&1` and `>&2`, which end here.
    fn redirection(&mut self, first: u8) -> Result<Token, Refusal> {
        self.at += 1;
        if first == b'>' && self.follows(b"&") {
            let duplicate = self.follows(b"1") || self.follows(b"2");
            let ends = matches!(
                self.peek(),
                None | Some(b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b')')
            );
            return match duplicate && ends {
                true => self.next(),
                false => refuse("a duplicate of neither 1 nor 2"),
            };
        }
        if first == b'>' {
            let _append = self.follows(b">");
        }
        match self.peek() {
            Some(b'<' | b'>' | b'(' | b'&' | b'|') => refuse("a redirection"),
            _ => Ok(Token::Redirection),
        }
    }

    fn word(&mut self) -> Result<Token, Refusal> {
        let mut word = String::new();
        while let Some(b) = self.peek() {
            match b {
                b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'(' | b')' | b'<' | b'>' => break,
                b'\'' => {
                    let rest = &self.bytes[self.at + 1..];
                    let Some(end) = rest.iter().position(|&b| b == b'\'') else {
                        return refuse("a quote without its end");
                    };
                    word.extend(rest[..end].iter().map(|&b| char::from(b)));
                    self.at += end + 2;
                }
                b'"' => self.quoted(&mut word)?,
                b'\\' => match self.bytes.get(self.at + 1) {
                    Some(&next) if next != b'\n' => {
                        word.push(char::from(next));
                        self.at += 2;
                    }
                    _ => return refuse("a line that goes on"),
                },
                b'{' if self.follows(b"{}") => word.push_str("{}"),
                b'$' | b'`' | b'{' | b'}' | b'[' | b']' | b'?' | b'~' => {
                    return refuse(&format!("an unquoted {}", char::from(b)));
                }
                // Seen: `.*` finds `.` and `..` in dash.
                b'*' if word
                    .rsplit('/')
                    .next()
                    .is_some_and(|part| part.starts_with('.')) =>
                {
                    return refuse("names that begin with a dot");
                }
                b'*' if !self.globs => return refuse("names in another order"),
                b'=' if !word.contains(['-', '/', '.', '\'']) && is_name(&word) => {
                    return refuse("what may be an assignment");
                }
                _ => {
                    word.push(char::from(b));
                    self.at += 1;
                }
            }
        }
        // A number right before a redirection is no word.
        if matches!(self.peek(), Some(b'<' | b'>')) && word.bytes().all(|b| b.is_ascii_digit()) {
            return match word.as_str() {
                "1" | "2" => self.next(),
                _ => refuse("a file descriptor other than 1 and 2"),
            };
        }
        Ok(Token::Word(word))
    }

    fn quoted(&mut self, word: &mut String) -> Result<(), Refusal> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => match self.bytes.get(self.at + 1) {
                    Some(next @ (b'"' | b'\\' | b'$' | b'`')) => {
                        word.push(char::from(*next));
                        self.at += 2;
                    }
                    Some(b'\n') | None => return refuse("a line that goes on"),
                    Some(_) => {
                        word.push('\\');
                        self.at += 1;
                    }
                },
                Some(b'$' | b'`') => return refuse("an expansion"),
                Some(b) => {
                    word.push(char::from(b));
                    self.at += 1;
                }
                None => return refuse("a quote without its end"),
            }
        }
    }
}

/// Whether an assignment could begin so.
fn is_name(word: &str) -> bool {
    let word = word.strip_suffix('+').unwrap_or(word);
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn refuse<T>(what: &str) -> Result<T, Refusal> {
    Err(Refusal::new(format!("dash and bash may differ: {what}")))
}

#[cfg(test)]
mod tests {
    use super::is_bashs;

    #[test]
    fn plain_lines_are_read_alike() {
        for line in [
            "cat a.txt",
            "cd sub && grep -rn 'a b' . | head -3",
            "ls -la; echo --- ; wc -l *.py 2>/dev/null",
            "grep -n \"x\\.y\" a 2>&1 | sed -n '1,5p'",
            "find . -name '*.py' -exec grep -l x {} +",
            "(cd sub && ls) || true # more",
            "test -f a && cat a",
            "grep --include=*.py -rn x .",
            "timeout 60 grep -rn x .",
        ] {
            assert_eq!(is_bashs(line, true), Ok(()), "{line}");
        }
    }

    #[test]
    fn what_may_differ_is_refused() {
        for line in [
            "echo -e a",
            "echo 'a\\n'",
            "echo $HOME",
            "echo `ls`",
            "[ -f a ]",
            "ls [ab]",
            "cat {a,b}",
            "cat a &",
            "ls &> x",
            "ls |& cat",
            "cat <<< x",
            "cat <<E\nE",
            "x=1 ls",
            "x=1",
            "cat ~/a",
            "ls ?",
            "ls .*",
            "cat a/.x*",
            "ls .*",
            "ls a/.*",
            "((1))",
            "printf a",
            "read x",
            "for f in a; do cat a; done",
            "cat $'a'",
            "cd",
            "cd -",
            "cat 'a",
            "cat \"a",
            "cat é",
            "ls 3>x",
            "ls >&x",
            "test a = b",
            "cat <(ls)",
            "ls >| x",
            "time ls",
        ] {
            assert!(is_bashs(line, true).is_err(), "{line}");
        }
    }
}
