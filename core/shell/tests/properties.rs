//! Generated command lines on a generated choice of files: answered as the real `bash -c` answers, or refused.

mod common;

use std::sync::OnceLock;

use common::{fill, Place};
use proptest::prelude::*;
use proptest::strategy::ValueTree;

fn place() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| Place::new(fill))
}

/// Names beyond ASCII, also such as are not UTF-8.
fn odd_names() -> &'static Place {
    use std::os::unix::ffi::OsStrExt;
    static PLACE: OnceLock<Place> = OnceLock::new();
    let names: [&[u8]; 24] = [
        b"a",
        b"B",
        b"x",
        b"_",
        b"[",
        b"ab",
        b"a.x",
        b"xyz",
        "é".as_bytes(),
        "日".as_bytes(),
        "éa".as_bytes(),
        "aé日".as_bytes(),
        "É".as_bytes(),
        "я".as_bytes(),
        "\u{130}".as_bytes(),
        "\u{212a}".as_bytes(),
        b"\xff",
        b"\xc3",
        b"a\xff",
        b"\xffa",
        b"\xc3\xa9\xff",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"bad\xff.x",
    ];
    PLACE.get_or_init(|| {
        Place::new(|root| {
            for name in names {
                std::fs::write(root.join(std::ffi::OsStr::from_bytes(name)), "x\n")
                    .expect("a file");
            }
        })
    })
}

/// More paths than `find` is asked for before `head` has enough, with odd names; of those that are not UTF-8 `grep`
/// has messages.
fn many_names(in_utf8: bool) -> &'static Place {
    use std::os::unix::ffi::OsStrExt;
    static PLACES: [OnceLock<Place>; 2] = [OnceLock::new(), OnceLock::new()];
    PLACES[usize::from(in_utf8)].get_or_init(|| {
        Place::new(|root| {
            for folder in 0..40 {
                let folder = root.join(format!("d{}/e{folder}", folder % 7));
                std::fs::create_dir_all(&folder).expect("a folder");
                for file in 0..50 {
                    let odd = [
                        if in_utf8 { b"a.py" } else { &b"a\xff.py"[..] },
                        b"b c.py",
                        b"d\ne.py",
                        "\u{e9}.txt".as_bytes(),
                    ];
                    let name = match odd.get(file) {
                        Some(name) => name.to_vec(),
                        None => format!("f{file}.{}", ["py", "txt"][file % 2]).into_bytes(),
                    };
                    let text = ["x\n", "import x\n", ""][file % 3];
                    std::fs::write(folder.join(std::ffi::OsStr::from_bytes(&name)), text)
                        .expect("a file");
                }
            }
        })
    })
}

fn one_of(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(words).prop_map(str::to_string)
}

fn file() -> impl Strategy<Value = String> {
    one_of(&[
        "src/main.py",
        "src/util.py",
        "src/pkg/mod.py",
        "src/pkg/test_mod.py",
        "docs/a.txt",
        "docs/b.txt",
        "'docs/no newline'",
        "docs/é.txt",
        "\"docs/it's\"",
        "empty",
        "bin",
        "list",
        "nope",
        "void",
        "src",
        "link",
        "ldir",
        "dangling",
        "src/*.py",
        "docs/*",
        "src/util.py/x",
        "UPPER.MD",
        "./src",
        "src/",
        "deep",
    ])
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..12u32).prop_map(|n| n.to_string()),
        (850..910u32).prop_map(|n| n.to_string())
    ]
}

fn pattern() -> impl Strategy<Value = String> {
    one_of(&[
        "class",
        "x",
        "^$",
        "[0-9]",
        "a.*b",
        "import",
        "^b",
        "e$",
        "\\(x\\)",
        "b\\|c",
        "s*",
        "o\\+",
        "[[:space:]]",
        "\\r",
        "[à-ÿ]",
        "[a-é]",
        "[^é]",
    ])
}

