//! Command lines of `sort`.

use super::Generator;

const WORDS: &[&str] = &[
    "a",
    "b",
    "B",
    "A",
    "ab",
    "aB",
    "10",
    "9",
    "1",
    "0",
    "-1",
    "-0",
    "007",
    "1.5",
    "1.50",
    "-1.5",
    ".5",
    "-.5",
    "-",
    "+1",
    "1e3",
    "2K",
    "1M",
    "é",
    "É",
    "x",
    "1,000",
    "1.",
    "--1",
    "_",
    "Jan",
    "feb",
    "z9",
    "z10",
    "v1.2",
    "v1.10",
    "",
    "00",
    "0.0",
    "-0.0",
    "12345678901234567890123",
    "12345678901234567890124",
    "0.00000000000000000001",
    "a\tb",
    "(",
    "\\",
    "\u{a0}",
    "\r",
    "\u{b}",
];
const BETWEEN: &[&str] = &[" ", " ", "  ", "\t", ":", ":", ",", " \t", "::", "", "\0"];
const LINES: &[&str] = &["\n", "\n", "\n", "\n\n"];
const LETTERS: &[&str] = &[
    "n", "r", "b", "f", "d", "i", "g", "h", "M", "V", "R", "", "", "", "", "n", "r", "nr", "bn",
    "rb", "f",
];
const FLAGS: &[&str] = &[
    "-n",
    "-r",
    "-u",
    "-f",
    "-b",
    "-s",
    "-nr",
    "-rn",
    "-rnk2",
    "-un",
    "-t:",
    "-t,",
    "-t",
    ":",
    "-t ",
    "-t\t",
    "-t\\0",
    "-t\\t",
    "-ta",
    "-bf",
    "-fu",
    "-us",
    "-d",
    "-i",
    "-g",
    "-h",
    "-M",
    "-V",
    "-c",
    "-C",
    "-m",
    "-z",
    "-R",
    "--numeric-sort",
    "--reverse",
    "--rev",
    "--unique",
    "--key=2",
    "--key=2,2n",
    "--field-separator=:",
    "--stable",
    "--parallel=2",
    "--ignore-case",
    "--ignore-leading-blanks",
    "--sort=numeric",
    "--check",
    "--version-sort",
    "-S1M",
    "--debug",
    "-k",
    "2",
    "-k2",
    "-k1,1",
    "-o",
];
const OPERANDS: &[&str] = &[
    "a.py",
    "a.py",
    "b.txt",
    "sub/c.py",
    "nope",
    "-",
    "link",
    "empty",
    "void",
    "patterns",
    "dangling",
    "./a.py",
    "/dev/null",
];

/// Lines of words, numbers and blanks.
pub(super) fn text(random: &mut Generator) -> Vec<u8> {
    let mut text = Vec::new();
    for _ in 0..random.below(14) {
        if random.once_in(4) {
            text.extend(random.one(BETWEEN).bytes());
        }
        for _ in 0..random.below(5) {
            text.extend(random.one(WORDS).bytes());
            text.extend(random.one(BETWEEN).bytes());
        }
        if random.once_in(30) {
            text.extend(random.one(&[&b"\xff"[..], b"\xc3", b"\xe9"]));
        }
        text.extend(random.one(LINES).bytes());
    }
    if random.once_in(3) && text.ends_with(b"\n") {
        text.pop();
    }
    text
}

fn position(random: &mut Generator, least: usize) -> String {
    let mut text = format!("{}", 1 + random.below(4));
    if random.once_in(25) {
        text = random
            .one(&[
                "0",
                "99",
                "18446744073709551616",
                "",
                "a",
                "1.",
                ".1",
                "-1",
                "+1",
                " 1",
            ])
            .to_string();
    }
    if random.once_in(3) {
        text += &format!(".{}", least + random.below(4));
    }
    text + random.one(LETTERS)
}

fn key(random: &mut Generator) -> String {
    let least = 1 - usize::from(random.once_in(30));
    let start = position(random, least);
    match random.below(3) {
        0 => start,
        _ => format!("{start},{}", position(random, 0)),
    }
}

/// One call.
pub(super) fn call(random: &mut Generator) -> (Vec<String>, Option<Vec<u8>>) {
    let mut args = vec!["sort".to_string()];
    for _ in 0..random.below(4) {
        args.push(random.one(FLAGS).to_string());
    }
    for _ in 0..random.below(3) {
        args.push(format!("-k{}", key(random)));
    }
    for _ in 0..random.below(3) {
        args.push(random.one(OPERANDS).to_string());
    }
    args.iter_mut()
        .for_each(|arg| arg.retain(|character| character != '\0'));
    // What would write to a file or wait is for other tests.
    if args.iter().any(|arg| arg == "-o") {
        args.retain(|arg| arg != "-o");
    }
    let stdin = random.once_in(2).then(|| text(random));
    (args, stdin)
}
