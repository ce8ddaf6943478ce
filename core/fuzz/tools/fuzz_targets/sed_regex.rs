//! Expressions of `sed`: what is taken is taken by the C library's matcher too, which finds the same first match.
#![no_main]

mod glibc;

libfuzzer_sys::fuzz_target!(|input: (bool, bool, &str, &str)| {
    let (extended, fold, pattern, text) = input;
    // Escapes that sed itself turns into characters never reach the matcher.
    let own = |next: &str| next.starts_with(|c: char| c.is_ascii_alphanumeric() && !"wWsSbB".contains(c));
    // One line: sed tells the matcher by another way that only the text's ends are ends.
    let short = pattern.len() <= 200 && text.len() <= 200 && !text.contains('\n');
    if !short || pattern.split('\\').skip(1).any(own) || pattern.contains(['\n', '\0']) {
        return;
    }
    let Some(ours) = curserve_tools::fuzzing::sed_match(pattern, extended, fold, text.as_bytes()) else {
        return;
    };
    let theirs = glibc::find(glibc::Reading::Sed, pattern, extended, fold, text.as_bytes());
    assert_eq!(Ok(ours), theirs, "{pattern:?} extended {extended} fold {fold} on {text:?}");
});