fn sed() -> impl Strategy<Value = String> {
    let address = prop_oneof![
        number(),
        Just("$".to_string()),
        pattern().prop_map(|p| format!("/{p}/"))
    ];
    let range = prop_oneof![
        Just(String::new()),
        address.clone(),
        (address.clone(), address.clone()).prop_map(|(a, b)| format!("{a},{b}")),
        (address.clone(), number()).prop_map(|(a, n)| format!("{a},+{n}")),
        (number(), number()).prop_map(|(a, n)| format!("{a}~{n}")),
    ];
    let action = prop_oneof![
        one_of(&[
            "p",
            "d",
            "=",
            "q",
            "n",
            "N",
            "G",
            "h;G",
            "x",
            "P",
            "D",
            "$!N",
            "!p",
            "!d",
            "n;d",
            "y/abc/xyz/"
        ]),
        (
            pattern(),
            one_of(&["", "X", "[&]", "\\n", "a&b"]),
            one_of(&["", "g", "2", "p", "gp", "I"])
        )
            .prop_map(|(p, r, f)| format!("s/{p}/{r}/{f}")),
        Just("s/\\([a-z]*\\) \\([a-z0-9]*\\)/\\2-\\1/".to_string()),
        one_of(&[
            "s//<&>/g",
            "//!p",
            "a foo\n",
            "i\\  a\\tb\\nc\n",
            "c\\\n  a\\\nb\n",
            "$a x\n",
            "G;h"
        ]),
    ];
    (
        one_of(&["", "-n ", "-E ", "-s ", "-ns ", "-z ", "-nz "]),
        prop::collection::vec((range, action), 1..3),
    )
        .prop_map(|(flag, commands)| {
            let script: Vec<String> = commands
                .into_iter()
                .map(|(r, a)| format!("{r}{a}"))
                .collect();
            format!("sed {flag}'{}'", script.join(";"))
        })
}

fn find() -> impl Strategy<Value = String> {
    let test = prop_oneof![
        one_of(&[
            "-name '*.py'",
            "-name '[a-m]*'",
            "-type f",
            "-type d",
            "-type l",
            "-empty",
            "-size +1",
            "-size -3k"
        ]),
        one_of(&[
            "-path '*/pkg/*'",
            "-iname 'U*'",
            "-iname '[S-t]*'",
            "-iname '[[:upper:]]*'",
            "-name '[a-é]*'",
            "-name '.*'",
            "-newer src/util.py",
            "-perm 755",
            "-links 1",
            "-executable",
            "-readable",
            "-writable",
            "-true"
        ]),
        one_of(&[
            "-print",
            "-prune",
            "-print0",
            "-printf '%f %s\\n'",
            "-exec basename {} \\;",
            "-exec wc -l {} +",
            "-exec grep -l x {} \\;",
            "-exec grep -il '[B-D]' {} \\;"
        ]),
        number().prop_map(|n| format!("-maxdepth {n}")),
        one_of(&[
            "-exec head -n 2 {} \\;",
            "-exec cat {} +",
            "-quit",
            "-depth",
            "-mindepth 1"
        ]),
    ];
    let joined = (
        test.clone(),
        prop::collection::vec((one_of(&["", "-o", "!", "-a", "-not"]), test), 0..4),
    );
    (
        one_of(&[".", "src", "src docs", "ldir", "nope", "", "deep/"]),
        joined,
        any::<bool>(),
    )
        .prop_map(|(start, (first, rest), group)| {
            let rest: Vec<String> = rest
                .into_iter()
                .map(|(op, t)| format!("{op} {t}"))
                .collect();
            let all = format!("{first} {}", rest.join(" "));
            if group {
                format!("find {start} \\( {all} \\)")
            } else {
                format!("find {start} {all}")
            }
        })
}

