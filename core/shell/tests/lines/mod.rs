//! Lines of shell from a seed: a grammar in which everything nests in everything, and now and then a token goes astray.

#![allow(dead_code)] // each user takes its part

#[path = "../../../tools/tests/generate/random.rs"]
mod random;
mod words;

pub use random::Generator;

/// A line under way.
pub struct Lines {
    random: Generator,
    /// Bodies of here-documents that the next newline has to bring.
    bodies: Vec<String>,
    /// How much deeper it may go.
    depth: usize,
}

impl Lines {
    /// From this seed.
    pub fn new(seed: u64) -> Lines {
        Lines {
            random: Generator::new(seed),
            bodies: Vec::new(),
            depth: 0,
        }
    }

    /// The next line.
    pub fn line(&mut self) -> String {
        self.depth = 1 + self.random.below(4);
        let before = match self.random.below(4) {
            0 => "x=g; p='@(x|y)'; s='a b  c'; ",
            1 => "x='v  *' y=3; ",
            2 => "e=; n=07; ",
            _ => "",
        };
        let list = self.list();
        let list = self.flush(list);
        let mut line = format!("{before}{list}");
        // What is never reached is refused for its grammar alone: so most of it is answered, and bash complains of the rest.
        let reached = !self.random.once_in(6);
        if self.random.once_in(if reached { 12 } else { 2 }) {
            line = self.astray(&line);
        }
        match reached {
            true => line,
            false => format!("if false; then\n{line}\nfi; echo on"),
        }
    }

    /// A choice that nests, or, too deep, its stand-in.
    fn nested(&mut self, stand_in: &str, make: impl FnOnce(&mut Self) -> String) -> String {
        if self.depth == 0 {
            return stand_in.to_string();
        }
        self.depth -= 1;
        let made = make(self);
        self.depth += 1;
        made
    }

    /// What stands in parentheses: its here-documents end within.
    fn enclosed(&mut self) -> String {
        let outer = std::mem::take(&mut self.bodies);
        let list = self.list();
        let list = self.flush(list);
        self.bodies = outer;
        list
    }

    /// `text` with the bodies that it owes.
    fn flush(&mut self, mut text: String) -> String {
        if self.bodies.is_empty() {
            return text;
        }
        text.push('\n');
        for body in std::mem::take(&mut self.bodies) {
            text.push_str(&body);
        }
        text
    }

    fn list(&mut self) -> String {
        let mut list = self.and_or();
        while self.random.once_in(3) && list.len() < 600 {
            let separator = self
                .random
                .one(&["; ", "; ", "\n", " && ", " || ", ";\n", " ;"]);
            if separator.contains('\n') {
                list = match self.bodies.is_empty() {
                    true => format!("{list}{separator}"),
                    false => self.flush(list),
                };
            } else {
                list.push_str(separator);
            }
            let next = self.and_or();
            list.push_str(&next);
        }
        list
    }

    fn and_or(&mut self) -> String {
        let bang = match self.random.below(20) {
            0..=1 => "! ",
            2 => "! ! ",
            _ => "",
        };
        let mut pipeline = format!("{bang}{}", self.command());
        while self.random.once_in(6) {
            let bar = self.random.one(&[" | ", " | ", " |& ", "|", " |\n "]);
            let bar = if self.bodies.is_empty() { bar } else { " | " };
            pipeline = format!("{pipeline}{bar}{}", self.command());
        }
        pipeline
    }

    fn command(&mut self) -> String {
        if self.random.below(10) < 6 {
            return self.simple();
        }
        let compound = self.nested("true", |lines| lines.compound());
        let redirect = match self.random.once_in(5) {
            true => self.redirect(),
            false => String::new(),
        };
        format!("{compound}{redirect}")
    }

