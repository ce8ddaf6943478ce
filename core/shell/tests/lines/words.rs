//! The words of a line: quotes, expansions, braces, patterns, arithmetic.

use super::Lines;

impl Lines {
    /// Words of a command.
    pub fn words(&mut self, most: usize) -> String {
        let count = self.random.below(most + 1);
        let words: Vec<String> = (0..count).map(|_| self.word()).collect();
        words.join(" ")
    }

    /// One word, of several pieces.
    pub fn word(&mut self) -> String {
        let pieces = 1 + self.random.below(3);
        (0..pieces).map(|_| self.piece()).collect()
    }

    /// A word within `[[ ]]`.
    pub fn conditional_word(&mut self) -> String {
        match self.random.below(3) {
            0 => self
                .random
                .one(&[
                    "$p", "\"$p\"", "a*", "'a*'", "[a-c]", "x", "list", "src", "@(a|b)", "3", "$y",
                    "$n", "x+1", "\"\"", "a\\*", "?(x)", "-n", "!", "07", "$e",
                ])
                .into(),
            _ => self.word(),
        }
    }

    fn piece(&mut self) -> String {
        match self.random.below(20) {
            0..=4 => self
                .random
                .one(&[
                    "a", "b", "x", "list", "src", "3", "-n", "a=b", "g", "-", "--", "é", ".", "..",
                    "/", "07", "if", "do", "x,y",
                ])
                .into(),
            5 => format!(
                "'{}'",
                self.random.some(
                    &["a", " ", "b  c", "*", "$x", "\"", "\\", "\n", "{1,2}", "#"],
                    0,
                    2
                )
            ),
            6 | 7 => format!("\"{}\"", self.quoted()),
            8..=10 => self.parameter(false),
            11 => self
                .random
                .one(&[
                    "\\ ", "\\*", "\\$", "\\\\", "\\'", "\\\"", "\\a", "\\\n", "\\{", "\\~", "\\#",
                    "\\;", "\\&",
                ])
                .into(),
            12 => self
                .random
                .one(&[
                    "*",
                    "?",
                    "[a-c]*",
                    "l*",
                    "src/*",
                    "*.MD",
                    "[",
                    "]",
                    "[!a]*",
                    "**",
                    "nope*",
                    "@(a|b)",
                    ".*",
                    "[[:alpha:]]*",
                    "void/*",
                    "e?p*",
                ])
                .into(),
            13 => self.braces(),
            14 => self
                .random
                .one(&[
                    "~", "~/x", "~root", "~+", "~-", "a~", "$'t\\n'", "$'\\x41'", "$'\\''",
                    "$\"t\"", "$'a'", "#", "#a", "!", "!a", "%", "^", ":", ",", "+", "@", "=", "{",
                    "}", "{}", "{a}", "$", "a#b", "a~b", "=~", ":~", "a=~", "x=~/y", "x=a:~", "'",
                    "\"\"", "''", "$'\\101'", "$'\\q'", "$'a\\\\'",
                ])
                .into(),
            15 => self.substitution(),
            16 => format!("$(({}))", self.arithmetic()),
            _ => self
                .random
                .one(&[
                    "a", "c", "$x", "\"$x\"", "$s", "\"$s\"", "$y", "$?", "$e", "\"$e\"", "$$",
                ])
                .into(),
        }
    }

    /// What stands in double quotes, or in a here-document.
    pub fn quoted(&mut self) -> String {
        let pieces = self.random.below(3);
        (0..pieces)
            .map(|_| match self.random.below(8) {
                0 => self.parameter(true),
                1 => self.substitution(),
                2 => format!("$(({}))", self.arithmetic()),
                3 => self
                    .random
                    .one(&[
                        "\\$", "\\\"", "\\\\", "\\`", "\\a", "\\\n", "'", "*", "~", "{1,2}", "$",
                        "!", "#", "\\n", "`echo u`", "$'a'", "  ",
                    ])
                    .into(),
                _ => self
                    .random
                    .one(&["a", " b", "c  d", "$x", "${x}", "é"])
                    .into(),
            })
            .collect()
    }

