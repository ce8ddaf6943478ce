//! grep against the real grep: random trees, patterns and flags; everything must be equal, or refused.

mod common;

use common::{load, ours, theirs};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

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
    "(?:a|ab)",
    "(b|o)?",
    ".*?",
    "(?i)",
    "(?=a)",
    "[\\w-]",
    "o{1,2}?",
    "\\x41",
    "[:alpha:]",
    "++",
    "[à-ÿ]",
    "[a-é]",
    "[^é]",
    "[ſé]",
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
    "{",
    "}",
    "\\.",
    "\\*",
    "\\-",
    "\\\"",
    ".*",
    "\\1",
    "x*",
    "-",
    "foo.*bar",
    "bar",
    "\\d",
    "[",
    "]",
    "[[:upper:]_]",
    "\n",
];
const TEXT: &[&str] = &[
    "a", "b", "ab", "foo", "bar", "foo bar", "_", "1", " ", "\t", "é", "ſ", "ı", "K", "İ", "\n",
    "\n", "\n", "\n\n", "A", "FOO", "x", "xx", "-", ".", "*", "(", ")", "{", "\u{301}", "abab",
    "aab", "\\", "\"", "s", "I", "fooo", "d",
];
const ODD: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\xef\xbb\xbf",
];
const FLAGS: &[&str] = &[
    "-n",
    "-n",
    "-i",
    "-i",
    "-v",
    "-l",
    "-L",
    "-c",
    "-o",
    "-w",
    "-x",
    "-h",
    "-H",
    "-s",
    "-q",
    "-m1",
    "-m2",
    "-A1",
    "-B1",
    "-C1",
    "-2",
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
    "-P",
    "--include=?.py",
    "--exclude=[!a]*",
    "--exclude-dir=[r-t]??",
    "--exclude-dir=sub",
    "-a",
    "-I",
    "-Z",
    "--color=never",
    "--no-group-separator",
    "-nr",
    "-rn",
    "-A",
    "0",
];
const OPERANDS: &[&str] = &[
    "a.py", "b.txt", "sub", "sub/c.py", ".", "./", "nope", "-", "link", "sub/", "dirlink", "empty",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let clean = prop::collection::vec(prop::sample::select(TEXT), 0..30)
        .prop_map(|parts| parts.concat().into_bytes());
    let odd = (clean.clone(), prop::sample::select(ODD), clean.clone())
        .prop_map(|(a, odd, b)| [a.as_slice(), odd, b.as_slice()].concat());
    prop_oneof![4 => clean, 1 => odd]
}

fn pattern() -> impl Strategy<Value = String> {
    let random =
        prop::collection::vec(prop::sample::select(PIECES), 1..5).prop_map(|parts| parts.concat());
    prop_oneof![3 => random, 2 => prop::sample::select(&["foo", "a", "def", "o", "bar", ""][..]).prop_map(str::to_string)]
}

fn arguments() -> impl Strategy<Value = Vec<String>> {
    let flags = prop::collection::vec(prop::sample::select(FLAGS), 0..4);
    let operands = prop::collection::vec(prop::sample::select(OPERANDS), 0..3);
    (flags, prop::collection::vec(pattern(), 1..3), operands).prop_map(
        |(flags, patterns, operands)| {
            let mut args = vec!["grep".to_string()];
            args.extend(flags.iter().map(|flag| flag.to_string()));
            if patterns.len() > 1 || patterns[0].starts_with('-') {
                args.extend(
                    patterns
                        .into_iter()
                        .flat_map(|pattern| ["-e".to_string(), pattern]),
                );
            } else {
                args.extend(patterns);
            }
            args.extend(operands.iter().map(|operand| operand.to_string()));
            args
        },
    )
}

#[test]
fn grep_equals_the_real_grep() {
    let cases = std::env::var("CURSERVE_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000);
    let (mut answered, mut refused) = (0u32, 0u32);
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir(root.join("sub")).unwrap();
    std::os::unix::fs::symlink("a.py", root.join("link")).unwrap();
    std::os::unix::fs::symlink("sub", root.join("dirlink")).unwrap();
    std::fs::write(root.join("empty"), "").unwrap();
    let corpus = load(root);
    let count = std::cell::RefCell::new((&mut answered, &mut refused));
    let strategy = (
        text(),
        text(),
        text(),
        arguments(),
        prop::option::of(text()),
    );
    let result = TestRunner::new(config).run(&strategy, |(a, b, c, args, stdin)| {
        for (name, bytes) in [("a.py", &a), ("b.txt", &b), ("sub/c.py", &c)] {
            std::fs::write(root.join(name), bytes).unwrap();
        }
        match ours(&corpus, &args, stdin.as_deref()) {
            Ok(answer) => {
                *count.borrow_mut().0 += 1;
                prop_assert_eq!(
                    answer,
                    theirs("grep", root, &args, stdin.as_deref()),
                    "{:?}",
                    args
                );
            }
            Err(_) => *count.borrow_mut().1 += 1,
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(answered > refused, "{answered} answered, {refused} refused");
}