    fn compound(&mut self) -> String {
        match self.random.below(18) {
            0 => format!("{{ {}\n}}", self.owed()),
            1 => format!("{{ {}; }}", self.unowed()),
            2..=4 => format!("( {} )", self.enclosed()),
            5 => format!("({})", self.enclosed()),
            6 => format!(
                "if {}; then {}; else {}; fi",
                self.unowed(),
                self.unowed(),
                self.unowed()
            ),
            7 => format!(
                "if {}\nthen {}\nelif {}; then {}\nfi",
                self.owed(),
                self.owed(),
                self.unowed(),
                self.owed()
            ),
            8 => format!("for i in {}; do {}; done", self.words(3), self.unowed()),
            9 => format!("for f in {}\ndo {}\ndone", self.words(3), self.owed()),
            10 => format!(
                "while read {}; do {}; done",
                self.random.one(&["l", "-r l", "a b", "-r a b c"]),
                self.unowed()
            ),
            11 => format!(
                "until {}; do {}; break; done",
                self.random
                    .one(&["true", "[ -z '' ]", "[[ a == a ]]", "! :"]),
                self.unowed()
            ),
            12 => format!(
                "k=0; while [ $k -lt 2 ]; do k=$((k+1)); {}; done",
                self.unowed()
            ),
            13 | 14 => self.case(),
            15 => format!("[[ {} ]]", self.conditional()),
            16 => format!("(( {} ))", self.arithmetic()),
            _ => {
                let body = self.unowed();
                let form = self.random.one(&[
                    "f() { @; }; f",
                    "for ((j=0; j<2; j++)); do @; done",
                    "coproc { @; }",
                    "time { @; }",
                    "eval '@'",
                    "function g { @; }; g",
                    "select z in a; do @; done",
                    "{ @; } &",
                    "for x do @; done",
                    "((@))",
                    "f() ( @ ); f a",
                ]);
                form.replace('@', &body)
            }
        }
    }

    /// A list whose here-documents have ended.
    fn owed(&mut self) -> String {
        self.enclosed()
    }

    /// A list behind which the line may go on.
    fn unowed(&mut self) -> String {
        let list = self.enclosed();
        match list.ends_with('\n') {
            true => format!("{list}:"),
            false => list,
        }
    }

    fn case(&mut self) -> String {
        let word = self.word();
        let mut text = format!("case {word} in ");
        for _ in 0..=self.random.below(3) {
            let open = self.random.one(&["", "(", ""]);
            let pattern = match self.random.below(3) {
                0 => self.word(),
                _ => self
                    .random
                    .one(&[
                        "*", "a|b", "[a-c]*", "$p", "\"$p\"", "'*'", "@(x|y)", "g", "$x", "?",
                        "[!x]", "''", "a\\*", "x | y",
                    ])
                    .to_string(),
            };
            let list = self.unowed();
            let end = self.random.one(&[";;", ";;", ";;", ";&", ";;&", "\n;;"]);
            text.push_str(&format!("{open}{pattern}) {list} {end} "));
        }
        format!("{text}esac")
    }

    fn conditional(&mut self) -> String {
        match self.random.below(10) {
            0 => format!("! {}", self.nested("a", |lines| lines.conditional())),
            1 => format!("( {} )", self.nested("-n a", |lines| lines.conditional())),
            2 => format!(
                "{} && {}",
                self.nested("a", |lines| lines.conditional()),
                self.conditional_word()
            ),
            3 => format!(
                "{} || {}",
                self.conditional_word(),
                self.nested("-z a", |lines| lines.conditional())
            ),
            4 | 5 => {
                let test = self
                    .random
                    .one(&["-f", "-e", "-z", "-n", "-d", "-v", "-L", "-r", "-o", "-t"]);
                format!("{test} {}", self.conditional_word())
            }
            6 => self.conditional_word(),
            _ => {
                let test = self.random.one(&[
                    "==", "=", "!=", "<", ">", "-eq", "-lt", "-ge", "=~", "-nt", "-ef",
                ]);
                format!(
                    "{} {test} {}",
                    self.conditional_word(),
                    self.conditional_word()
                )
            }
        }
    }

