//! Values of options: numbers at their borders, lists, keys, patterns, scripts.

use curserve_text::options::{Number, Takes};

use super::random::Generator;

/// What stands for a number and is none, or is read as one by some programs only.
const ODD: &[&str] = &[
    "", " 1", "1 ", "\t1", "\n1", "0x10", "0X1", "0x", "1k", "1K", "1kB", "1KB", "1KiB", "1b",
    "1B", "1c", "1w", "1m", "1M", "1MB", "1MiB", "1G", "1T", "1Z", "010", "08", "00", "1e3", "1.5",
    "1.", ".5", "١", "+1", "-1", "+0", "-0", "--1", "+-1", "++1", "1,2", "1-2", "a", "1a", "1_0",
    "1'0", "inf", "nan", "k", "K", "+", "-", "٣3", "1\u{a0}", "01k", "2kk", "$((1))", "1;",
];

/// Numbers around which programs change their minds.
const TURNS: &[u128] = &[
    0,
    1,
    2,
    127,
    128,
    255,
    256,
    512,
    1000,
    1024,
    32767,
    32768,
    65535,
    65536,
    131_072,
    1 << 20,
    1 << 31,
    (1 << 31) - 1,
    (1 << 32) - 1,
    1 << 32,
    (1 << 32) + 1,
    (1 << 63) - 1,
    1 << 63,
    (1 << 64) - 1,
    1 << 64,
    (1 << 64) + 1,
    10_000_000_000_000_000_000,
    (1 << 61),
    3_074_457_345_618_258_603,
    u128::MAX,
];

/// A number: mostly a small one, else one at a border, or something odd.
pub fn number(random: &mut Generator, bounds: Option<&Number>) -> String {
    match random.below(10) {
        0..=4 => random.below(6).to_string(),
        5..=6 => random.one(ODD).to_string(),
        7 => TURNS[random.below(TURNS.len())].to_string(),
        8 => format!(
            "{}{}",
            random.one(&["-", "+", "0", " ", "000"]),
            TURNS[random.below(TURNS.len())]
        ),
        _ => {
            let (least, most) = bounds.map_or((0, u64::MAX), |number| (number.least, number.most));
            let (least, most) = (u128::from(least), u128::from(most));
            let near = [
                least.saturating_sub(1),
                least,
                least + 1,
                most - 1,
                most,
                most + 1,
            ];
            near[random.below(near.len())].to_string()
        }
    }
}

/// All numbers that may be read otherwise by one program than by another, and those at the borders of `bounds`.
pub fn borders(bounds: Option<&Number>) -> Vec<String> {
    let mut all: Vec<String> = ODD.iter().map(|text| text.replace('\'', "")).collect();
    for turn in TURNS {
        all.extend(["", "-", "+"].map(|sign| format!("{sign}{turn}")));
    }
    if let Some(bounds) = bounds {
        let (least, most) = (u128::from(bounds.least), u128::from(bounds.most));
        let near = [
            least.saturating_sub(1),
            least,
            least + 1,
            most - 1,
            most,
            most + 1,
        ];
        all.extend(near.iter().map(u128::to_string));
        all.extend(bounds.units.iter().map(|(unit, _)| format!("3{unit}")));
    }
    all
}

/// A number among others: mostly a small one.
pub fn part(random: &mut Generator) -> String {
    match random.below(6) {
        0 => number(random, None),
        _ => (1 + random.below(4)).to_string(),
    }
}

const SMALL: &[&str] = &[
    "a", "b", "o", "x", "foo", "[ab]", "^a", "b$", ".", "a.*", "", "é", "A",
];
const GLOBS: &[&str] = &[
    "*", "a*", "*.txt", "?", ".*", ".h*", "*~", "[ab]*", "sub", "", "b.txt", "*t", "[!a]*", "a|b*",
    "\\*", "*é*", "-*",
];
const SEPARATORS: &[&str] = &[
    ":", ",", " ", "\t", "", "ab", "\\t", "\\n", "\\0", "\n", "é", "x", "\\", "--",
];

fn list(random: &mut Generator) -> String {
    let mut parts = Vec::new();
    for _ in 0..1 + random.below(3) {
        let n = part;
        parts.push(match random.below(12) {
            0..=5 => n(random),
            6 | 7 => format!("{}-{}", n(random), n(random)),
            8 | 9 => format!("{}-", n(random)),
            10 => format!("-{}", n(random)),
            _ => random
                .one(&["", "-", "1-2-3", "2-1", "1--2", "1- 2", "a-b"])
                .to_string(),
        });
    }
    parts.join(random.one(&[",", ",", ",", ",", ",", ",", " ", ",,", ";"]))
}