    fn substitution(&mut self) -> String {
        match self.random.below(8) {
            0 => self
                .random
                .one(&[
                    "`echo u`",
                    "`echo a  b`",
                    "`echo \\$x`",
                    "`pwd | wc -l`",
                    "`echo \"q\"`",
                    "`echo \\\\a`",
                    "``",
                    "`exit 3`",
                    "`cat`",
                ])
                .into(),
            1 => self
                .random
                .one(&[
                    "$(<list)",
                    "$(< nope)",
                    "$(cat)",
                    "$( )",
                    "$(echo a # c\n)",
                    "$(case a in a) echo b;; esac)",
                    "$( (echo s) )",
                    "$((echo s) )",
                    "$(exit 3)",
                    "$(echo \\))",
                    "$(echo ')')",
                    "$(cat <<E\nh\nE\n)",
                    "$(echo \")\")",
                    "$(printf 'a\\n\\n')",
                    "$(! exit 3; echo $?)",
                    "<(echo a)",
                    "$(cd src; pwd)",
                    "$(x=9; echo $x)",
                ])
                .into(),
            _ => {
                let list = self.nested("echo s  t", |lines| lines.enclosed());
                match self.random.once_in(6) {
                    true => format!("$( {list} )"),
                    false => format!("$({list})"),
                }
            }
        }
    }

    fn parameter(&mut self, quoted: bool) -> String {
        let name = self.random.one(&[
            "x",
            "y",
            "s",
            "e",
            "p",
            "n",
            "unset_one",
            "x",
            "HOME",
            "PWD",
            "OLDPWD",
            "1",
            "#",
            "?",
            "@",
            "*",
            "-",
            "0",
            "x[0]",
            "x[@]",
            "!x",
            "$",
            "!",
            "_",
            "10",
            "IFS",
        ]);
        if self.random.once_in(3) {
            return format!("${{{name}}}");
        }
        let operator = self.random.one(&[
            ":-", "-", ":=", "=", ":+", "+", "#", "##", "%", "%%", "/", "//", "/#", "/%", "^",
            "^^", ",", ",,", ":", ":?", "?", "@", " ", "~", ": ", ";",
        ]);
        let operand = match self.random.below(8) {
            0 => self
                .random
                .one(&[
                    "a", "*", "?", "b*", "[a-c]", "*a", "1", "1:2", "-1", " -1", "0:-1", "a/b",
                    " /x", "*/", "x/&", "Q", "U", "$y", "y", "y+1", "9", "(1)", ":1",
                ])
                .into(),
            1 | 2 => self.nested("a", |lines| lines.word()),
            3 => self.quoted(),
            4 => self
                .random
                .one(&[
                    "'a b'",
                    "\"a  b\"",
                    "a b  c",
                    "}",
                    "\\}",
                    "{a,b}",
                    "<(echo a)",
                    "$(echo 'a b')",
                    "~",
                    "*",
                    "a\\ b",
                    "\"$x\"",
                    "'",
                    "$x$y",
                    "${y}",
                    "${e:-f}",
                    "#",
                    "'}'",
                    "  ",
                    " a  b ",
                    "a\tb",
                    "; a",
                    "(a) b",
                    "a #b",
                    "a \\\n b",
                ])
                .into(),
            _ => self.random.one(&["", "a", "u v", "v", "d"]).into(),
        };
        if self.random.once_in(10) {
            return format!("${{#{name}}}");
        }
        let _ = quoted;
        format!("${{{name}{operator}{operand}}}")
    }