    fn simple(&mut self) -> String {
        let mut text = String::new();
        if self.random.once_in(10) {
            text = format!("{} ", self.assignment());
        }
        if self.random.once_in(25) {
            text = format!("{}{} ", text, self.redirect().trim_start());
        }
        let command = match self.random.below(12) {
            0..=2 => format!("echo {}", self.words(3)),
            3 => {
                let echo = self.random.one(&[
                    "echo -n",
                    "echo -e",
                    "echo -E",
                    "echo -ne",
                    "echo --",
                    "echo -x",
                    "/bin/echo",
                    "command echo",
                ]);
                format!("{echo} {}", self.words(3))
            }
            4 | 5 => self.printf(),
            6 => self.assignment(),
            7 | 8 => self.builtin(),
            9 => {
                let word = self.word();
                let form = self.random.one(&[
                    "test -n @",
                    "[ @ ]",
                    "[ @ = x ]",
                    "[ -f @ ]",
                    "[ ! @ ]",
                    "[ @ -eq 3 ]",
                    "test @ -a x",
                    "[ ( @ ) ]",
                    "[ @ == a ]",
                    "[ -z @ -o @ ]",
                    "[ @ -lt @ ]",
                    "[ -d @ ] && echo y",
                    "[ @",
                    "test",
                    "[ -n @ -a -e @ ]",
                    "[ \\( @ \\) ]",
                    "[ x @ y ]",
                ]);
                form.replace('@', &word)
            }
            _ => self.tool(),
        };
        text.push_str(&command);
        while self.random.once_in(7) {
            text.push_str(&self.redirect());
        }
        text
    }

    fn assignment(&mut self) -> String {
        let name = self.random.one(&[
            "x", "y", "s", "p", "e", "z", "x", "IFS", "LC_ALL", "PWD", "x[1]", "1x", "x+", "_",
        ]);
        match self.random.once_in(4) {
            true => format!("{name}="),
            false => format!("{name}={}", self.word()),
        }
    }

    fn printf(&mut self) -> String {
        let format = match self.random.below(4) {
            0 => self.word(),
            _ => format!(
                "'{}'",
                self.random.some(
                    &[
                        "%s",
                        "%d",
                        "%5s|",
                        "%-4s|",
                        "%c",
                        "%b",
                        "%q",
                        "%%",
                        "%x",
                        "%05d",
                        "%.2s",
                        "%*d",
                        "\\n",
                        "a",
                        "\\t",
                        "\\x41",
                        "\\0101",
                        "\\101",
                        "\\c",
                        "\\q",
                        "\\",
                        "%+d",
                        "% d",
                        "%i",
                        "%u",
                        "%o",
                        "%X",
                        "%e",
                        "%(%Y)T",
                        "%z",
                        "%2147483648s",
                        "%s\\n",
                        "%.3d",
                        "%#x",
                        "%ld",
                        "%\\n",
                        "\\u00e9",
                        "%",
                        "%99999999999s",
                        "%-05d",
                        "%.s",
                        "%5.1s",
                        "%5c|",
                        "%-3%",
                        "\\e",
                        "\\'",
                        "\""
                    ],
                    1,
                    3
                )
            ),
        };
        let options = self
            .random
            .one(&["", "", "", "", "", "-- ", "-v x ", "-z ", "- ", "-"]);
        let printf = self.random.one(&[
            "printf",
            "printf",
            "printf",
            "/usr/bin/printf",
            "command printf",
            "builtin printf",
        ]);
        match self.random.once_in(15) {
            true => format!("{printf} {options}"),
            false => format!("{printf} {options}{format} {}", self.words(3)),
        }
    }

