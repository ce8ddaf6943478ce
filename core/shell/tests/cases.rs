//! Every line of `answered.txt` is answered, and as the real `bash -c` answers it; every line of `refused.txt` is refused.

mod common;

use common::{fill, Place};

fn lines(text: &str) -> impl Iterator<Item = String> + '_ {
    text.lines()
        .filter(|l| !l.is_empty() && !l.starts_with("## "))
        .map(|l| l.replace("⏎", "\n"))
}

#[test]
fn these_are_answered_as_the_real_programs_answer() {
    let place = Place::new(fill);
    let mut wrong = Vec::new();
    let mut count = 0;
    for command in lines(include_str!("answered.txt")) {
        count += 1;
        if let Err(refusal) = place.ours(&command) {
            wrong.push(format!("{command}\n  refused: {refusal}"));
        }
        wrong.extend(place.difference(&command));
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn these_are_answered_as_the_real_programs_answer_or_refused() {
    let place = Place::new(|root| {
        fill(root);
        std::fs::write(root.join("code"), "var a = {};\na{2,1}\n[:space:]\na-_\n").expect("a file");
    });
    let wrong: Vec<String> = lines(include_str!("field.txt"))
        .filter_map(|command| place.difference(&command))
        .collect();
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn these_are_refused() {
    let place = Place::new(fill);
    let answered: Vec<String> = lines(include_str!("refused.txt"))
        .filter(|c| place.ours(c).is_ok())
        .collect();
    assert!(answered.is_empty(), "answered: {answered:#?}");
}

#[test]
fn a_command_line_that_runs_long_is_refused() {
    let place = Place::new(fill);
    assert!(place.ours("while true; do true; done").is_err());
    assert!(place.ours(&"(".repeat(5000)).is_err());
    assert!(place.ours(&"$(".repeat(200)).is_err());
    assert!(place.ours("cat {1..99999999999999999999}").is_err());
}
