//! Three versions of a text made into one, where what two people have changed does not touch.

use std::collections::HashMap;

/// The longest content that is merged: the time grows with the product of its length and of what has changed.
const MAX_LENGTH: usize = 1 << 20;
/// The most lines of the three together.
const MAX_LINES: usize = 15_000;

/// What both have made of `base`. None where they have changed the same lines or neighbours, or where it is no text.
pub(crate) fn merged(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    let all = [base, ours, theirs];
    let lines: usize = all.iter().map(|text| count(text)).sum();
    let is_text = all
        .iter()
        .all(|text| text.len() <= MAX_LENGTH && !text.contains(&0));
    if !is_text || lines > MAX_LINES {
        return None;
    }
    diffy::MergeOptions::new()
        .merge_bytes(base, ours, theirs)
        .ok()
        .filter(|made| is_sum(base, ours, theirs, made))
}

/// Whether every line that one of the two has added or taken away is so in `made`, and no other. Among equal lines, two
/// changes of different places can be taken for one of the same place, and one of them would be lost.
fn is_sum(base: &[u8], ours: &[u8], theirs: &[u8], made: &[u8]) -> bool {
    let mut counts: HashMap<&[u8], i64> = HashMap::new();
    for (text, sign) in [(base, 1), (made, 1), (ours, -1), (theirs, -1)] {
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            *counts.entry(line).or_default() += sign;
        }
    }
    counts.values().all(|count| *count == 0)
}

fn count(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line is one of ten, so that there is much to mistake for something else.
    fn text(rng: &mut fastrand::Rng, lines: usize) -> Vec<Vec<u8>> {
        (0..lines)
            .map(|_| format!("line {}\n", rng.u8(..10)).into_bytes())
            .collect()
    }

    #[test]
    fn what_does_not_touch_is_merged_and_what_does_is_not() {
        let mut rng = fastrand::Rng::with_seed(7);
        let mut clean = 0;
        for round in 0..3000 {
            let base = text(&mut rng, 30);
            let (mut ours, mut theirs) = (base.clone(), base.clone());
            let mut both = base.clone();
            let (one, other) = (rng.usize(..30), rng.usize(..30));
            ours[one] = b"ours\n".to_vec();
            theirs[other] = b"theirs\n".to_vec();
            (both[one], both[other]) = (ours[one].clone(), theirs[other].clone());
            let made = merged(&base.concat(), &ours.concat(), &theirs.concat());
            clean += usize::from(made.is_some());
            // Neighbours, and lines among equal ones, may stay apart; what is merged is right.
            assert!(
                made.is_none_or(|made| one != other && made == both.concat()),
                "{round}"
            );
        }
        assert!(clean > 2000, "{clean}");
    }

    #[test]
    fn neither_side_loses_a_line_in_what_is_merged() {
        let mut rng = fastrand::Rng::with_seed(8);
        let mut clean = 0;
        for round in 0..3000 {
            let base = text(&mut rng, 20);
            let mut change = |name: &str| {
                let mut lines = base.clone();
                for number in 0..rng.usize(1..4) {
                    let at = rng.usize(..lines.len());
                    let new = format!("{name} {number}\n").into_bytes();
                    match rng.usize(..3) {
                        0 => lines[at] = new,
                        1 => lines.insert(at, new),
                        _ => drop(lines.remove(at)),
                    }
                }
                lines
            };
            let (ours, theirs) = (change("ours"), change("theirs"));
            let Some(made) = merged(&base.concat(), &ours.concat(), &theirs.concat()) else {
                continue;
            };
            clean += 1;
            for line in ours
                .iter()
                .chain(&theirs)
                .filter(|line| !line.starts_with(b"line"))
            {
                let is_there = made.windows(line.len()).any(|part| part == &line[..]);
                assert!(is_there, "{round}: {:?}", String::from_utf8_lossy(line));
            }
        }
        assert!(clean > 1000, "{clean}");
    }

    #[test]
    fn what_is_no_text_or_too_long_is_not_merged() {
        let long = vec![b'x'; MAX_LENGTH + 1];
        assert_eq!(merged(b"a\0", b"a\0", b"a\0"), None);
        assert_eq!(merged(b"a\n", &long, b"a\n"), None);
        assert_eq!(merged(&b"\n".repeat(MAX_LINES), b"", b"a\n"), None);
        assert_eq!(merged(b"a\n", b"a\n", b"b\n").as_deref(), Some(&b"b\n"[..]));
        assert_eq!(merged(b"", b"one\n", b"two\n"), None);
    }

    /// The worst that a server can propose takes moments: every line another one.
    #[test]
    fn nothing_in_common_is_found_soon() {
        let lines = |name: &str| {
            (0..MAX_LINES / 3)
                .map(|n| format!("{name} {n}\n"))
                .collect::<String>()
        };
        let began = std::time::Instant::now();
        let made = merged(
            lines("a").as_bytes(),
            lines("b").as_bytes(),
            lines("c").as_bytes(),
        );
        println!("{:?}", began.elapsed());
        assert_eq!(made, None);
    }
}
