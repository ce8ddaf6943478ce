//! Lines multiply what a text takes: a name and a number before each, or a place in a list. A call counts that.

mod common;

use common::{load, ours_within};
use curserve_tools::{Memory, Refusal};

const LINES: usize = 100_000;

#[test]
fn what_lines_take_is_taken_from_the_calls_memory() {
    let folder = tempfile::tempdir().unwrap();
    let blanks = "\n".repeat(LINES);
    for file in 0..4 {
        std::fs::write(folder.path().join(format!("blanks{file}")), &blanks).unwrap();
    }
    let corpus = load(&folder.path().canonicalize().unwrap());
    for line in [
        "grep -n  blanks0",
        "grep -rn  .",
        "grep -rnb ^ blanks0 blanks1",
        "grep -n -A1 ^ blanks2",
        "rg -n ^ .",
        "sort blanks0",
        "sort -k1,1n blanks0 blanks1",
    ] {
        let args: Vec<String> = line.split(' ').map(Into::into).collect();
        let answer = |bytes| ours_within(&Memory::new(bytes), &corpus, &args, Some(b""));
        let little = answer(300_000);
        assert!(
            matches!(little, Err(Refusal::TooLarge(_))),
            "{line}: {little:?}"
        );
        assert!(answer(256 << 20).is_ok(), "{line}");
    }
}
