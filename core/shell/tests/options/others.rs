//! Words of programs that read their command lines in ways of their own.

use super::random::Generator;
use super::{tree, values};

/// The words behind the name of `program`.
pub fn words(random: &mut Generator, program: &str) -> Vec<String> {
    match program {
        "find" => find(random),
        "printf" => printf(random),
        "seq" => seq(random),
        "test" => test(random),
        "echo" => some(
            random,
            &[
                "-n", "-e", "-E", "-ne", "a", "\\t", "\\c", "\\0101", "\\x41", "--", "-", "-x", "",
                "--help", "\\e", "\\u00e9", "\\18",
            ],
            4,
        ),
        "basename" | "dirname" => some(
            random,
            &[
                "a/b.c",
                "a",
                "/",
                "//",
                "",
                "a/",
                ".c",
                "b.c",
                "-a",
                "-s",
                "-z",
                "--",
                "--suffix=.c",
                "--suf=.c",
                "-s.c",
                "a//b//",
                "///",
                "a b",
                "--multiple",
                "--zero",
                "é/é",
            ],
            3,
        ),
        "tac" => {
            let mut words = some(
                random,
                &[
                    "-b", "-r", "-s", "--before", "--sep=x", "--regex", "-sx", "-x", "--",
                ],
                1,
            );
            if random.once_in(2) {
                words.clear();
            }
            for _ in 0..random.below(3) {
                words.push(tree::name(random));
            }
            words
        }
        _ => Vec::new(),
    }
}

fn some(random: &mut Generator, of: &[&str], most: usize) -> Vec<String> {
    (0..random.below(most + 1))
        .map(|_| random.one(of).to_string())
        .collect()
}

fn find(random: &mut Generator) -> Vec<String> {
    let mut words = Vec::new();
    if random.once_in(8) {
        words.push(
            random
                .one(&["-H", "-P", "-L", "-O1", "-O3", "-O", "-D"])
                .to_string(),
        );
    }
    for _ in 0..random.below(3) {
        words.push(tree::name(random));
    }
    for _ in 0..random.below(4) {
        let n = values::number(random, None);
        let sign = random.one(&["", "+", "-"]);
        match random.below(22) {
            0 => words.extend(["-maxdepth".into(), n]),
            1 => words.extend(["-mindepth".into(), n]),
            2 => words.extend([
                "-size".into(),
                format!(
                    "{sign}{n}{}",
                    random.one(&["", "c", "k", "b", "w", "M", "G", "x", "cc"])
                ),
            ]),
            3 => words.extend(["-links".into(), format!("{sign}{n}")]),
            4 => words.extend([
                "-perm".into(),
                format!(
                    "{}{}",
                    random.one(&["", "-", "/", "+"]),
                    random.one(&[
                        "644", "0644", "000", "0", "7777", "10000", "8", "u+x", "a=r", "", "644 ",
                        "00000", "111", "-1"
                    ])
                ),
            ]),
            5 => words.extend([
                "-type".into(),
                random
                    .one(&[
                        "f", "d", "l", "f,d", "f,f", "", ",", "f,", "fd", "x", "d,l,f", "D", "p",
                        "f,d,f",
                    ])
                    .to_string(),
            ]),
            6 => words.extend([
                "-name".into(),
                random
                    .one(&[
                        "a", "*.py", "*", "", "a/b", "[", "[a", ".*", "\\*", "?", "é", "a\\",
                        "[!a]*",
                    ])
                    .to_string(),
            ]),
            7 => words.extend([
                "-path".into(),
                random
                    .one(&["*sub*", "./a", "", "sub/", "*/", "sub/*"])
                    .to_string(),
            ]),
            8 => words.push("-empty".into()),
            9 => words.push(
                random
                    .one(&["-print", "-print0", "-prune", "-quit", "-depth", "-d"])
                    .to_string(),
            ),
            10 => words.push(
                random
                    .one(&[
                        "!", "-not", "-o", "-a", "(", ")", ",", "-true", "-false", "-and", "-or",
                    ])
                    .to_string(),
            ),
            11 => words.extend([
                "-printf".into(),
                random
                    .one(&[
                        "%p\\n", "%f %s\\n", "%h\\n", "%d %y\\n", "%m\\n", "%z\\n", "\\101\\n",
                        "%5p\\n", "%-5s|\\n", "%", "\\", "%%\\n", "\\c", "%P|%H\\n", "%l\\n",
                    ])
                    .to_string(),
            ]),
            12 => words.extend([
                random
                    .one(&["-exec", "-exec", "-execdir", "-ok"])
                    .to_string(),
                "echo".into(),
                random.one(&["{}", "x{}", "", "{} {}", "a"]).to_string(),
                random.one(&[";", ";", ";", "+"]).to_string(),
            ]),
            13 => words.extend(["-newer".into(), tree::name(random)]),
            14 => words.extend([
                random
                    .one(&["-mtime", "-mmin", "-atime", "-ctime"])
                    .to_string(),
                format!("{sign}{n}"),
            ]),
            15 => words.push(
                random
                    .one(&["-readable", "-writable", "-executable"])
                    .to_string(),
            ),
            16 => words.extend([
                "-iname".into(),
                random.one(&["A*", "É", "*.PY"]).to_string(),
            ]),
            17 => words.extend([
                random.one(&["-uid", "-gid", "-inum", "-used"]).to_string(),
                format!("{sign}{n}"),
            ]),
            18 => words.extend([
                "-lname".into(),
                random.one(&["a", "*", "s*", ""]).to_string(),
            ]),
            19 => words.extend(["-regex".into(), random.one(&[".*a", "./a", ""]).to_string()]),
            20 => words.push(
                random
                    .one(&[
                        "-maxdepth",
                        "-name",
                        "-size",
                        "-exec",
                        "-nope",
                        "-maxdept",
                        "-print0x",
                        "--maxdepth",
                        "-type=f",
                        "-mount",
                        "-xdev",
                        "-noleaf",
                        "-nowarn",
                        "-warn",
                    ])
                    .to_string(),
            ),
            _ => words.push("-print".into()),
        }
    }
    words
}

