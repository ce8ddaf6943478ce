//! Calls that nest and multiply whatever the shell, the tools and the agents' own tools know: a grammar, and a seed.

use serde_json::{json, Value};

/// A sequence of numbers that a seed gives.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }
}

/// No command line here is longer.
const LONGEST: usize = 100_000;

/// A tool, and its arguments.
pub fn call(r: &mut Random) -> (&'static str, Value) {
    match r.below(12) {
        0 => (
            "glob",
            json!({"pattern": nested(r, GLOBS, "a"), "path": path(r)}),
        ),
        1 => ("grep", native_grep(r)),
        2 => (
            r_tool(r),
            json!({"path": path(r), "offset": 1 + r.next() % 9, "limit": r.next(), "content": "x",
                   "old": many(r, "a"), "new": many(r, "aa"), "all": true}),
        ),
        _ => ("bash", json!({"command": line(r)})),
    }
}

fn r_tool(r: &mut Random) -> &'static str {
    ["read", "list", "edit", "write"][r.below(4)]
}

fn native_grep(r: &mut Random) -> Value {
    let pattern = nested(r, PATTERNS, "a");
    let mode = r.of(&["content", "files", "count"]);
    json!({"pattern": pattern, "glob": nested(r, GLOBS, "*"), "mode": mode, "path": path(r),
           "multiline": r.below(4) == 0, "limit": r.next() % 100, "context": r.next() % 5})
}

fn path(r: &mut Random) -> String {
    match r.below(6) {
        0 => many(r, "d/"),
        1 => many(r, "../"),
        2 => many(r, "./"),
        3 => "deep".into(),
        4 => format!("new/{}f", many(r, "n/")),
        _ => r.of(&[".", "a.txt", "lines", "one", "none"]).into(),
    }
}

/// A command line.
pub fn line(r: &mut Random) -> String {
    let mut line = match r.below(4) {
        0 => nested(r, COMMANDS, "echo a"),
        1 => doubled(r),
        _ => (0..1 + r.below(3))
            .map(|_| pipeline(r))
            .collect::<Vec<_>>()
            .join(r.of(&["; ", " && ", " || ", "\n"])),
    };
    if r.below(6) == 0 {
        line = nested(r, COMMANDS, &line);
    }
    line
}

fn pipeline(r: &mut Random) -> String {
    let parts = if r.below(20) == 0 {
        times(r)
    } else {
        1 + r.below(3)
    };
    let mut line = simple(r);
    for _ in 1..parts {
        let filter = filter(r);
        if line.len() + filter.len() > LONGEST {
            break;
        }
        line = format!("{line} | {filter}");
    }
    line
}

/// How often something is done: mostly a few times.
fn times(r: &mut Random) -> usize {
    let most = [2, 3, 8, 24, 25, 26, 60, 200, 500, 900, 4000, 20_000];
    let known = if r.below(2) == 0 { 4 } else { most.len() };
    most[r.below(known)]
}

fn many(r: &mut Random, text: &str) -> String {
    let times = times(r).min(LONGEST / text.len().max(1));
    text.repeat(times)
}

/// A number that some limit lies beside.
fn number(r: &mut Random) -> String {
    let numbers = [
        "0",
        "1",
        "2",
        "3",
        "10",
        "99",
        "255",
        "256",
        "1000",
        "10000",
        "10001",
        "65536",
        "1048577",
        "2147483647",
        "2147483648",
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "+5",
        "99999999999999999999999999",
    ];
    let known = if r.below(2) == 0 { 9 } else { numbers.len() };
    numbers[r.below(known)].into()
}

/// What stands before and behind what is nested.
type Around = &'static [(&'static str, &'static str)];

const COMMANDS: Around = &[
    ("if true; then ", "; fi"),
    ("if false; then :; else ", "; fi"),
    ("while true; do ", "; break; done"),
    ("until false; do ", "; break; done"),
    ("for i in a b; do ", "; done"),
    ("case a in a) ", " ;; esac"),
    ("( ", " )"),
    ("{ ", "; }"),
    ("echo $( ", " )"),
    ("echo \"$( ", " )\""),
    ("x=$( ", " ); echo \"$x\""),
    ("echo ` ", " `"),
    ("! ", ""),
    ("time ", ""),
    ("command ", ""),
    ("timeout 60 ", ""),
    ("xargs ", ""),
    ("find . -maxdepth 0 -exec ", " \\;"),
    ("true && ", ""),
    ("false || ", ""),
    ("cat <<E | cat\n$( ", " )\nE"),
    ("[[ ! -e none ]] && ", ""),
    ("[[ ( a == a ) ]] && ", ""),
    ("f() { ", "; }; f"),
    ("coproc ", ""),
    ("", " 2>&1"),
    ("", " </dev/null"),
    ("", " &"),
];

