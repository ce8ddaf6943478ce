//! What every match must hold: of these few strings one, so that only lines with one of them need an automaton.
//!
//! Which of several to take is a guess at what is rare in code; a bad one costs time only.

use regex_syntax::hir::{Class, Hir, HirKind};

/// More strings than this are not looked for.
const MOST: usize = 64;
/// A class of more characters than this may be anything.
const MOST_CHARACTERS: usize = 4;

type Strings = Vec<Vec<u8>>;

/// Strings of which each match of `hir` holds one; None: there are none, or too many.
pub(super) fn needles(hir: &Hir) -> Option<Strings> {
    // With the cases of three letters, or else of two.
    let usable = |strings: &Strings| {
        let shortest = strings.iter().map(Vec::len).min().unwrap_or(0);
        // Of single characters only one is looked for quickly.
        strings.len() <= MOST && shortest > usize::from(strings.len() > 1)
    };
    let mut found = [8, 4]
        .iter()
        .filter_map(|variants| held(hir, *variants).best())
        .find(usable)?;
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// What is known of a part.
struct Held {
    /// All that it matches, where that is little.
    exact: Option<Strings>,
    /// Strings of which each match holds one, if not those.
    holds: Option<Strings>,
}

impl Held {
    fn exactly(strings: Strings) -> Held {
        Held {
            exact: Some(strings),
            holds: None,
        }
    }

    fn holding(holds: Option<Strings>) -> Held {
        Held { exact: None, holds }
    }

    fn best(self) -> Option<Strings> {
        let strings = self.exact.or(self.holds)?;
        (!strings.iter().any(Vec::is_empty)).then_some(strings)
    }
}

fn held(hir: &Hir, variants: usize) -> Held {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Held::exactly(vec![Vec::new()]),
        HirKind::Literal(literal) => Held::exactly(vec![literal.0.to_vec()]),
        HirKind::Class(class) => characters(class).map_or(Held::holding(None), Held::exactly),
        HirKind::Repetition(repetition) if repetition.min == 0 => Held::holding(None),
        HirKind::Repetition(repetition) => Held::holding(held(&repetition.sub, variants).best()),
        HirKind::Capture(capture) => held(&capture.sub, variants),
        HirKind::Concat(parts) => concat(parts, variants),
        HirKind::Alternation(parts) => alternation(parts, variants),
    }
}

/// The characters of a small class; of none there are no strings to choose from, and a product with it would be no bound.
fn characters(class: &Class) -> Option<Strings> {
    let mut strings = Vec::new();
    match class {
        Class::Unicode(class) => {
            for range in class.iter().take(MOST_CHARACTERS + 1) {
                let points = (range.start()..=range.end()).take(MOST_CHARACTERS + 1);
                strings.extend(points.map(|point| point.to_string().into_bytes()));
            }
        }
        Class::Bytes(class) => {
            for range in class.iter().take(MOST_CHARACTERS + 1) {
                let bytes = (range.start()..=range.end()).take(MOST_CHARACTERS + 1);
                strings.extend(bytes.map(|byte| vec![byte]));
            }
        }
    }
    (1..=MOST_CHARACTERS)
        .contains(&strings.len())
        .then_some(strings)
}

/// The rarest of what the parts hold, and of what stands side by side in them.
fn concat(parts: &[Hir], variants: usize) -> Held {
    let mut best = Best::default();
    let mut run: Vec<Strings> = Vec::new();
    let mut is_exact = true;
    for part in parts {
        let Held { exact, holds } = held(part, variants);
        if let Some(exact) = exact {
            run.push(exact);
            continue;
        }
        is_exact = false;
        best.of_run(&run, variants);
        run.clear();
        if let Some(strings) = holds {
            best.offer(score(&strings), || strings);
        }
    }
    let size = run.iter().map(Vec::len).fold(1, usize::saturating_mul);
    if is_exact && size <= variants {
        return Held::exactly(cross(&run));
    }
    best.of_run(&run, variants);
    Held::holding(best.strings)
}

/// The best so far.
#[derive(Default)]
struct Best {
    score: u32,
    strings: Option<Strings>,
}

impl Best {
    fn offer(&mut self, score: u32, strings: impl FnOnce() -> Strings) {
        if score > self.score {
            self.score = score;
            self.strings = Some(strings());
        }
    }

