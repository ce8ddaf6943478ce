//! Leaves out what a pattern begins or ends with that need not be there: `class.*` selects the lines that `class` does.

use regex_syntax::hir::{Hir, HirKind};

/// An expression that matches in the same lines, without repetitions at its ends that match nothing as well.
pub(super) fn without_optional_ends(hir: Hir) -> Hir {
    match hir.kind() {
        HirKind::Concat(parts) if optional(parts.first()) || optional(parts.last()) => {
            let HirKind::Concat(mut parts) = hir.into_kind() else {
                unreachable!("the same kind");
            };
            while optional(parts.last()) {
                parts.pop();
            }
            let before = parts.iter().take_while(|part| optional(Some(part))).count();
            parts.drain(..before);
            Hir::concat(parts)
        }
        HirKind::Alternation(_) => {
            let HirKind::Alternation(branches) = hir.into_kind() else {
                unreachable!("the same kind");
            };
            Hir::alternation(branches.into_iter().map(without_optional_ends).collect())
        }
        _ if optional(Some(&hir)) => Hir::empty(),
        _ => hir,
    }
}

fn optional(part: Option<&Hir>) -> bool {
    part.is_some_and(|part| matches!(part.kind(), HirKind::Repetition(it) if it.min == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_missing_at_an_end_is_left_out() {
        for (pattern, rest) in [
            ("class.*", "class"),
            (".*a.*b?", "a"),
            ("x*", ""),
            ("a.*|.*b", "a|b"),
            ("a+.*", "a+"),
            ("^.*a", "^.*a"),
        ] {
            let read = |pattern: &str| regex_syntax::parse(pattern).unwrap();
            assert_eq!(
                without_optional_ends(read(pattern)),
                read(rest),
                "{pattern}"
            );
        }
    }
}