const WORDS: Around = &[
    ("${x:-", "}"),
    ("\"${x:-", "}\""),
    ("$(( ", " + 1 ))"),
    ("{a,", "}"),
    ("{a,b}", ""),
    ("{1..9}", ""),
    ("${x%", "}"),
    ("${x/a/", "}"),
    ("\"", "\""),
    ("'", "'"),
    ("$", ""),
    ("*", ""),
    ("[a", "]"),
    ("~", ""),
];

const SUMS: Around = &[
    ("(", ")"),
    ("- ", ""),
    ("!", ""),
    ("~", ""),
    ("1 ? 1 : ", ""),
    ("x = ", ""),
    ("2 ** ", ""),
    ("1 + ", ""),
    ("", ", 1"),
    ("", " << 1"),
    ("x++ + ", ""),
];

const CONDITIONS: Around = &[
    ("( ", " )"),
    ("! ", ""),
    ("a && ", ""),
    ("", " || a"),
    ("-n ", ""),
];

const PATTERNS: Around = &[
    ("(", ")"),
    ("(", ")*"),
    ("(", "){9}"),
    ("(", "){1,99}"),
    ("(a|", ")"),
    ("(a*", ")*"),
    ("\\(", "\\)"),
    ("\\(", "\\)*"),
    ("\\(", "\\)\\{9\\}"),
    ("[", "]"),
    ("[[:alpha:]", ""),
    ("", "*"),
    ("", "+?"),
    ("", ".*"),
    ("", "\\|a"),
    ("a|", ""),
    ("^", "$"),
    ("\\w{9}", ""),
    ("(?:", ")"),
    ("(?i)", ""),
    ("\\b", ""),
    ("\\1", ""),
    ("é", ""),
];

const GLOBS: Around = &[
    ("{", "}"),
    ("{a,", "}"),
    ("{a,b}", ""),
    ("[", "]"),
    ("**/", ""),
    ("*", ""),
    ("?", ""),
    ("!", ""),
    ("\\", ""),
];

const TESTS: Around = &[
    ("\\( ", " \\)"),
    ("! ", ""),
    ("-name a -o ", ""),
    ("-type f -a ", ""),
    ("-not ", ""),
    ("", " -prune"),
];

const SCRIPTS: Around = &[
    ("{", "}"),
    ("/a/{", "};"),
    ("1!{", "}"),
    ("p;", ""),
    ("s/a/&&/g;", ""),
    (":a;", ";ta"),
    ("H;G;", ""),
    ("x;", ""),
    ("1,9", ""),
    ("N;", ""),
    ("a\\\nx\n", ""),
];

/// `inner` within one pair, over and over; at times within several kinds.
fn nested(r: &mut Random, kinds: Around, inner: &str) -> String {
    let mut text = inner.to_owned();
    for _ in 0..1 + r.below(3) {
        let (before, behind) = kinds[r.below(kinds.len())];
        let each = (before.len() + behind.len()).max(1);
        let times = times(r).min((LONGEST.saturating_sub(text.len())) / each);
        text = [&before.repeat(times), &*text, &behind.repeat(times)].concat();
    }
    text
}

/// A value, line or list of words that grows in every step.
fn doubled(r: &mut Random) -> String {
    let (steps, n) = (1 + r.below(60), number(r));
    let step = match r.below(9) {
        0 => "x=$x$x".to_owned(),
        1 => "x=\"$x $x\"".into(),
        2 => "x=$(echo $x $x)".into(),
        3 => "x=${x//a/aa}".into(),
        4 => "x=${x/a/$x}".into(),
        5 => "x=$(printf '%s%s' \"$x\" \"$x\")".into(),
        6 => "x=`echo \"$x\" | sed 's/./&&/g'`".into(),
        7 => "y$i=$x; x=$x$x".into(),
        _ => format!("x=$x$(printf '%{n}d' 1)"),
    };
    let end = match r.below(10) {
        0 => "echo ${#x}".to_owned(),
        1 => "echo $x$x$x$x | wc -c".into(),
        2 => "case $x in *a*a*a*a*b) echo y;; esac".into(),
        3 => "[[ $x == *a*?a*[a]*b ]]; echo $?".into(),
        4 => "echo ${x%%*a*b}".into(),
        5 => "cat <<<\"$x\" | wc -c".into(),
        6 => "for y in $x; do :; done; echo $y".into(),
        7 => "grep -c \"$x\" a.txt".into(),
        8 => "echo $x | xargs -n1 echo | wc -l".into(),
        _ => format!("echo {} | wc -c", "$x".repeat(times(r).min(20_000))),
    };
    format!("x=a; for i in $(seq 1 {steps}); do {step}; done; {end}")
}

