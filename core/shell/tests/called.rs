//! Shells that others start: dash, bash by another name, with something to read, and in the C locale.

mod common;
mod lines;

use common::{fill, Place};
use curserve_shell::{Called, Caller};
use lines::Lines;

const DASH: Caller = Caller {
    shell: Called::Dash,
    has_input: false,
    merged: false,
    sorts_otherwise: false,
};
const BASH: Caller = Caller {
    shell: Called::Bash("bash"),
    ..DASH
};
const BY_PATH: Caller = Caller {
    shell: Called::Bash("/bin/bash"),
    ..DASH
};
const FED: Caller = Caller {
    has_input: true,
    ..BASH
};

/// Every line that the other tests have.
fn known() -> impl Iterator<Item = String> {
    let texts = [
        include_str!("answered.txt"),
        include_str!("refused.txt"),
        include_str!("field.txt"),
    ];
    let of = |text: &'static str| {
        text.lines()
            .filter(|line| !line.is_empty() && !line.starts_with("## "))
    };
    texts
        .into_iter()
        .flat_map(of)
        .map(|line| line.replace("⏎", "\n"))
}

/// The lines are answered as the real shell answers them, or refused; `least` of them are answered.
fn hold(
    place: &Place,
    lines: impl Iterator<Item = String>,
    caller: Caller,
    locale: &str,
    least: usize,
) {
    let mut answered = 0;
    let mut wrong = Vec::new();
    for line in lines {
        if place.ours_called(&line, caller, locale).is_err() {
            continue;
        }
        answered += 1;
        wrong.extend(place.difference_called(&line, caller, locale));
    }
    assert!(
        wrong.is_empty(),
        "{caller:?} {locale} {}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        answered >= least,
        "{caller:?} {locale}: {answered} answered"
    );
}

fn place() -> Place {
    Place::new(|root| {
        fill(root);
        std::fs::write(root.join("code"), "var a = {};\na{2,1}\n[:space:]\na-_\n").expect("a file");
    })
}

#[test]
fn known_lines_are_those_of_the_shell_that_was_called() {
    let place = place();
    hold(&place, known(), DASH, "C.UTF-8", 200);
    hold(&place, known(), BY_PATH, "C.UTF-8", 500);
    hold(&place, known(), FED, "C.UTF-8", 400);
    hold(&place, known(), BASH, "C", 100);
    hold(
        &place,
        known(),
        Caller {
            sorts_otherwise: true,
            ..BASH
        },
        "C",
        80,
    );
}

#[test]
fn generated_lines_are_those_of_the_shell_that_was_called() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let cases: usize = number("CURSERVE_CASES").unwrap_or(800);
    let seed = number("PROPTEST_RNG_SEED").unwrap_or(17) as u64;
    let place = place();
    for (caller, locale) in [(DASH, "C.UTF-8"), (FED, "C.UTF-8"), (BASH, "C")] {
        let mut lines = Lines::new(seed);
        let lines = std::iter::repeat_with(|| lines.line()).take(cases);
        hold(&place, lines, caller, locale, 1);
    }
}

#[test]
fn what_would_read_an_unknown_input_is_refused_and_the_rest_is_not() {
    let place = place();
    for line in [
        "cat",
        "grep x",
        "wc -l",
        "cat - docs/a.txt",
        "read x; echo $x",
        "head -1 | cat",
        "rg x",
        "sort -",
        "find . -exec cat ';'",
        "find . -exec grep x +",
        "xargs echo",
        "while read l; do echo $l; done",
    ] {
        assert!(place.ours_called(line, FED, "C.UTF-8").is_err(), "{line}");
    }
    for line in [
        "cat docs/a.txt | wc -l",
        "grep -rn def . | head -1",
        "find . -name '*.py' -exec grep -l def {} +",
        "cat < docs/a.txt",
        "rg -c def src",
        "cat <<E\nx\nE",
        "find . -exec grep -l def {} ';'",
    ] {
        assert!(place.ours_called(line, FED, "C.UTF-8").is_ok(), "{line}");
    }
}

#[test]
fn two_outputs_that_are_one_hold_all_in_order() {
    let place = place();
    let one = Caller {
        merged: true,
        ..BASH
    };
    hold(&place, known(), one, "C.UTF-8", 500);
    hold(
        &place,
        known(),
        Caller {
            merged: true,
            ..DASH
        },
        "C.UTF-8",
        200,
    );
}

#[test]
fn nothing_is_written_for_another() {
    let place = place();
    for line in [
        "echo x > new",
        "sed -i s/a/b/ docs/a.txt",
        "grep x docs/a.txt >> out",
        "touch new",
    ] {
        assert!(place.ours_called(line, BASH, "C.UTF-8").is_err(), "{line}");
    }
    assert!(place
        .ours_called("ls 2>/dev/null >/dev/null", BASH, "C.UTF-8")
        .is_ok());
}

#[test]
fn what_only_the_callers_shell_knows_is_refused() {
    let place = place();
    for line in [
        "echo $OLDPWD",
        "cd -",
        "echo $LANG",
        "LANG=C sort list",
        "TZ=x ls -l",
        "HOME=/x cd",
        "echo $SHLVL",
    ] {
        assert!(place.ours_called(line, BASH, "C.UTF-8").is_err(), "{line}");
    }
    let answer = place
        .ours_called("echo $0; cd nowhere", BY_PATH, "C.UTF-8")
        .expect("an answer");
    assert_eq!(answer.stdout, b"/bin/bash\n");
    assert_eq!(
        answer.stderr,
        b"/bin/bash: line 1: cd: nowhere: No such file or directory\n"
    );
}
