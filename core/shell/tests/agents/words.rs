//! Names, patterns, scripts and programs in a command.

use super::tree::WORDS;
use super::Agent;

impl Agent<'_> {
    /// A word as an agent quotes it, now and then wrongly.
    fn quoted(&mut self, word: &str) -> String {
        let plain = word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/._-+=,:@%".contains(&b) || b >= 0x80);
        match self.random.below(12) {
            0 if !word.starts_with('#')
                && !word.contains(['\'', '"', '`', '$', '(', '\n', ';', '&', '|', '<', '>']) =>
            {
                word.to_string()
            }
            1..=4 if !word.contains(['"', '`', '$', '\\']) => format!("\"{word}\""),
            5..=8 if plain => word.to_string(),
            _ if word.contains('\'') => format!("'{}'", word.replace('\'', "'\\''")),
            _ if plain => word.to_string(),
            _ => format!("'{word}'"),
        }
    }

    /// A file, mostly one that is there.
    pub(super) fn file(&mut self) -> String {
        let file = match self.random.below(14) {
            0 => self
                .random
                .one(&[
                    "nope.py",
                    "src/nope",
                    "nope/x.py",
                    "src/main.py/x",
                    "src",
                    ".",
                ])
                .to_string(),
            1 => format!("./{}", self.any_file()),
            _ => self.any_file(),
        };
        self.quoted(&file)
    }

    fn any_file(&mut self) -> String {
        match self.tree.files.len() {
            0 => "nope.py".to_string(),
            many => self.tree.files[self.random.below(many)].clone(),
        }
    }

    /// Some files, or a pattern of their names.
    pub(super) fn files(&mut self, most: usize) -> String {
        if self.random.once_in(10) {
            return self
                .random
                .one(&[
                    "*.py", "src/*.py", "*", "src/*/*", "*.nope", "[!a]*.md", "./*",
                ])
                .to_string();
        }
        let files: Vec<String> = (0..1 + self.random.below(most))
            .map(|_| self.file())
            .collect();
        files.join(" ")
    }

    pub(super) fn folder(&mut self) -> String {
        let folder = match self.random.below(10) {
            0..=3 => ".".to_string(),
            4 => self
                .random
                .one(&["nope", "./", "src/", "..", "src/..", "@ROOT", "@ROOT/src"])
                .to_string(),
            _ => match self.tree.folders.len() {
                0 => ".".to_string(),
                many => self.tree.folders[self.random.below(many)].clone(),
            },
        };
        self.quoted(&folder)
    }

    pub(super) fn count(&mut self) -> String {
        let number = self
            .random
            .one(&["1", "2", "3", "5", "10", "20", "50", "0", "100"]);
        match self.random.below(5) {
            0 => format!("-n{number}"),
            1 => format!("-n {number}"),
            2 if self.random.once_in(5) => format!("-c {number}"),
            3 if self.random.once_in(5) => format!("-n +{number}"),
            _ => format!("-{number}"),
        }
    }

    pub(super) fn options(&mut self) -> String {
        self.random
            .one(&[
                "-n",
                "-n",
                "-n",
                "-i",
                "-A 3",
                "-B 2 -A 2",
                "-C1",
                "-E",
                "-c",
                "-l",
                "-v",
                "-w",
                "-F",
                "-o",
                "-in",
                "-m 2",
                "-h",
                "-H",
                "-P",
                "-nE",
                "-A2 -B1",
                "--color=never",
                "-x",
                "-a",
                "-L",
                "-q",
                "-s",
                "-nA1",
                "--include='*.py'",
                "-e x",
                "",
                "",
            ])
            .to_string()
    }

    /// A pattern between its quotes.
    pub(super) fn pattern(&mut self) -> String {
        let pattern = match self.random.below(12) {
            0..=4 => self.random.one(WORDS).to_string(),
            5 => format!("{}\\|{}", self.random.one(WORDS), self.random.one(WORDS)),
            6 => format!("{}|{}", self.random.one(WORDS), self.random.one(WORDS)),
            7 => format!("{}.*{}", self.random.one(WORDS), self.random.one(WORDS)),
            8 => format!("^{}", self.random.one(WORDS)),
            9 => format!("{}$", self.random.one(WORDS)),
            10 => format!("{} {}", self.random.one(WORDS), self.random.one(WORDS)),
            _ => self
                .random
                .one(&[
                    "def [a-z_]*(",
                    "^\\s*def ",
                    "[0-9]\\+",
                    "[[:space:]]x",
                    "\\bfoo\\b",
                    "class \\w+",
                    "^$",
                    ".",
                    "x\\{2\\}",
                    "(foo|bar)",
                    "\\.py",
                    "[^a-z]",
                    "\\$",
                    "a{1,2}",
                    "^    return",
                    "\\[1\\]",
                    "import.*x$",
                    "[A-Z][a-z]+",
                    "\\d+",
                    "é",
                    "(",
                ])
                .to_string(),
        };
        match pattern.contains('\'') {
            true => format!("\"{}\"", pattern.replace(['"', '`', '$', '\\'], "")),
            false if self.random.once_in(2) && !pattern.contains(['"', '`', '$', '\\']) => {
                format!("\"{pattern}\"")
            }
            false => format!("'{pattern}'"),
        }
    }

    pub(super) fn glob(&mut self) -> String {
        let glob = self.random.one(&[
            "*.py",
            "*.py",
            "*.md",
            "test_*",
            "*",
            "main.py",
            "*model*",
            "[a-m]*",
            "*.{py,md}",
            "?.c",
            "*é*",
            ".*",
            "*.txt",
            "a b*",
            "x*",
        ]);
        match self.random.below(3) {
            0 => format!("\"{glob}\""),
            _ => format!("'{glob}'"),
        }
    }

    /// A script of sed.
    pub(super) fn script(&mut self) -> String {
        let from = self.random.below(30);
        let to = from + self.random.below(40);
        let word = self.random.one(&[
            "def", "class", "x", "foo", "import", "return", "é", "^$", "self", "a.b",
        ]);
        match self.random.below(16) {
            0..=8 => format!("'{from},{to}p'"),
            9 => format!("{from}p"),
            10 => format!("'/{word}/p'"),
            11 => format!(
                "'/{word}/,/{}/p'",
                self.random.one(&["return", "^$", "class", "}"])
            ),
            12 => format!("'{from},$p'"),
            13 => format!(
                "'s/{word}/{}/{}'",
                self.random.one(&["X", "<&>", "", "\\n"]),
                self.random.one(&["", "g", "p", "2"])
            ),
            14 => format!("'{from}q'"),
            _ => format!("-e '{from}p' -e '{to}p'"),
        }
    }

    /// A program of awk.
    pub(super) fn program(&mut self) -> String {
        let from = 1 + self.random.below(20);
        let to = from + self.random.below(20);
        let word = self.random.one(&[
            "def",
            "class",
            "x",
            "foo",
            "^import",
            "return$",
            "[[:space:]]self",
            "a.b",
            "é",
            "(foo|bar)",
            "[0-9]+",
            "^$",
            "\\.",
            "{}",
            "#",
            "^[^a-z]",
            "o+",
            "\\(",
            "x?y",
            "\\\"quoted\\\"",
        ]);
        let shown = self.random.one(&[
            "print",
            "print NR\": \"$0",
            "print $1",
            "print $NF",
            "print $1, $2",
            "print NR, $0; exit",
            "print NF",
            "print length($0)",
            "printf \"%d: %s\\n\", NR, $0",
            "printf \"%5d|%-8s|\\n\", NR, $1",
            "c++",
            "print NR \":\" $2",
            "s += $1",
            "print substr($0, 1, 5)",
            "if (NF > 2) print $3; else print \"-\"",
            "print toupper($1)",
            "n = $1; print n+1",
            "print FNR",
            "if (!f) {print; f=1}",
            "for (i=1; i<=NF; i++) if (i%2) print $i",
            "print ($1 > 5)",
            "print $1 == $2",
            "print index($0, \"o\")",
            "OFS=\"-\"; print $1, $2",
        ]);
        let body = match self.random.below(14) {
            0 => format!("NR=={from}"),
            1 => format!("NR>={from} && NR<={to}"),
            2 => format!("NR>={from} && NR<={to} {{{shown}}}"),
            3 => format!("/{word}/"),
            4 => format!("/{word}/ {{{shown}}}"),
            5 => format!(
                "/{word}/,/{}/",
                self.random.one(&["return", "^$", "class", "[0-9]"])
            ),
            6 => format!("/{word}/,/^$/ {{{shown}}}"),
            7 => format!("{{{shown}}}"),
            8 => format!("NR=={from},NR=={to} {{{shown}}}"),
            9 => format!(
                "/{word}/ {{c++; if (c=={}) print NR}}",
                self.random.below(4)
            ),
            10 => format!(
                "{{{shown}}} END {{print {}}}",
                self.random
                    .one(&["NR", "c", "s+0", "NR, c", "$0", "c \" lines\""])
            ),
            11 => format!(
                "$1 {} {} {{{shown}}}",
                self.random.one(&["==", "~", ">", "!=", "<="]),
                self.random.one(&["5", "\"x\"", "$2", "42"])
            ),
            12 => self
                .random
                .one(&[
                    "!seen[$0]++",
                    "{a[$1]++} END {print a[\"def\"]}",
                    "length > 20",
                    "NF",
                    "!NF",
                    "END {print NR}",
                    "NR%2",
                    "BEGIN {FS=\",\"} {print $2}",
                    "!/x/ && NR > 2",
                    "BEGIN {print \"a\"}",
                    "NR > n",
                ])
                .to_string(),
            _ => format!("NR > {from} && /{word}/ {{{shown}}}"),
        };
        match body.contains('\'') {
            true => "1".to_string(),
            false => format!("'{body}'"),
        }
    }
}
