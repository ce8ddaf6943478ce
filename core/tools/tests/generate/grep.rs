//! Command lines of `grep`.

use super::Generator;

const PIECES: &[&str] = &[
    "a",
    "b",
    "ab",
    "foo",
    "fo",
    "o",
    "_",
    "1",
    " ",
    "é",
    "ſ",
    "i",
    "s",
    "S",
    "K",
    ".",
    ".",
    "*",
    "\\+",
    "\\?",
    "+",
    "?",
    "^",
    "$",
    "\\(",
    "\\)",
    "(",
    ")",
    "\\|",
    "|",
    "[ab]",
    "[^a]",
    "[a-f]",
    "[[:alpha:]]",
    "[[:space:]]",
    "[]a]",
    "[^]a]",
    "[a-]",
    "[[:digit:]a]",
    "[[.a.]]",
    "[[=a=]]",
    "[[.-.]]",
    "[z-a]",
    "[[:alpha:]-z]",
    "[a\\]",
    "[[:foo:]]",
    "[A-z]",
    "(b|o)?",
    ".*?",
    "\\w",
    "\\W",
    "\\s",
    "\\S",
    "\\b",
    "\\<",
    "\\>",
    "\\B",
    "\\{1,2\\}",
    "{1,2}",
    "{2}",
    "{,1}",
    "{1,}",
    "{",
    "}",
    "{1",
    "{a}",
    "{1,2",
    "{2,1}",
    "\\{",
    "\\}",
    "\\{2\\}",
    "\\{,2\\}",
    "\\{1",
    "\\.",
    "\\*",
    "\\-",
    "\\\"",
    "\\/",
    ".*",
    "\\1",
    "\\2",
    "x*",
    "-",
    "foo.*bar",
    "bar",
    "\\d",
    "[",
    "]",
    "[[:upper:]_]",
    "\n",
    "\\^",
    "\\$",
    "\\[",
    "\\]",
    "\\`",
    "\\'",
    "\\\\",
    "\\n",
    "\\t",
    "()",
    "\\(\\)",
    "(^a)",
    "(a$)",
    "\\(^a\\)",
    "a^b",
    "a$b",
    "x\\|^y",
    "\\(a\\|b\\)*",
    "(a|b)+",
    "(ab){2}",
    "\\(ab\\)\\{2\\}",
    "^*",
    "^*ab",
    "\\(*a\\)",
    "(*a)",
    "(|a)",
    "(a|)",
    "a||b",
    "|a",
    "a|",
    "^+",
    "\\|*",
    "[à-ÿ]",
    "[a-é]",
    "[^é]",
    "[ſé]",
    "(?:a|ab)",
    "(?i)",
    "(?=a)",
    "[\\w-]",
    "o{1,2}?",
    "\\x41",
    "[:alpha:]",
    "++",
];
const PLAIN: &[&str] = &[
    "foo", "a", "def", "o", "bar", "", "foo bar", "x", "^a", "o$", "^", "$", ".", "a.*", "fo*",
    "[ab]", "ab\\|foo", "foo|bar",
];
const TEXT: &[&str] = &[
    "a", "b", "ab", "foo", "bar", "foo bar", "_", "1", " ", "\t", "é", "ſ", "ı", "K", "İ", "\n",
    "\n", "\n", "\n\n", "A", "FOO", "x", "xx", "-", ".", "*", "(", ")", "{", "\u{301}", "abab",
    "aab", "\\", "\"", "s", "I", "fooo", "d", "^", "$", "[", "]", "{1,2}", "a\n", "foo\n",
];
const FLAGS: &[&str] = &[
    "-n",
    "-n",
    "-i",
    "-i",
    "-v",
    "-v",
    "-l",
    "-L",
    "-c",
    "-o",
    "-o",
    "-w",
    "-x",
    "-h",
    "-H",
    "-s",
    "-q",
    "-m1",
    "-m2",
    "-m0",
    "-A1",
    "-B1",
    "-C1",
    "-2",
    "-A2",
    "-B3",
    "-C0",
    "-E",
    "-E",
    "-E",
    "-F",
    "-r",
    "-r",
    "-R",
    "--include=*.py",
    "--exclude=b*",
    "-b",
    "-P",
    "--include=?.py",
    "--exclude=[!a]*",
    "--exclude-dir=[r-t]??",
    "--exclude-dir=sub",
    "--exclude-dir=sub/",
    "--exclude-dir=*",
    "--exclude-dir=.",
    "--exclude=sub/c.py",
    "--exclude=*/c.py",
    "--exclude=*",
    "--include=sub",
    "--include=*",
    "--exclude=c.py",
    "--exclude-dir=sub/deep",
    "--exclude-dir=deep",
    "--exclude=sub",
    "--exclude=.*",
    "--include=*.txt",
    "-a",
    "-I",
    "-Z",
    "-z",
    "-T",
    "-U",
    "--color=never",
    "--no-group-separator",
    "--group-separator=XX",
    "--group-separator",
    "-nr",
    "-rn",
    "-A",
    "0",
    "-y",
    "--no-ignore-case",
    "-m",
    "-d",
    "skip",
    "recurse",
    "-dskip",
    "-drecurse",
    "--line-buffered",
    "--label=L",
    "-G",
    "-u",
    "-X",
    "-on",
    "-ob",
    "-nb",
    "-cv",
    "-vn",
    "-lv",
    "-Lv",
    "--count",
    "--inv",
    "--max-count=1",
    "--context",
    "--context=1",
    "--after-context=1",
    "--only-matching",
    "--regexp=foo",
    "-fpatterns",
    "--file=patterns",
    "-fempty",
    "--binary-files=text",
    "--binary-files=without-match",
    "--binary-files=binary",
    "--null",
    "--quiet",
    "--silent",
    "--files-with-matches",
    "--files-without-match",
    "--word-regexp",
    "--line-regexp",
    "--byte-offset",
    "--with-filename",
    "--no-filename",
    "--recursive",
    "--text",
    "--fi=patterns",
];
const OPERANDS: &[&str] = &[
    "a.py",
    "a.py",
    "b.txt",
    "b.txt",
    "sub",
    "sub/c.py",
    ".",
    "./",
    "nope",
    "-",
    "link",
    "sub/",
    "dirlink",
    "dirlink/",
    "empty",
    "void",
    "./a.py",
    "sub//c.py",
    "dangling",
    "sub/deep",
    "sub/deep/",
    "/dev/null",
    "é.md",
    "a.py/",
    "sub/../a.py",
    "*.py",
];
const ODD: &[&[u8]] = &[
    b"\0",
    b"\0\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80\n",
    b"a\xf8\x88\x80\x80\x80foo",
    b"\xf6\xb0",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\0foo\n",
    b"\xffa\n",
];

