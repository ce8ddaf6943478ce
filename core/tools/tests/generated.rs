//! `grep` and `sort` on generated trees and command lines, against the installed programs: equal, or refused.

mod common;
mod generate;

use common::{load, ours, theirs};
use generate::{Generator, Tree};

/// Command lines on one tree.
const PER_TREE: usize = 20;

#[test]
fn grep_equals_the_real_grep_on_generated_calls() {
    compare("grep", 1600);
}

#[test]
fn sort_equals_the_real_sort_on_generated_calls() {
    compare("sort", 600);
}

/// As many calls as CURSERVE_CASES says, or `cases`, from the seed that CI gives, or from the clock.
fn compare(program: &str, cases: u64) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases = number("CURSERVE_CASES").unwrap_or(cases);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock past 1970").as_nanos() as u64
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    Tree::skeleton(folder.path());
    let corpus = load(folder.path());
    let mut random = Generator::new(seed);
    let mut answered = 0;
    for case in 0..cases as usize {
        if case % PER_TREE == 0 {
            Tree::fill(folder.path(), program, &mut random);
        }
        let (args, stdin) = random.call(program);
        if let Ok(answer) = ours(&corpus, &args, stdin.as_deref()) {
            answered += 1;
            let real = theirs(program, folder.path(), &args, stdin.as_deref());
            assert_eq!(answer, real, "seed {seed}, {args:?}");
        }
    }
    assert!(
        answered > cases / 5,
        "seed {seed}: {answered} of {cases} answered"
    );
}

#[test]
fn a_long_option_cut_short_means_what_it_means_to_the_real_grep() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("f"), "x\ny x\nX\n").expect("a file");
    let corpus = load(folder.path());
    let help = theirs("grep", folder.path(), &words("grep --help"), None).0;
    let help = String::from_utf8(help).expect("text");
    let names: std::collections::BTreeSet<&str> = help
        .split("--")
        .skip(1)
        .map(|rest| {
            &rest[..rest
                .find(|c: char| !c.is_ascii_lowercase() && c != '-')
                .unwrap_or(rest.len())]
        })
        .filter(|name| !name.is_empty())
        .collect();
    assert!(names.len() > 40, "{names:?}");
    let mut answered = 0;
    for name in &names {
        for end in 1..=name.len() {
            for value in ["", "=1", "=f", "="] {
                let args = words(&format!("grep --{}{value} -e x f f", &name[..end]));
                if let Ok(answer) = ours(&corpus, &args, None) {
                    answered += 1;
                    assert_eq!(
                        answer,
                        theirs("grep", folder.path(), &args, None),
                        "{args:?}"
                    );
                }
            }
        }
    }
    assert!(answered > 200, "{answered}");
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_string).collect()
}