    fn builtin(&mut self) -> String {
        let word = self.word();
        self.random
            .one(&[
                "cd @",
                "cd src && pwd",
                "cd -P src",
                "cd -",
                "cd -L src",
                "cd -- src; pwd",
                "cd @ @",
                "cd ''",
                "cd",
                "command cd -P src; pwd",
                "pwd -P",
                "pwd -L",
                "pwd -x",
                "pwd @",
                "read x",
                "read -r a b; echo \"[$a][$b]\"",
                "read",
                "read -p q x",
                "read -n 2 x",
                "read -d , x",
                "read 1x",
                "exit",
                "exit 3",
                "exit @",
                "exit 256",
                "exit -1",
                "exit 3 4",
                "(exit 5)",
                "break",
                "continue",
                "break 2",
                "continue 2",
                "break @",
                "break 0",
                "export x",
                "export x=@",
                "export -n x",
                "export -p",
                "export 1x",
                "export",
                "export x=1 y; echo $x$y",
                "unset x",
                "unset -v x",
                "unset x y",
                "unset -f x",
                "unset @",
                "unset 1x",
                "x=t unset x; echo ${x-unset}",
                ": @",
                "true @",
                "false",
                "type cd",
                "command -v cd",
                "command : @",
                "command",
                "command -p echo a",
                "builtin cd src",
                "local x=1",
                "declare x=1; echo $x",
                "declare -i n=3+4; echo $n",
                "readonly r=1",
                "eval echo @",
                "eval",
                "set -- a b; echo $1 $#",
                "set -u; echo $unset_one",
                "set -f; echo *",
                "set -e; false; echo no",
                "shopt -s extglob",
                "shift",
                "let y=1+2",
                "let 0",
                "source @",
                ". @",
                "trap 'echo t' EXIT",
                "wait",
                "jobs",
                "umask",
                "hash -r",
                "getopts a x",
                "alias q=echo",
                "exec echo @",
                "exec",
                "mapfile -t m",
                "return",
                "return 3",
                "times >/dev/null",
                "ulimit -c 0",
                "dirs",
                "kill -0 $$",
                "help true >/dev/null",
                "test -v x",
                "echo $? $#",
                "echo $_",
                "echo $0",
                "echo \"$@\"",
                "echo \"$*\"",
                "echo $-",
                "echo ${#-} ${#?} ${##}",
                "echo $!",
                "IFS=, read -r a b",
                "IFS= read -r x",
                "IFS=: x=1",
                "x=t : ; echo $x",
                "x=t eval 'echo $x'",
                "x=t echo $x",
                "x=5 y=$x; echo $y",
                "x=1 x=2 env",
                "x=t export x; echo $x",
                "x=t cd src; echo $x",
                "x=t true; echo \"[$x]\"",
                "PATH= ls",
                "HOME=@ cd",
                "PWD=@ pwd",
                "x=(1 2); echo ${x[1]}",
                "x+=z; echo $x",
                "x=~; echo $x",
                "x=a:~; echo $x",
                "LC_ALL=C echo @",
                "echo a >&1",
                "true && exit 2",
                "false || exit 4",
                "! exit 3",
                "if exit 6; then :; fi",
            ])
            .replace('@', &word)
    }

    fn tool(&mut self) -> String {
        let word = self.word();
        self.random
            .one(&[
                "cat",
                "cat @",
                "cat - -",
                "cat list",
                "head -1",
                "head -n 1 list",
                "wc -l",
                "wc -c @",
                "sort",
                "grep a",
                "grep -c . list",
                "tr a-z A-Z",
                "seq 3",
                "seq @",
                "basename @",
                "dirname @",
                "ls @",
                "ls -d @",
                "cat list | head -1",
                "sed -n 1p",
                "cut -c1",
                "uniq",
                "tail -1",
                "nl",
                "tac list",
                "ls nope",
                "cat nope",
                "xargs echo",
                "find void",
                "command ls void",
                "nosuchtool",
                "./run.sh",
                "/bin/true",
                "rev list",
                "cat src",
                "cat < list",
            ])
            .replace('@', &word)
    }