fn simple() -> impl Strategy<Value = String> {
    let files = || prop::collection::vec(file(), 0..3).prop_map(|f| f.join(" "));
    let flags = |words: &'static [&'static str]| {
        prop::collection::vec(one_of(words), 0..3).prop_map(|f| f.join(" "))
    };
    prop_oneof![
        (flags(&["-n", "-A", "-b", "-s", "-e", "-E", "-T"]), files())
            .prop_map(|(f, a)| format!("cat {f} {a}")),
        (
            one_of(&["head", "tail"]),
            one_of(&["-", "-n ", "-c ", "-n +", "-n -"]),
            number(),
            files()
        )
            .prop_map(|(t, o, n, a)| format!("{t} {o}{n} {a}")),
        (sed(), files()).prop_map(|(s, a)| format!("{s} {a}")),
        (flags(&["-l", "-w", "-c", "-m", "-L"]), files()).prop_map(|(f, a)| format!("wc {f} {a}")),
        (
            flags(&[
                "-a", "-l", "-A", "-1", "-d", "-F", "-h", "-t", "-r", "-R", "-S", "-p", "-s", "-n",
                "-L", "-X"
            ]),
            files()
        )
            .prop_map(|(f, a)| format!("ls {f} {a}")),
        find(),
        (
            one_of(&["grep", "grep", "egrep", "fgrep"]),
            flags(&[
                "-n", "-c", "-v", "-i", "-l", "-o", "-w", "-x", "-h", "-r", "-s", "-m2", "-A1",
                "-E"
            ]),
            pattern(),
            files()
        )
            .prop_map(|(g, f, p, a)| format!("{g} {f} '{p}' {a}")),
        (
            flags(&[
                "-r",
                "-n",
                "-u",
                "-f",
                "-k2",
                "-k2,2",
                "-k1.2,1.3",
                "-t' '",
                "-s",
                "-b",
                "-k2nr"
            ]),
            files()
        )
            .prop_map(|(f, a)| format!("sort {f} {a}")),
        (flags(&["-c", "-d", "-u", "-i", "-f1", "-w2"]), file())
            .prop_map(|(f, a)| format!("uniq {f} {a}")),
        (
            one_of(&["-f1", "-f2-", "-c1-4", "-c3", "-f1,3", "-b-2"]),
            one_of(&["", "-d' '", "-d/ -s", "-d."]),
            files()
        )
            .prop_map(|(l, d, a)| format!("cut {l} {d} {a}")),
        (
            flags(&["-ba", "-w3", "-s:", "-v5", "-nln", "-nrz"]),
            files()
        )
            .prop_map(|(f, a)| format!("nl {f} {a}")),
        (
            flags(&[
                "-a",
                "-d",
                "-L 2",
                "-f",
                "-i",
                "-F",
                "--noreport",
                "-P '*.py'"
            ]),
            file()
        )
            .prop_map(|(f, a)| format!("tree {f} {a}")),
        (one_of(&["a-z A-Z", "-d a-m", "-s ' '", "' ' '\\n'", "-cd '0-9\\n'"]))
            .prop_map(|s| format!("tr {s}")),
        (
            flags(&["-n", "-e", "-E"]),
            one_of(&[
                "a  b",
                "'a\\tb'",
                "$?",
                "\"$(pwd | wc -c)\"",
                "{a,b}c",
                "*.MD",
                "$((2+3))"
            ])
        )
            .prop_map(|(f, w)| format!("echo {f} {w}")),
        (one_of(&[
            "cd src",
            "cd nope",
            "cd src/pkg",
            "cd void",
            "cd ldir",
            "cd src/util.py",
            "cd .",
            "cd src/.."
        ])),
        (
            one_of(&["-n 1", "-n 2", "-I{}", "", "-r"]),
            one_of(&["echo {} x", "ls -d", "wc -l", "basename", "cat", "head -2"])
        )
            .prop_map(|(f, c)| format!("xargs {f} {c}")),
        (
            one_of(&["-f", "-d", "-e", "-s", "-L", "-r", "-x", "-n", "-z"]),
            file()
        )
            .prop_map(|(t, f)| format!("[ {t} {f} ]")),
        ("-?[0-9]{1,3}", "-?[0-9]{1,2}", "-?[0-9]{1,3}")
            .prop_map(|(a, b, c)| format!("seq -w {a} {b} {c}")),
        one_of(&["pwd", "pwd -P", "true", "false", "seq 5", "tac list", "ls -la", "echo"]),
    ]
}