fn file(r: &mut Random) -> String {
    let file = r.of(&["a.txt", "lines", "one", "none", "deep", "d", ".", "*", "-"]);
    match r.below(12) {
        0 => many(r, &format!("{file} ")),
        _ => file.into(),
    }
}

/// A command that reads files, or says something.
fn simple(r: &mut Random) -> String {
    let n = number(r);
    match r.below(16) {
        0 => format!("echo {}", nested(r, WORDS, "a")),
        1 => format!("echo $(( {} ))", nested(r, SUMS, "1")),
        2 => format!("[[ {} ]]; echo $?", nested(r, CONDITIONS, "a == a")),
        3 => format!("printf '{}' {}", many(r, &format!("%{n}d")), many(r, "1 ")),
        4 => format!("printf '%-{n}s|%.{n}s' a b"),
        5 => format!("seq {} {n} {}", number(r), number(r)),
        6 => format!("find {} {}", file(r), nested(r, TESTS, "-name '*a*'")),
        7 => format!("find . -printf '{}'", many(r, "%p%f")),
        8 => format!(
            "find . {} -exec cat {} {}",
            ["-type f", ""][r.below(2)],
            many(r, "{} "),
            r.of(&["+", "\\;"])
        ),
        9 => format!(
            "rg -g '{}' {} .",
            nested(r, GLOBS, "*"),
            r.of(&["a", "''", "."])
        ),
        10 => {
            let flag = [
                "-o",
                "-r xxxxxxxxxxxx",
                "-c",
                "--json",
                "-U",
                "-v",
                "-C 9",
                "-m 1",
                "-w",
            ];
            format!(
                "rg {} '{}' {}",
                r.of(&flag),
                nested(r, PATTERNS, "a"),
                file(r)
            )
        }
        11 => format!("rg -C {n} -M {n} -m {} a", number(r)),
        12 => format!(
            "ls -{} -I '{}' {}",
            r.of(&["la", "R", "1", "lhS"]),
            many(r, "*a"),
            file(r)
        ),
        13 => format!("tree -L {n}"),
        14 => format!("cat {}", file(r)),
        _ => format!("{} {}", filter(r), file(r)),
    }
}

/// A command that can read standard input.
fn filter(r: &mut Random) -> String {
    let n = number(r);
    match r.below(22) {
        0 => format!("head -n {n}"),
        1 => format!("head -c {n}"),
        2 => format!("tail -n {n}"),
        3 => format!("tail -c +{n}"),
        4 => format!("sort {}", r.of(&["", "-n", "-u", "-k2,2 -k1n", "-rn"])),
        5 => format!("uniq {}", r.of(&["-c", "-d", "-i"])),
        6 => format!("uniq -f {n} -s {n} -w {}", number(r)),
        7 => format!("cut -f {}", list(r)),
        8 => format!("cut -c {n}-{} ", number(r)),
        9 => format!("tr {} {}", many(r, "a-z"), many(r, "A-Z")),
        10 => format!("nl -w {n} -v {} -i {}", number(r), number(r)),
        11 => format!("wc {}", r.of(&["", "-l", "-L", "-m", "-c"])),
        12 => format!("xargs -n {n} echo"),
        13 => format!("xargs -I@ echo {}", many(r, "@")),
        14 => format!("sed '{}'", nested(r, SCRIPTS, "p")),
        15 => format!("sed -n '{n},+{}p;{}~{n}p'", number(r), number(r)),
        16 => format!("sed -E 's/{}/{}/g'", nested(r, PATTERNS, "a"), many(r, "&")),
        17 => format!(
            "grep -{} '{}'",
            r.of(&["E", "c", "o", "F", "iw", "v", "n"]),
            nested(r, PATTERNS, "a")
        ),
        18 => format!("grep -A {n} -m {} a", number(r)),
        19 => format!("sed ':a;s/a/{}/{};ta'", many(r, "a"), r.of(&["", "g", "2"])),
        20 => "while read l; do echo \"$l$l\"; done".into(),
        _ => r
            .of(&["cat", "cat -A", "tac", "cat -n", "sed G", "sed 'H;$!d;x'"])
            .into(),
    }
}

fn list(r: &mut Random) -> String {
    let numbers: Vec<String> = (0..times(r).min(9000)).map(|_| number(r)).collect();
    numbers.join(",")
}