/// A file to search, now and then with bytes that are no text.
pub(super) fn text(random: &mut Generator) -> Vec<u8> {
    let mut text = random.some(TEXT, 0, 30).into_bytes();
    if random.once_in(5) {
        text.extend(random.one(ODD));
        text.extend(random.some(TEXT, 0, 12).bytes());
    }
    if random.once_in(3) && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

/// A file of patterns.
pub(super) fn patterns(random: &mut Generator) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..random.below(4) {
        all.extend(pattern(random).bytes());
        all.push(b'\n');
    }
    if random.once_in(4) {
        all.extend(b"foo");
    }
    all
}

fn pattern(random: &mut Generator) -> String {
    match random.below(5) {
        0 | 1 => random.one(PLAIN).to_string(),
        _ => random.some(PIECES, 1, 5),
    }
}

/// One call.
pub(super) fn call(random: &mut Generator) -> (Vec<String>, Option<Vec<u8>>) {
    let mut args = vec!["grep".to_string()];
    for _ in 0..random.below(5) {
        args.push(random.one(FLAGS).to_string());
    }
    let first = pattern(random);
    if random.once_in(5) || first.starts_with('-') {
        for _ in 0..1 + random.below(3) {
            args.push("-e".to_string());
            args.push(pattern(random));
        }
    } else {
        args.push(first);
    }
    for _ in 0..random.below(4) {
        args.push(random.one(OPERANDS).to_string());
    }
    if random.once_in(8) {
        args.push(random.one(FLAGS).to_string());
    }
    args.iter_mut()
        .for_each(|arg| arg.retain(|character| character != '\0'));
    let stdin = random.once_in(2).then(|| text(random));
    (args, stdin)
}
