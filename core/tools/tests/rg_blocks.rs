//! rg and grep against the real ones over files so large that the index knows them by blocks, loaded as they are: what
//! the index and the scan leave out must hold no match.

mod common;

use std::cell::Cell;

use common::{load, ours, theirs, Answer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const PATTERNS: &[&str] = &[
    "needle",
    "NEEDLE",
    "needle_[0-9]+",
    r"need\w+\s+hay",
    "needle|haystack",
    r"\b\w{24,}\b",
    r"\w{20}",
    r"[0-9a-f]{32}",
    r"^\s*needle",
    "hay$",
    r"stack(\s|x)+needle",
    r"needle.*haystack",
    r"haystack[^q]+needle_42",
    "nowhere_to_be_found",
    r"\d{3}",
    "é",
];
const FLAGS: &[&str] = &[
    "-n", "-n", "-i", "-S", "-w", "-l", "-c", "-o", "-C1", "-U", "-v", "-F",
];
const LINES: &[&str] = &[
    "needle",
    "  needle haystack",
    "the haystack x needle_42 hay",
    "Needle é",
    "need",
    "stack",
    "a_word_of_more_than_twenty_four_letters",
    "é_word_of_more_than_twenty_four_letters",
    "0123456789abcdef0123456789abcdef01",
    "",
    "\u{a0}needle\u{a0}hay",
];
/// A file's lines in turn with so many of filler.
const GAPS: &[usize] = &[0, 1, 300, 2000];

fn file() -> impl Strategy<Value = Vec<u8>> {
    let line = (prop::sample::select(LINES), prop::sample::select(GAPS));
    let lines = prop::collection::vec(line, 0..12);
    (lines, any::<bool>()).prop_map(|(lines, ends)| {
        let mut text = String::new();
        for (at, (line, gap)) in lines.into_iter().enumerate() {
            text.push_str(&format!("filler of a line or so, {at}\n").repeat(gap));
            text.push_str(line);
            text.push('\n');
        }
        if !ends {
            text.pop();
        }
        text.into_bytes()
    })
}

fn sorted(Answer(out, err, code): Answer) -> (Vec<Vec<u8>>, Vec<u8>, i32) {
    let mut lines: Vec<Vec<u8>> = out
        .split_inclusive(|&b| b == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    lines.sort_unstable();
    (lines, err, code)
}

#[test]
fn large_files_are_searched_as_the_real_programs_do() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.venv/bin/rg");
    let rg = if std::path::Path::new(beside).exists() {
        beside
    } else {
        "rg"
    };
    let is_15 = std::process::Command::new(rg)
        .arg("--version")
        .output()
        .is_ok_and(|output| output.stdout.starts_with(b"ripgrep 15."));
    let flags = prop::collection::vec(prop::sample::select(FLAGS), 0..3);
    let strategy = (
        file(),
        file(),
        flags,
        prop::sample::select(PATTERNS),
        any::<bool>(),
    );
    let config = Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    };
    let answered = Cell::new(0);
    let result = TestRunner::new(config).run(&strategy, |(a, b, flags, pattern, as_rg)| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.txt"), a).unwrap();
        std::fs::write(folder.path().join("b.txt"), b).unwrap();
        let corpus = load(folder.path());
        let program = if as_rg { rg } else { "grep" };
        if as_rg && !is_15 {
            return Ok(());
        }
        let mut args = vec![if as_rg { "rg" } else { "grep" }.to_string()];
        args.extend(flags.iter().map(|flag| flag.to_string()));
        if !as_rg {
            args.push("-rE".into());
        }
        args.push(format!("-e{pattern}"));
        if let Ok(answer) = ours(&corpus, &args, None) {
            answered.set(answered.get() + 1);
            let real = theirs(program, folder.path(), &args, None);
            prop_assert_eq!(sorted(answer), sorted(real), "{:?}", args);
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    assert!(answered.get() > 50, "{answered:?} answered");
}
