//! Patterns of `grep`: what is taken selects the lines that the C library's matcher selects, and the index asks for
//! nothing that a selected line may lack (checked inside).
#![no_main]

mod glibc;

libfuzzer_sys::fuzz_target!(|input: (bool, bool, &str, &str)| {
    let (extended, fold, pattern, text) = input;
    let short = pattern.len() <= 200 && text.len() <= 200;
    if !short || pattern.contains(['\n', '\0']) || text.contains(['\n', '\0']) || text.is_empty() {
        return;
    }
    // A brace without an interval is a letter to grep's own automaton, which decides here, and none to the C library.
    if extended && pattern.contains('{') {
        return;
    }
    let Some(ours) = curserve_tools::fuzzing::grep_selects(pattern, extended, fold, text.as_bytes()) else {
        return;
    };
    let theirs = glibc::find(glibc::Reading::Grep, pattern, extended, fold, text.as_bytes());
    let theirs = theirs.map(|found| found.is_some());
    assert_eq!(Ok(ours), theirs, "{pattern:?} extended {extended} fold {fold} on {text:?}");
});