    fn braces(&mut self) -> String {
        if self.random.once_in(3) {
            return self
                .random
                .one(&[
                    "{1..3}",
                    "{01..3}",
                    "{3..1}",
                    "{a..c}",
                    "{c..a..2}",
                    "{1..10..3}",
                    "{1..2..0}",
                    "{A..c}",
                    "{1..a}",
                    "{-1..1}",
                    "{..}",
                    "{1..}",
                    "{,}",
                    "{a,}",
                    "{,a}b",
                    "{a,b",
                    "a,b}",
                    "{{a,b},c}",
                    "{a,{b,c}d}",
                    "{{1..2},{3..4}}",
                    "{{a,b}}",
                    "{a,b}{c,d}",
                    "{a},b}",
                    "{a,{b}",
                    "{a}{b,c}",
                    "${x},{a,b}",
                    "{$x,b}",
                    "{\"a b\",c}",
                    "{a\\,b,c}",
                    "{a,'b,c'}",
                    "$(echo {a,b})",
                    "{a,$(echo b)}",
                    "{1..3}{a,b}",
                    "{*,x}",
                    "{l*,src}",
                    "{{,a},b}",
                    "{~,a}",
                    "{a..b}{",
                    "}{a,b}",
                    "{a,b}}",
                    "{{a,b}",
                    "{a b,c}",
                    "{x,y}=1",
                    "x={a,b}",
                    "{$(echo a,b)}",
                    "{`echo a`,b}",
                    "{a,b,}",
                    "{,,}",
                    "{1..3..-1}",
                    "{+1..3}",
                    "{z..x}",
                    "{a,b}$x",
                    "\"{a,b}\"",
                    "{'a',b}",
                    "{a,\"$x\"}",
                    "${x:-{a,b}}",
                ])
                .into();
        }
        let count = 1 + self.random.below(3);
        let members: Vec<String> = (0..count)
            .map(|_| match self.random.below(4) {
                0 => self.nested("a", |lines| lines.braces()),
                1 => self.nested("b", |lines| lines.word()),
                _ => self
                    .random
                    .one(&["a", "b", "", "1", "1..3", "x y", "{", "}", "\\,"])
                    .into(),
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }

    /// An arithmetic expression.
    pub fn arithmetic(&mut self) -> String {
        match self.random.below(12) {
            0..=3 => self
                .random
                .one(&[
                    "1",
                    "0",
                    "3",
                    "y",
                    "x",
                    "n",
                    "unset_one",
                    "$y",
                    "07",
                    "08",
                    "0x1f",
                    "2#101",
                    "y++",
                    "++y",
                    "y--",
                    "--y",
                    "-y",
                    "!y",
                    "~1",
                    "9223372036854775807",
                    "${y}",
                    "$(echo 2)",
                    "a[0]",
                    "x=4",
                    "y+=2",
                    "(2)",
                    "1.5",
                    "$#",
                    "$?",
                    "e",
                    "36#z",
                    "1 2",
                    "",
                    "- 1",
                    "+1",
                    "y ++",
                    "\"3\"",
                    "'3'",
                    "9223372036854775808",
                    "$x",
                    "y=y+1",
                ])
                .into(),
            4 | 5 => {
                let operator = self.random.one(&[
                    "+", "-", "*", "/", "%", "**", "<<", ">>", "<", ">", "<=", ">=", "==", "!=",
                    "&", "|", "^", "&&", "||", ",", "=", "+=", "-=",
                ]);
                format!(
                    "{}{operator}{}",
                    self.nested("1", |lines| lines.arithmetic()),
                    self.nested("2", |lines| lines.arithmetic())
                )
            }
            6 => format!("({})", self.nested("y", |lines| lines.arithmetic())),
            7 => format!(
                "{} ? {} : {}",
                self.nested("y", |lines| lines.arithmetic()),
                self.nested("1", |lines| lines.arithmetic()),
                self.nested("2", |lines| lines.arithmetic())
            ),
            8 => self
                .random
                .one(&[
                    "0 && y++",
                    "1 || y++",
                    "0 && (y=5)",
                    "1 || (y=5)",
                    "1 && (y=5)",
                    "y=5, y+1",
                    "y ? y++ : y--",
                    "1 ? y : (y=2)",
                    "!y++",
                    "-y--",
                    "y+++y",
                    "y---y",
                    "2**-1",
                    "1/0",
                    "0 && 1/0",
                    "1 || 1/0",
                    "5%0",
                    "1<<64",
                    "1<<-1",
                    "2**63",
                    "-5/2",
                    "-5%3",
                    "y=",
                    "=1",
                    "1+",
                    "*2",
                    "1=2",
                    "y+=1+1",
                    "y=x=2",
                    "1?2",
                    "1?2:",
                    "1:2",
                    "(1",
                    "1)",
                    "y,",
                    ",y",
                    "0?y=1:2",
                    "1?2:y=3",
                    "y++ + ++y",
                    "- -1",
                    "--1",
                    "++1",
                    "!0",
                    "!!3",
                    "~ ~1",
                    "1 == 1 == 1",
                    "3 > 2 > 1",
                    "1 - - 1",
                    "1--1",
                    "2 ** 3 ** 2",
                    "-2 ** 2",
                    "1 , 2",
                    "y <<= 2",
                    "y ^= 3",
                    "y **= 2",
                    "y %= 2",
                    "y /= 0",
                    "(y)=3",
                    "y = (z = 2) + z",
                    "0 || (y = 0)",
                    "1 ? (y = 7) : (y = 8)",
                    "0 ? (y = 7) : (y = 8)",
                ])
                .into(),
            _ => {
                let operator = self
                    .random
                    .one(&[" + ", " - ", " * ", " && ", " || ", " < ", " == ", ","]);
                format!(
                    "{}{operator}{}",
                    self.random.one(&["1", "y", "0", "x"]),
                    self.random
                        .one(&["2", "y", "0", "y++", "(y=2)", "unset_one"])
                )
            }
        }
    }
}
