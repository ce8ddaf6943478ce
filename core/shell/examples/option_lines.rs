//! Lines from the tables of options, each answered here and by the real shell:
//!
//!     cargo run --release -p curserve-shell --example option_lines -- LINES SEED [PROGRAM…] [--refused] [--c]
//!
//! Every answer must be equal to the real one in output, messages and exit code; a refusal counts as none. `--refused` counts
//! the reasons, `--c` takes the C locale. Exit code 1 after a difference.

#[path = "../tests/common/mod.rs"]
mod common;
#[path = "../tests/options/mod.rs"]
mod options;

use std::collections::BTreeMap;

use common::Place;
use curserve_shell::{Called, Caller};
use options::random::Generator;
use options::{fill, line, PROGRAMS};

/// A bash that somebody else starts.
const IN_C: Caller = Caller {
    shell: Called::Bash("bash"),
    has_input: false,
    merged: false,
    sorts_otherwise: false,
};

fn main() {
    let usage = "option_lines LINES SEED [PROGRAM…] [--refused] [--c]";
    let (flags, words): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|word| word.starts_with("--"));
    let asked = |flag: &str| flags.iter().any(|word| word == flag);
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let (Some(lines), Some(seed)) = (number(0), number(1)) else {
        panic!("{usage}");
    };
    let programs: Vec<&str> = match &words[2..] {
        [] => PROGRAMS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let in_c = asked("--c");
    let place = Place::new(fill);
    let tables = curserve_tools::tables();
    let mut random = Generator::new(seed);
    let mut counts: BTreeMap<&str, [u64; 3]> = BTreeMap::new();
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for at in 0..lines {
        let program = programs[(at % programs.len() as u64) as usize];
        let line = line(&mut random, program, &tables);
        let count = counts.entry(program).or_default();
        let ours = match in_c {
            true => place.ours_called(&line, IN_C, "C"),
            false => place.ours(&line),
        };
        match ours {
            Err(refusal) => {
                count[1] += 1;
                *reasons.entry(format!("{program}: {refusal}")).or_default() += 1;
            }
            Ok(_) => {
                count[0] += 1;
                let difference = match in_c {
                    true => place.difference_called(&line, IN_C, "C"),
                    false => place.difference(&line),
                };
                if let Some(difference) = difference {
                    count[2] += 1;
                    println!("{difference}");
                }
            }
        }
    }
    if asked("--refused") {
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (reason, count) in reasons.iter().take(60) {
            println!("{count:6}  {reason}");
        }
    }
    for (program, [answered, refused, wrong]) in &counts {
        println!("{program}: {answered} answered, {refused} refused, {wrong} wrong");
    }
    let wrong: u64 = counts.values().map(|count| count[2]).sum();
    println!("seed {seed}: {lines} lines, {wrong} wrong");
    std::process::exit(i32::from(wrong > 0));
}
