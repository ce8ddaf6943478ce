//! Generated lines of shell: answered as the real `bash -c` answers, or refused.

mod common;
mod lines;

use common::{fill, Place};
use lines::Lines;

/// As many lines as CURSERVE_CASES says, from the seed that CI gives, or from the clock.
#[test]
fn a_generated_line_is_answered_as_bash_answers_it() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases = number("CURSERVE_CASES").unwrap_or(1500);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("a clock past 1970").as_nanos() as u64
    });
    let place = Place::new(fill);
    let mut lines = Lines::new(seed);
    let mut answered = 0;
    for _ in 0..cases {
        let line = lines.line();
        if place.ours(&line).is_err() {
            continue;
        }
        answered += 1;
        if place.difference(&line).is_some() {
            let least = place.shortened(&line);
            panic!("seed {seed}: {}", place.difference(&least).unwrap_or(line));
        }
    }
    assert!(
        answered > cases / 10,
        "seed {seed}: {answered} of {cases} answered"
    );
}