fn redirected() -> impl Strategy<Value = String> {
    let redirect = one_of(&[
        "",
        "",
        "",
        "",
        "2>/dev/null",
        "2>&1",
        ">/dev/null",
        "&>/dev/null",
        "< list",
        "<<< 'b a'",
        ">&2",
    ]);
    let before = prop_oneof![
        20 => Just(String::new()),
        1 => one_of(&["LC_ALL=C ", "command ", "timeout 60 ", "/usr/bin/", "LANG=C "]),
    ];
    (before, simple(), redirect).prop_map(|(b, c, r)| format!("{b}{c} {r}"))
}

fn pipeline() -> impl Strategy<Value = String> {
    (
        one_of(&["", "", "", "! "]),
        prop::collection::vec(redirected(), 1..4),
    )
        .prop_map(|(b, p)| format!("{b}{}", p.join(" | ")))
}

fn line() -> impl Strategy<Value = String> {
    let list = (
        pipeline(),
        prop::collection::vec((one_of(&["&&", "||", ";", "\n"]), pipeline()), 0..3),
    )
        .prop_map(|(first, rest)| {
            rest.into_iter()
                .fold(first, |line, (op, next)| format!("{line} {op} {next}"))
        })
        .boxed();
    prop_oneof![
        6 => list.clone(),
        1 => list.clone().prop_map(|l| format!("({l}) 2>&1 | head -3")),
        1 => list.clone().prop_map(|l| format!("{{ {l}; }} | wc -l")),
        1 => list.clone().prop_map(|l| format!("for f in src/*.py list; do {l}; head -1 $f; done")),
        1 => (list.clone(), file()).prop_map(|(l, f)| format!("case {f} in *.py|[!s]*) {l};; */*) {l} ;; *) pwd -P; esac")),
        1 => list.clone().prop_map(|l| format!("if {l}; then echo yes; else echo no; fi")),
        1 => list.clone().prop_map(|l| format!("x=$({l}); echo \"[$x] $?\"")),
        1 => list.prop_map(|l| format!("cat list | while read f; do {l}; echo \"$f\"; done")),
    ]
}