fn printf(random: &mut Generator) -> Vec<String> {
    let n = values::number(random, None);
    let format = match random.below(14) {
        0 => format!("%{n}d\\n"),
        1 => format!("%.{n}d\\n"),
        2 => format!("%-{n}s|\\n"),
        3 => format!("%.{n}s|\\n"),
        4 => format!(
            "%{}\\n",
            random.one(&[
                "d", "i", "u", "x", "X", "o", "s", "c", "b", "q", "%", "e", "f", "g", "a", "5%",
                "", "z", "ld", "hhd"
            ])
        ),
        5 => "%s %s\\n".into(),
        6 => format!("%0{n}d\\n"),
        7 => format!("%+{n}d\\n"),
        8 => "%d %x\\n".into(),
        9 => random
            .one(&[
                "a\\n", "\\101", "\\c", "\\x41", "\\u00e9", "\\", "\\8", "--", "-n", "", "%",
                "\\0", "\\01234", "\\e", "\\'", "\\\"", "\\q", "%%",
            ])
            .to_string(),
        10 => "%*d|\\n".into(),
        11 => "%b|".into(),
        12 => "% d|%#x\\n".into(),
        _ => "%c|".into(),
    };
    let mut words = vec![format];
    for _ in 0..random.below(3) {
        words.push(match random.below(2) {
            0 => values::number(random, None),
            _ => random
                .one(&["a", "", "'a", "\"b", "abc", "\\n", "\\c", "é", "0x1f", "-"])
                .to_string(),
        });
    }
    words
}

fn seq(random: &mut Generator) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..random.below(2) {
        words.push(
            random
                .one(&[
                    "-w",
                    "-s",
                    "-s,",
                    "-f%g",
                    "-f",
                    "--equal-width",
                    "--eq",
                    "--separator=,",
                    "--",
                    "-s ",
                    "-n",
                ])
                .to_string(),
        );
    }
    for _ in 0..random.below(4) {
        let text = values::part(random);
        // So that it ends soon.
        words.push(match text.len() > 3 {
            true if random.once_in(4) => text,
            true => random
                .one(&["3", "-2", "1.5", "0", "-0", "07", "1e1", "0x2", "+4", ".5"])
                .to_string(),
            false => text,
        });
    }
    words
}

fn test(random: &mut Generator) -> Vec<String> {
    let mut words = Vec::new();
    for _ in 0..1 + random.below(2) {
        if !words.is_empty() {
            words.push(random.one(&["-a", "-o", "x"]).to_string());
        }
        match random.below(5) {
            0 => words.extend([
                values::number(random, None),
                random
                    .one(&["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-x"])
                    .to_string(),
                values::number(random, None),
            ]),
            1 => words.extend([
                random
                    .one(&[
                        "-f", "-d", "-e", "-s", "-L", "-x", "-r", "-w", "-h", "-b", "-z", "-n",
                        "-t", "-N", "-u", "-k", "-O", "-Q",
                    ])
                    .to_string(),
                tree::name(random),
            ]),
            2 => words.extend([
                tree::name(random),
                random
                    .one(&["=", "!=", "==", "<", ">", "-nt", "-ot", "-ef"])
                    .to_string(),
                tree::name(random),
            ]),
            3 => words.push(
                random
                    .one(&["!", "(", ")", "", "a", "-f", "-a", "-n"])
                    .to_string(),
            ),
            _ => words.extend(["!".to_string(), tree::name(random)]),
        }
    }
    words
}
