//! Numbers and tables that no manual has: each was found by trying, and is tried again here on both sides of its border.

mod common;

use common::{load, ours, theirs, Answer};

/// The answer of both, which must be one; a refusal is none.
fn answer(folder: &std::path::Path, args: &[&str]) -> Answer {
    let args: Vec<String> = args.iter().map(|&word| word.into()).collect();
    let answer = ours(&load(folder), &args, None).unwrap_or_else(|why| panic!("{args:?}: {why}"));
    assert_eq!(answer, theirs(&args[0], folder, &args, None), "{args:?}");
    answer
}

#[test]
fn a_name_is_quoted_for_the_same_characters() {
    let folder = tempfile::tempdir().unwrap();
    for character in (b' '..=b'~').map(char::from).filter(|&c| c != '/') {
        for name in [
            format!("{character}"),
            format!("{character}b"),
            format!("a{character}b"),
            format!("a{character}"),
        ] {
            if !matches!(name.as_str(), "." | "-") {
                assert_eq!(answer(folder.path(), &["cat", "--", &name]).2, 1);
            }
        }
    }
}

#[test]
fn a_nul_is_early_up_to_the_same_byte() {
    let folder = tempfile::tempdir().unwrap();
    for (at, shown) in [(98_303, 0), (98_304, 1)] {
        let mut text = b"needle\n".to_vec();
        text.resize(at, b'x');
        text.extend_from_slice(b"\0\nneedle\n");
        std::fs::write(folder.path().join("f"), &text).unwrap();
        let args: Vec<String> = ["grep", "needle", "f"].map(String::from).into();
        let real = theirs("grep", folder.path(), &args, None);
        assert_eq!(
            real.0
                .split(|b| *b == b'\n')
                .filter(|l| !l.is_empty())
                .count(),
            shown
        );
        if let Ok(ours) = ours(&load(folder.path()), &args, None) {
            assert_eq!(ours, real, "a NUL at {at}");
        } else {
            assert_eq!(shown, 1, "an early one is answered");
        }
    }
}

#[test]
fn ls_shows_the_year_from_the_same_age_on() {
    let folder = tempfile::tempdir().unwrap();
    let now = std::time::SystemTime::now();
    for age in [15_778_476 - 60, 15_778_476 + 60] {
        let file = std::fs::File::create(folder.path().join(format!("aged {age}"))).unwrap();
        file.set_modified(now - std::time::Duration::from_secs(age))
            .unwrap();
    }
    let text = answer(folder.path(), &["ls", "-l"]).0;
    let rows: Vec<bool> = text
        .split(|b| *b == b'\n')
        .skip(1)
        .take(2)
        .map(|row| row.contains(&b':'))
        .collect();
    assert_eq!(rows, [true, false], "{}", String::from_utf8_lossy(&text));
}