    /// Of parts that stand side by side, as many together as give few strings.
    fn of_run(&mut self, run: &[Strings], variants: usize) {
        let mut most = (0, 0..0);
        for start in 0..run.len() {
            let (mut size, mut end, mut rare) = (1, start, 0);
            while end < run.len() && size * run[end].len() <= variants {
                size *= run[end].len();
                rare += score(&run[end]);
                end += 1;
            }
            if rare > most.0 {
                most = (rare, start..end);
            }
        }
        let (score, window) = most;
        self.offer(score, || cross(&run[window]));
    }
}

fn alternation(parts: &[Hir], variants: usize) -> Held {
    let mut all = Vec::new();
    let mut is_exact = true;
    for part in parts {
        let part = held(part, variants);
        is_exact &= part.exact.is_some();
        match part.exact.or(part.holds) {
            Some(strings) => all.extend(strings),
            None => return Held::holding(None),
        }
    }
    match is_exact && all.len() <= variants {
        true => Held::exactly(all),
        false => Held::holding((!all.iter().any(Vec::is_empty)).then_some(all)),
    }
}

fn cross(run: &[Strings]) -> Strings {
    let mut all = vec![Vec::new()];
    for strings in run {
        if let [one] = strings.as_slice() {
            all.iter_mut().for_each(|string| string.extend(one));
            continue;
        }
        let longer = |string: &Vec<u8>| -> Vec<Vec<u8>> {
            strings
                .iter()
                .map(|next| [string.as_slice(), next].concat())
                .collect()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// How rare the strings may be, of which the most frequent counts.
fn score(strings: &Strings) -> u32 {
    const FREQUENT: [&[u8]; 8] = [
        b"def ",
        b"class ",
        b"self.",
        b"import",
        b"from ",
        b"return",
        b"isinstance",
        b"    ",
    ];
    let of_byte = |byte: &u8| match byte {
        b' ' => 1,
        b'a' | b'e' | b'i' | b'l' | b'n' | b'o' | b'r' | b's' | b't' => 4,
        b'a'..=b'z' | b'_' | b'.' | b'(' | b')' | b'=' => 6,
        _ => 9,
    };
    let of_string = |string: &Vec<u8>| {
        let frequent = FREQUENT.iter().find(|word| string.starts_with(word));
        let rest = &string[frequent.map_or(0, |word| word.len())..];
        // Such a word is better than a character.
        let least = frequent.map_or(0, |_| 10);
        rest.iter().map(of_byte).sum::<u32>().max(least)
    };
    strings.iter().map(of_string).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Vec<String> {
        let hir = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(pattern);
        let strings = needles(&hir.unwrap()).unwrap_or_default();
        let text = |string: Vec<u8>| String::from_utf8(string).unwrap();
        strings.into_iter().map(text).collect()
    }

    #[test]
    fn the_rarest_of_what_must_be_there_is_chosen() {
        assert_eq!(of("def .*foo"), ["foo"]);
        assert_eq!(of("class.*QTest|def test.*q"), ["QTest", "def test"]);
        assert_eq!(of("def test.*write"), ["write"]);
        assert_eq!(of("np.where.*aoi.*90"), ["where"]);
        assert_eq!(of("^class "), ["class "]);
        assert_eq!(of("[ab]xy+"), ["ax", "bx"]);
        assert_eq!(of("(foo)+d*"), ["foo"]);
        assert_eq!(of("def "), ["def "]);
    }

    #[test]
    fn cases_are_spelt_out_of_a_few_letters() {
        assert_eq!(
            of("(?i)fo_o"),
            ["FO_O", "FO_o", "Fo_O", "Fo_o", "fO_O", "fO_o", "fo_O", "fo_o"]
        );
        assert_eq!(of("(?i)queryset").len(), 8);
        assert_eq!(of("(?i)merge|order|conflict").len(), 24);
    }

    #[test]
    fn a_class_of_nothing_does_not_hide_how_many_strings_there_are() {
        let many = format!("(?i){}", "u".repeat(40));
        for pattern in [
            format!("{many}[a&&b]"),
            format!("{many}[a&&b]x*"),
            format!("[a&&b]{many}"),
        ] {
            assert!(of(&pattern).len() <= 32, "{pattern}");
        }
    }

    #[test]
    fn what_may_be_missing_or_anything_is_not_asked_for() {
        for pattern in [
            "a*", "(foo)?", "foo|.", "foo|x*", "[a-z]+", "", "^$", "[a-z]|b",
        ] {
            assert!(of(pattern).is_empty(), "{pattern}");
        }
    }
}