/// How many cases: `PROPTEST_CASES` says more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_answered_as_bash_answers_it(line in line()) {
        if let Some(difference) = place().difference(&line) {
            prop_assert!(false, "{}", difference);
        }
    }

    #[test]
    fn words_are_expanded_as_bash_expands_them(words in prop::collection::vec(
        prop::collection::vec(one_of(&["a", "b c", "'q  r'", "\"d $x e\"", "$x", "${x:-d}", "${x%b*}", "{1,2}", "{a..c}", "*",
            "{01..3}", "{1..003..2}", "{-02..1}", "'{08..9}'", "src/*", "\\ ", "\\*", "~", "$(echo s  t)", "\"$(echo s  t)\"", "$((1+2))", "''", "\"\"", "=", "[a-d]*", "?",
            "$'t\\n'", "`echo u`", "${#x}", ",", "{", "}", ".", "/", "$", "%", "é"]), 1..5).prop_map(|p| p.concat()), 1..4)) {
        let line = format!("x='v  ab *'; printf '<%s>\\n' {}", words.join(" "));
        if let Some(difference) = place().difference(&line) {
            prop_assert!(false, "{}", difference);
        }
    }

    #[test]
    fn names_match_as_in_the_real_programs(pattern in prop::collection::vec(
        one_of(&["a", "B", "é", "日", ".", "?", "?", "*", "[a-c]", "[!a-c]", "[^x]", "[A-z]", "[@-C]", "[é]", "[!é]", "[a-é]",
            "[à-日]", "[[:alpha:]]", "[[:upper:]]", "[]", "[", "x"]), 1..5).prop_map(|p| p.concat())) {
        for line in [format!("find . -name '{pattern}'"), format!("find . -iname '{pattern}'"),
            format!("printf '<%s>' {pattern}"), format!("ls -I '{pattern}'"), format!("grep -rc --include='{pattern}' ''")] {
            if let Some(difference) = odd_names().difference(&line) {
                prop_assert!(false, "{}", difference);
            }
        }
    }

    #[test]
    fn sequences_are_expanded_as_bash_expands_them(words in prop::collection::vec(
        ("[-+]?[0-9]{1,3}", "[-+]?[0-9]{1,3}", prop_oneof![Just(String::new()), "\\.\\.[-+]?[0-9]{1,2}"]), 1..3)) {
        let words: Vec<String> = words.into_iter().map(|(a, b, step)| format!("{{{a}..{b}{step}}}")).collect();
        for line in [format!("echo {}", words.concat()), format!("echo {{x,{}}}", words.join(","))] {
            if let Some(difference) = place().difference(&line) {
                prop_assert!(false, "{}", difference);
            }
        }
    }

    #[test]
    fn nothing_panics(text in "[ -~\n\u{e9}]{0,60}", shellish in "[a$(){}'\"`\\\\|&;<>*?\\[\\]!#~ \n=0-9]{0,50}") {
        let _ = place().ours(&text);
        let _ = place().ours(&shellish);
    }

    #[test]
    fn tools_do_not_panic_on_their_arguments(name in one_of(&["sed", "find .", "sort", "cut", "tr", "printf", "ls", "xargs"]),
        args in "[-a-zA-Z0-9,./+$!{}\\\\|*?\\[\\]%:^ ]{0,30}") {
        let _ = place().ours(&format!("echo a | {name} '{args}' '{args}'"));
        let _ = place().ours(&format!("echo a | {name} {args}"));
    }
}

proptest! {
    // A find of its own and many a grep for every case.
    #![proptest_config(ProptestConfig { cases: cases() / 5, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_search_is_cut_short_as_by_the_real_head(
        search in one_of(&["find .", "find", "find d0 d1", "find . nope", "find d3 -name '*.py'", "find . -type f", "find . -print0",
            "find d0/e0 -name '*.py' -exec grep -l x {} \\;", "find d0/e7 d1/e1 -type f -exec grep -il IMPORT {} \\;", "find ./ -depth"]),
        filters in prop::collection::vec((one_of(&["grep", "grep -v", "grep -E", "grep -i", "grep -n", "grep -c", "grep -o", "grep -a"]),
            one_of(&["py", "e39", "f4", "'d[0-3]'", "'f1|f2'", "zzz", "\"f9$\"", ".", "e3 2>/dev/null", "e3 2>&1"])), 0..3),
        lines in 1..80u32, after in one_of(&["", "| tail -2", "| wc -l", "; echo $?"]), in_utf8 in any::<bool>()) {
        let filters: String = filters.into_iter().map(|(grep, pattern)| format!("| {grep} {pattern} ")).collect();
        let line = format!("{search} {filters}| head -{lines} {after}");
        if let Some(difference) = many_names(in_utf8).difference(&line) {
            prop_assert!(false, "{}", difference);
        }
    }
}

#[test]
fn most_generated_lines_are_answered() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let n = 400;
    let mut reasons = std::collections::BTreeMap::new();
    let mut answered = 0;
    for _ in 0..n {
        let line = line().new_tree(&mut runner).expect("a line").current();
        match place().ours(&line) {
            Ok(_) => answered += 1,
            Err(refusal) => *reasons.entry(refusal.to_string()).or_insert(0) += 1,
        }
    }
    // The property above proves little of what is refused.
    assert!(answered * 2 > n, "{answered} of {n} answered; {reasons:#?}");
}
