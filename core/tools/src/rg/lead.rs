//! A string that every matching line holds, so that only lines with it are looked at.

use memchr::memmem::Finder;
use regex_syntax::hir::{Hir, HirKind, Look};

use super::options::{Case, Options};

/// The string of the one pattern. None where there is none that is long enough, or a line by itself might match otherwise than in
/// its file.
pub(super) fn of(options: &Options, patterns: &[Hir]) -> Option<Finder<'static>> {
    let [hir] = patterns else {
        return None;
    };
    let looks = hir.properties().look_set();
    if options.case != Case::Sensitive || looks.contains(Look::Start) || looks.contains(Look::End) {
        return None;
    }
    let text = longest(hir).filter(|text| text.len() >= 3 && !text.contains(&b'\n'))?;
    Some(Finder::new(text).into_owned())
}

/// The longest string that every match holds.
fn longest(hir: &Hir) -> Option<&[u8]> {
    match hir.kind() {
        HirKind::Literal(literal) => Some(&literal.0),
        HirKind::Capture(capture) => longest(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => longest(&repetition.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .filter_map(longest)
            .max_by_key(|text| text.len()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::pattern::parsed;
    use super::*;

    #[test]
    fn what_a_match_holds_is_what_it_says() {
        let held = |pattern: &str| {
            let words = [b"-n".to_vec(), b"-e".to_vec(), pattern.as_bytes().to_vec()];
            let options = Options::parse(&words).unwrap();
            let finder = of(&options, &parsed(&options)?)?;
            String::from_utf8(finder.needle().to_vec()).ok()
        };
        assert_eq!(held(r"def\s+\w+_handler").as_deref(), Some("_handler"));
        assert_eq!(held(r"(foobar)+x").as_deref(), Some("foobar"));
        for pattern in [
            "foo|bar",
            "(foobar)?x",
            "fo+",
            r"\Afoobar",
            "(?i)foobar",
            r"a\nbcd",
        ] {
            assert_eq!(held(pattern), None, "{pattern}");
        }
    }
}
