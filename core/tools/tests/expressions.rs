//! Expressions near the border of each dialect (`generate/expressions.rs`) against the installed programs: equal, or refused.
//!
//! With every test run some; `CURSERVE_CASES=50000 cargo test --release -p curserve-tools --test expressions` as many as
//! asked for, of each program, and `PROPTEST_RNG_SEED` says where to begin.

mod common;
mod generate;

use common::{load, ours, theirs};
use generate::Generator;

/// Differences that are shown before the search ends.
const MOST_SHOWN: usize = 40;

#[test]
fn expressions_of_grep_mean_what_they_mean_to_the_real_grep() {
    compare("grep", "grep", 5);
}

#[test]
fn expressions_of_sed_mean_what_they_mean_to_the_real_sed() {
    compare("sed", "sed", 8);
}

/// All of them are refused today, and some of them would be errors.
#[test]
fn expressions_of_find_mean_what_they_mean_to_the_real_find() {
    compare("find", "find", usize::MAX);
}

#[test]
fn expressions_of_rg_mean_what_they_mean_to_the_real_rg() {
    match common::rg() {
        Some(real) => compare("rg", &real, 5),
        None => eprintln!("skipped: no rg 15 in .venv/bin or on PATH"),
    }
}

/// As many calls as CURSERVE_CASES says, from the seed that CI gives, or from the clock. One of `least` is answered.
fn compare(program: &str, real: &str, least: usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases: u64 = number("CURSERVE_CASES").unwrap_or(500);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock past 1970").as_nanos() as u64
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    for name in ["a", "b.txt", "a{1}", "[:space:]", "a\\b", "é", "patterns"] {
        std::fs::write(root.join(name), "").expect("a file");
    }
    let corpus = load(root);
    let mut random = Generator::new(seed);
    let (mut answered, mut wrong) = (0, Vec::new());
    for case in 0..cases {
        let (args, mut stdin) = random.expression(program);
        if case % 64 == 0 {
            std::fs::write(root.join("patterns"), random.expressions()).expect("a file");
        }
        if program == "rg" {
            std::fs::write(root.join("b.txt"), stdin.take().unwrap_or_default()).expect("a file");
        }
        let Ok(answer) = ours(&corpus, &args, stdin.as_deref()) else {
            continue;
        };
        answered += 1;
        let expected = theirs(real, root, &args, stdin.as_deref());
        if answer != expected {
            let stdin = stdin.map(|bytes| bytes.escape_ascii().to_string());
            wrong.push(format!(
                "{args:?} on {stdin:?}\n  here {answer:?}\n  real {expected:?}"
            ));
            if wrong.len() == MOST_SHOWN {
                break;
            }
        }
    }
    println!("{program}: {answered} of {cases} answered, seed {seed}");
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    assert!(
        answered >= cases as usize / least,
        "seed {seed}: {answered} of {cases} answered"
    );
}
