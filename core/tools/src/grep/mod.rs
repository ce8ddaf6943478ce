//! GNU grep 3.8, to the byte: `grep`, `egrep`, `fgrep`.
//!
//! The way of a call: its command line becomes [`options`], its patterns ([`patterns`], read by [`curserve_text::expression`]) one
//! [`matcher`]: plain [`strings`] where it means no more, else [`automata`], of which finding lines needs one that reads
//! [`forward`] and only where [`needles`] are; the [`finder`] is either. Then [`run`] takes the operands, with [`walk`] and [`globs`]
//! for folders, and has each file searched ([`search`]): the [`selection`] of its lines is widened by [`context`] and laid out on
//! a [`page`], which the [`account`] of the call takes.
//!
//! The rules are those of the manual and of POSIX, and beyond them what grep 3.8 was seen to do (docs/PROVENANCE.md).

mod account;
mod automata;
mod context;
mod errors;
mod facts;
mod finder;
mod forward;
mod globs;
mod matcher;
mod needles;
mod operands;
mod options;
mod page;
mod patterns;
mod run;
mod search;
mod selection;
mod selects;
mod strings;
mod trim;
mod walk;

pub use facts::Facts;
pub(crate) use options::{Key, TABLE};
pub(crate) use selects::selects;

use crate::{Call, Refusal};
use errors::refuse;
use matcher::Pattern;
use options::{List, Matcher, Options};

/// `grep`.
pub(crate) fn grep(call: &mut Call<'_>) -> Result<i32, Refusal> {
    grep_with(call, None)
}

/// `egrep`, which is `grep -E`.
pub(crate) fn egrep(call: &mut Call<'_>) -> Result<i32, Refusal> {
    grep_with(call, Some(Matcher::Extended))
}

/// `fgrep`, which is `grep -F`.
pub(crate) fn fgrep(call: &mut Call<'_>) -> Result<i32, Refusal> {
    grep_with(call, Some(Matcher::Fixed))
}

/// Runs grep, whose name asks for `matcher`.
fn grep_with(call: &mut Call<'_>, matcher: Option<Matcher>) -> Result<i32, Refusal> {
    let odd = |(name, value): &(String, String)| match name.as_str() {
        "LC_ALL" => !matches!(value.as_str(), "C.UTF-8" | "C"), // of C, `locale` lets through what is the same
        "GREP_COLOR" | "GREP_COLORS" | "GREP_OPTIONS" | "POSIXLY_CORRECT" => true,
        _ => false,
    };
    if call.world.environment.iter().any(odd) {
        return refuse("a locale or a variable that is not pinned");
    }
    let mut options = options::parse(call.args.get(1..).unwrap_or_default(), matcher)?;
    let patterns = match patterns::patterns(call, &options)? {
        Ok(patterns) => patterns,
        Err(code) => return Ok(code),
    };
    if reads_no_operand(&options, &patterns) {
        return Ok(1);
    }
    let pattern = Pattern::new(&patterns, &options)?;
    let operands = std::mem::take(&mut options.operands);
    run::run(call, &options, &pattern, operands)
}

/// Whether the answer is known to be nothing. Seen: even a missing operand is not complained of then; `-L` reads them.
fn reads_no_operand(options: &Options, patterns: &[&[u8]]) -> bool {
    let all_lines_match = !options.words
        && !options.whole_lines
        && !patterns.is_empty()
        && patterns.iter().all(|pattern| pattern.is_empty());
    let no_line_matches = patterns.is_empty();
    let none_is_selected = match options.invert {
        true => all_lines_match,
        false => no_line_matches,
    };
    (none_is_selected || options.max_count == 0) && options.list != List::NonMatching
}