fn key(random: &mut Generator) -> String {
    let place = |random: &mut Generator| {
        let mut text = part(random);
        if random.once_in(3) {
            text = format!("{text}.{}", part(random));
        }
        text + random.one(&[
            "", "", "", "n", "r", "b", "nr", "f", "n", "r", "x", "d", "z", " ",
        ])
    };
    match random.below(3) {
        0 => format!("{},{}", place(random), place(random)),
        _ => place(random),
    }
}

/// A script of `sed` with a number in it.
pub fn script(random: &mut Generator) -> String {
    let n = part(random);
    let m = part(random);
    match random.below(16) {
        0 => format!("{n}p"),
        1 => format!("{n},{m}p"),
        2 => format!("{n}~{m}p"),
        3 => format!("{n},+{m}p"),
        4 => format!("{n},~{m}p"),
        5 => format!("s/a/X/{n}"),
        6 => format!("s/o/X/{n}g"),
        7 => format!("{n}q"),
        8 => format!("q{n}"),
        9 => format!("{n}q{m}"),
        10 => format!("{n}d"),
        11 => format!("$!{n}d"),
        12 => format!("/a/,{n}d"),
        13 => format!("Q{n}"),
        14 => format!("l {n}"),
        _ => format!("{n}!d"),
    }
}

/// A value for the option `name` (its letter, or its long name) of `program`.
pub fn of(random: &mut Generator, program: &str, name: &str, takes: Takes) -> String {
    if let Takes::Number(bounds) = takes {
        return number(random, Some(bounds));
    }
    match (program, name) {
        ("cut", "b" | "c" | "f") => list(random),
        ("cut", "d" | "output-delimiter") | ("sort", "t") | ("nl", "s") => {
            random.one(SEPARATORS).to_string()
        }
        ("sort", "k") => key(random),
        ("grep" | "rg", "e") => random.one(SMALL).to_string(),
        ("grep", "f") => random
            .one(&["pats", "empty", "nope", "-", "", "/dev/null", "sub"])
            .to_string(),
        ("grep", "d") => random
            .one(&["read", "skip", "recurse", "rec", "", "x"])
            .to_string(),
        ("grep", "D") => random.one(&["read", "skip", "x"]).to_string(),
        ("grep", "binary-files") => random
            .one(&["text", "binary", "without-match", "", "x", "t"])
            .to_string(),
        ("ls", "I" | "hide")
        | ("tree", "I" | "P")
        | ("rg", "g" | "iglob")
        | ("grep", "include" | "exclude" | "exclude-dir") => random.one(GLOBS).to_string(),
        (_, "color" | "colour") => random
            .one(&[
                "never", "auto", "always", "", "no", "none", "tty", "x", "nev",
            ])
            .to_string(),
        ("ls", "time-style") => random
            .one(&[
                "long-iso",
                "full-iso",
                "iso",
                "locale",
                "+%Y",
                "",
                "long",
                "posix-long-iso",
                "x",
            ])
            .to_string(),
        ("ls", "F") => random.one(&["never", "auto", "always", ""]).to_string(),
        ("nl", "b") => random
            .one(&["a", "t", "n", "pa", "", "x", "at"])
            .to_string(),
        ("nl", "n") => random.one(&["ln", "rn", "rz", "", "x", "l"]).to_string(),
        ("xargs", "d") => random.one(SEPARATORS).to_string(),
        ("xargs", "I") => random.one(&["{}", "%", "", "a", "é"]).to_string(),
        ("sed", "e") => script(random),
        ("sed", "i") => random.one(&["", ".bak", "E"]).to_string(),
        ("rg", "t" | "T") => random
            .one(&["py", "txt", "rust", "nosuch", "", "all"])
            .to_string(),
        ("rg", "r") => random.one(&["X", "$0", "${0}", "", "$1"]).to_string(),
        ("rg", "sort" | "sortr") => random
            .one(&["path", "none", "modified", "x", ""])
            .to_string(),
        ("rg", "context-separator") | ("grep", "group-separator") => {
            random.one(&["--", "", "=", "\\n", "é"]).to_string()
        }
        _ => match random.below(2) {
            0 => number(random, None),
            _ => random.one(SMALL).to_string(),
        },
    }
}
