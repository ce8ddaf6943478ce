//! `s`: what matches goes, what replaces it comes.

use super::state::{State, SPACE};
use crate::sed::command::{Part, Substitute};
use crate::{Refusal, Watch};

/// Replaces in the pattern space what `s` seeks; whether there was any.
///
/// # Errors
/// Where the expression cannot tell, the result is beyond its limit, or the time is spent.
pub fn replace<'a>(state: &mut State<'a, '_, '_>, s: &'a Substitute) -> Result<bool, Refusal> {
    let matcher = state.regex(s.matcher.as_ref())?;
    let mut out = std::mem::take(&mut state.spare);
    out.clear();
    let grouped = |part: &Part| matches!(part, Part::Group(n) if *n > 0);
    let groups = s.parts.iter().any(grouped);
    let (mut copied, mut seen) = (0, 0);
    let mut watch = Watch::new(state.call.deadline);
    let mut looked = 0;
    let space = std::mem::take(&mut state.space);
    let found = matcher.each(&space, groups, |start, end, group| {
        watch.pass(end - looked)?;
        looked = end;
        seen += 1;
        if seen < s.number {
            return Ok(true);
        }
        out.extend_from_slice(&space[copied..start]);
        for part in &s.parts {
            match part {
                Part::Text(text) => out.extend_from_slice(text),
                Part::Group(0) => out.extend_from_slice(&space[start..end]),
                Part::Group(n) => {
                    if let Some((a, b)) = group(*n) {
                        out.extend_from_slice(&space[a..b]);
                    }
                }
            }
        }
        copied = end;
        match out.len() > SPACE {
            true => Err(Refusal::new("a pattern space of sed beyond 16 MiB")),
            false => Ok(s.global),
        }
    });
    let replaced = seen >= s.number;
    if replaced {
        out.extend_from_slice(&space[copied..]);
        state.space = out;
        state.spare = space;
    } else {
        state.space = space;
        state.spare = out;
    }
    found.map(|()| replaced)
}
