//! Commands as agents write them, from a seed, for trees that are odder than theirs.

#![allow(dead_code)] // each user takes its part

#[path = "../../../tools/tests/generate/random.rs"]
mod random;
mod tree;
mod words;

pub use random::Generator;
pub use tree::Tree;

/// Writes commands for a tree.
pub struct Agent<'t> {
    random: &'t mut Generator,
    tree: &'t Tree,
}

impl<'t> Agent<'t> {
    /// One that knows this tree.
    pub fn new(random: &'t mut Generator, tree: &'t Tree) -> Agent<'t> {
        Agent { random, tree }
    }

    /// The next command.
    pub fn command(&mut self) -> String {
        let first = self.step();
        // Its files come in any order, and what is said before may end within a line.
        let alone = |step: &str| step.starts_with("rg ") && !step.contains("--sort");
        if alone(&first) {
            return first;
        }
        let mut next = self.step();
        while alone(&next) {
            next = self.step();
        }
        let line = match self.random.below(16) {
            0 => format!("{first} && {next}"),
            1 => format!("{first}; {next}"),
            2 => format!(
                "{first} || echo {}",
                self.random.one(&["none", "'not found'", "\"no $?\""])
            ),
            3 => format!("echo \"=== {} ===\"; {first}", self.random.below(9)),
            4 => format!("{first}\n{next}"),
            5 => self.looped(),
            _ => first,
        };
        match self.random.below(5) {
            0 => format!("cd {} && {line}", self.folder()),
            1 if self.random.once_in(2) => format!("cd @ROOT && {line}"),
            _ => line,
        }
    }

    /// One pipeline.
    fn step(&mut self) -> String {
        let mut walks = false;
        let source = match self.random.below(40) {
            0..=8 => self.sed(),
            9..=18 => self.grep(),
            19..=20 => format!(
                "cat {}{}",
                self.random.one(&["", "", "-n ", "-A "]),
                self.files(2)
            ),
            21 => format!("head {} {}", self.count(), self.files(2)),
            22 => format!("tail {} {}", self.count(), self.files(1)),
            23..=26 => {
                walks = true;
                self.find()
            }
            27..=29 => self.grep_tree(),
            30..=32 => return self.rg(),
            33..=34 => self.ls(),
            35 => format!(
                "wc {} {}",
                self.random.one(&["-l", "", "-c", "-lw"]),
                self.files(3)
            ),
            36..=37 => self.awk(),
            38 => self.other(),
            _ => format!("cat {} | {}", self.file(), self.filter()),
        };
        let silent = if self.random.once_in(if walks { 2 } else { 9 }) {
            " 2>/dev/null"
        } else {
            ""
        };
        let mut line = format!("{source}{silent}");
        while self.random.once_in(3) && line.len() < 300 {
            line = format!("{line} | {}", self.filter());
        }
        if self.random.once_in(25) {
            line.push_str(" 2>&1");
        }
        line
    }

    /// What reads a pipe.
    fn filter(&mut self) -> String {
        match self.random.below(14) {
            0..=3 => format!("head {}", self.count()),
            4 => format!("tail {}", self.count()),
            5 => self
                .random
                .one(&[
                    "sort",
                    "sort -u",
                    "sort -n",
                    "sort | uniq -c",
                    "sort -r",
                    "uniq",
                    "sort -k2",
                ])
                .to_string(),
            6 => format!("wc {}", self.random.one(&["-l", "-c", "-w", ""])),
            7..=8 => format!(
                "grep {}{}",
                self.random
                    .one(&["", "-v ", "-i ", "-n ", "-c ", "-E ", "-A 2 ", "-o "]),
                self.pattern()
            ),
            9 => format!("sed {}", self.script()),
            10 => format!("awk {}", self.program()),
            11 => self
                .random
                .one(&[
                    "cut -d: -f1",
                    "cut -d' ' -f2-",
                    "tr -d '\\r'",
                    "cat -A",
                    "cat -n",
                    "tr a-z A-Z",
                    "nl",
                    "tac",
                    "xargs",
                    "xargs -n1 basename",
                ])
                .to_string(),
            12 => format!("cut -c1-{}", self.random.below(120)),
            _ => format!("sed -n {}", self.script()),
        }
    }

    fn sed(&mut self) -> String {
        format!("sed -n {} {}", self.script(), self.file())
    }

    fn grep(&mut self) -> String {
        let mut words = vec![self.options()];
        let file = self.files(2);
        match self.random.below(3) {
            0 => words.extend([self.pattern(), file, self.options()]),
            1 => words.extend([self.pattern(), file]),
            _ => words.extend([self.options(), self.pattern(), file]),
        }
        let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
        format!(
            "{} {}",
            self.random
                .one(&["grep", "grep", "grep", "grep", "egrep", "/usr/bin/grep"]),
            words.join(" ")
        )
    }

    fn grep_tree(&mut self) -> String {
        let options = self.random.one(&[
            "-r", "-rn", "-rl", "-rni", "-R", "-rc", "-rln", "-rE", "-rnw", "-rh", "-rL", "-rIn",
            "-rno",
        ]);
        let filter = match self.random.below(4) {
            0 => format!(" --include={}", self.glob()),
            1 => format!(
                " --exclude-dir={}",
                self.random
                    .one(&[".git", "build", "node_modules", "'*.d'", "src"])
            ),
            _ => String::new(),
        };
        let place = if self.random.once_in(6) {
            String::new()
        } else {
            self.folder()
        };
        match self.random.once_in(2) {
            true => format!("grep {options} {} {place}{filter}", self.pattern()),
            false => format!("grep {options}{filter} {} {place}", self.pattern()),
        }
    }

    /// `rg`, whose threads print as they come: into no pipe but sorted.
    fn rg(&mut self) -> String {
        let options = self.random.one(&[
            "",
            "-n",
            "-l",
            "-i",
            "-c",
            "-w",
            "-F",
            "-A 2",
            "-C1",
            "--files",
            "-uu",
            "--hidden",
            "-L",
            "-g '*.py'",
            "-t py",
            "-U",
            "-o",
            "--no-ignore",
            "-S",
            "-v",
            "-g '!*.md'",
            "-T md",
            "--no-heading",
            "-N",
            "-m 2",
            "-e x -e",
            "--files-with-matches",
            "--count-matches",
            "-P",
            "--max-depth 2",
            "-x",
            "-z",
            "--glob '!tests'",
            "-uuu",
            "--stats",
            "--vimgrep",
            "--column",
        ]);
        let pattern = if options == "--files" {
            String::new()
        } else {
            self.pattern()
        };
        let place = match self.random.below(3) {
            0 => String::new(),
            1 => self.folder(),
            _ => self.file(),
        };
        let line = format!("rg {options} {pattern} {place}");
        match self.random.below(4) {
            0 => format!("{line} --sort path | {}", self.filter()),
            1 => format!("{line} --sort path"),
            2 => format!("{line} 2>/dev/null"),
            _ => line,
        }
    }

    fn find(&mut self) -> String {
        let mut words = vec!["find".to_string()];
        if !self.random.once_in(12) {
            words.push(self.folder());
        }
        for _ in 0..self.random.below(4) {
            let test = match self.random.below(14) {
                0..=3 => format!("-name {}", self.glob()),
                4 => format!("-iname {}", self.glob()),
                5 | 6 => format!("-type {}", self.random.one(&["f", "f", "d", "l"])),
                7 => format!("-maxdepth {}", self.random.below(4)),
                8 => format!(
                    "-path {}",
                    self.random
                        .one(&["'*/src/*'", "./src", "'*test*'", "\"*/.git/*\""])
                ),
                9 => format!(
                    "-not -path {}",
                    self.random.one(&["'*/.*'", "'*/build/*'", "'./.git/*'"])
                ),
                10 => format!("-o -name {}", self.glob()),
                11 => self
                    .random
                    .one(&[
                        "-empty",
                        "-size +1k",
                        "-size -2",
                        "-executable",
                        "-mindepth 1",
                        "-perm -u+x",
                        "-links 1",
                    ])
                    .to_string(),
                12 => format!(
                    "-path {} -prune -o",
                    self.random.one(&["./src", "'*/build'", "./.git"])
                ),
                _ => format!("! -name {}", self.glob()),
            };
            words.push(test);
        }
        // How many children `find` says were killed by `head` is a race.
        let action = match self.random.below(12) {
            0 => format!("-exec grep -l {} {{}} \\; 2>/dev/null", self.pattern()),
            1 => format!("-exec grep -n {} {{}} +", self.pattern()),
            2 => "-exec wc -l {} +".to_string(),
            3 => "-print".to_string(),
            4 => "-print0 | xargs -0 ls -d".to_string(),
            5 => format!(
                "| xargs grep {}{}",
                self.random.one(&["", "-l ", "-n ", "-c "]),
                self.pattern()
            ),
            6 => format!(
                "-printf {}",
                self.random.one(&[
                    "'%p\\n'",
                    "'%f %s\\n'",
                    "'%P\\n'",
                    "'%h/%f %y\\n'",
                    "'%d %m\\n'"
                ])
            ),
            7 => "-exec basename {} \\; 2>/dev/null".to_string(),
            _ => String::new(),
        };
        if !action.is_empty() {
            words.push(action);
        }
        words.join(" ")
    }

    fn ls(&mut self) -> String {
        let options = self.random.one(&[
            "", "-la", "-l", "-a", "-R", "-1", "-lh", "-d", "-F", "-lS", "-t", "-A", "-p", "-laR",
            "-1A",
        ]);
        let place = match self.random.below(5) {
            0 => String::new(),
            1 => self.file(),
            2 => self
                .random
                .one(&[
                    "*",
                    "*.py",
                    "*/",
                    "src/*",
                    "*/*.md",
                    "nope*",
                    "[a-m]*",
                    "{src,docs}",
                    ".*",
                ])
                .to_string(),
            _ => self.folder(),
        };
        format!("ls {options} {place}")
    }

    fn awk(&mut self) -> String {
        let separator = match self.random.below(4) {
            0 => self.random.one(&[
                "-F: ",
                "-F, ",
                "-F'\\t' ",
                "-F '|' ",
                "-F'[,:]' ",
                "-F. ",
                "-F' = ' ",
                "-v n=3 ",
            ]),
            _ => "",
        };
        format!("awk {separator}{} {}", self.program(), self.files(2))
    }

    fn other(&mut self) -> String {
        match self.random.below(8) {
            0 => format!(
                "diff {}{} {}",
                self.random.one(&["", "-u ", "-q "]),
                self.file(),
                self.file()
            ),
            1 => format!("basename {}", self.file()),
            2 => format!("dirname {}", self.file()),
            3 => "pwd".to_string(),
            4 => format!("tree {}", self.folder()),
            5 => format!("test -f {} && echo yes", self.file()),
            6 => format!("nl -ba {}", self.file()),
            _ => format!(
                "sort {}{}",
                self.random.one(&["", "-u ", "-n ", "-t, -k2 "]),
                self.file()
            ),
        }
    }

    fn looped(&mut self) -> String {
        let list = match self.random.below(3) {
            0 => self
                .random
                .one(&[
                    "*.py",
                    "src/*",
                    "*/*.md",
                    "$(ls)",
                    "a b c",
                    "$(find . -name '*.py' | sort)",
                ])
                .to_string(),
            _ => self.files(3),
        };
        let body = self.random.one(&[
            "echo \"=== $f ===\"; head -n 2 \"$f\"",
            "wc -l $f",
            "grep -c def \"$f\"",
            "echo $f",
            "[ -f \"$f\" ] && cat \"$f\"",
            "basename \"$f\" .py",
            "grep -n x \"$f\" || echo \"none in $f\"",
            "sed -n '1,2p' $f",
            "echo \"${f##*/}\"",
            "echo ${f%.*}",
        ]);
        format!("for f in {list}; do {body}; done")
    }
}
