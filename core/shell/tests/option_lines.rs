//! Lines from the tables of options, on a small odd tree, against the real shell and programs: equal, or refused.

mod common;
mod options;

use common::Place;
use options::random::Generator;
use options::{fill, line, PROGRAMS};

/// As many lines of each program as CURSERVE_CASES says, from the seed that CI gives, or from the clock.
#[test]
fn option_lines_are_answered_as_the_real_programs_answer() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases: u64 = number("CURSERVE_CASES").unwrap_or(60);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock past 1970").as_nanos() as u64
    });
    let place = Place::new(fill);
    let tables = curserve_tools::tables();
    let mut random = Generator::new(seed);
    let (mut answered, mut wrong) = (0, Vec::new());
    for program in PROGRAMS {
        for _ in 0..cases {
            let line = line(&mut random, program, &tables);
            answered += u64::from(place.ours(&line).is_ok());
            wrong.extend(place.difference(&line));
        }
    }
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
    let all = cases * PROGRAMS.len() as u64;
    assert!(
        answered > all / 5,
        "seed {seed}: {answered} of {all} answered"
    );
}