    fn redirect(&mut self) -> String {
        match self.random.below(22) {
            0..=2 => " 2>/dev/null".into(),
            3 | 4 => " 2>&1".into(),
            5 | 6 => " >/dev/null".into(),
            7 => format!(" <<< {}", self.word()),
            8 | 9 => self.heredoc(),
            10 => " < list".into(),
            11 => format!(" < {}", self.word()),
            12 => " < /dev/null".into(),
            13 => " >&2".into(),
            14 => " < nope".into(),
            15 => self
                .random
                .one(&[
                    " 1>&2 2>&1",
                    " 2>&1 >/dev/null",
                    " >/dev/null 2>&1",
                    " &>/dev/null",
                    " >& /dev/null",
                    " 3>&1",
                    " 0<&3",
                    " <&0",
                    " <&-",
                    " >&-",
                    " 2>&-",
                    " >|/dev/null",
                    " <>list",
                    " 1<&2",
                    " 0<list",
                    " 2>/dev/stdout",
                    " >/dev/stderr",
                    " &>>/dev/null",
                    " 2<list",
                    " {v}>/dev/null",
                    " 10>/dev/null",
                    " 1>/dev/null",
                    " 2>>/dev/null",
                    " 0<<<a",
                    " >out",
                    " 2> /dev/null",
                ])
                .into(),
            16 => format!(" < <({})", self.nested("echo", |lines| lines.enclosed())),
            _ => String::new(),
        }
    }

    fn heredoc(&mut self) -> String {
        let (mark, end) = match self.random.below(6) {
            0 => ("'E'", "E"),
            1 => ("\\E", "E"),
            2 => ("\"E F\"", "E F"),
            3 => ("-E", "\tE"),
            _ => ("E", "E"),
        };
        let body: String = (0..self.random.below(3))
            .map(|_| {
                let line = match self.random.below(3) {
                    0 => self.word(),
                    1 => self.quoted(),
                    _ => self
                        .random
                        .one(&[
                            "a b",
                            "  x",
                            "\\$x",
                            "$x",
                            "$(echo s)",
                            "`echo t`",
                            "\\\\",
                            "a\\",
                            "'q'",
                            "\"d\"",
                            "$((1+2))",
                            "${x:-u v}",
                            "\tt",
                            "*",
                            "~",
                            "E ",
                            "\\a",
                        ])
                        .into(),
                };
                line + "\n"
            })
            .collect();
        self.bodies.push(format!("{body}{end}\n"));
        format!(
            " <<{}{mark}",
            self.random
                .one(&["", "", " "])
                .trim_start_matches(if mark.starts_with('-') { " " } else { "" })
        )
    }

    /// `line` with something deleted, doubled or put in.
    fn astray(&mut self, line: &str) -> String {
        let places: Vec<usize> = line
            .char_indices()
            .map(|(at, _)| at)
            .chain([line.len()])
            .collect();
        let (mut from, mut to) = (
            self.random.below(places.len()),
            self.random.below(places.len()),
        );
        if self.random.once_in(2) {
            to = (from + 1).min(places.len() - 1);
        }
        if from > to {
            std::mem::swap(&mut from, &mut to);
        }
        let (before, cut, after) = (
            &line[..places[from]],
            &line[places[from]..places[to]],
            &line[places[to]..],
        );
        match self.random.below(3) {
            0 => format!("{before}{after}"),
            1 => format!("{before}{cut}{cut}{after}"),
            _ => {
                let odd = self.random.one(&[
                    "'", "\"", "`", "\\", "$", "(", ")", "{", "}", ";", "&", "|", "<", ">", "#",
                    " #", "\n", " ", "!", "*", "~", "=", "[", "]", ";;", "&&", "$(", "${", "\\\n",
                    " do ", " fi ", "\t", "\r", "é", ",", "+", "-", "@", "%", "^", "/",
                ]);
                format!("{before}{odd}{cut}{after}")
            }
        }
    }
}
