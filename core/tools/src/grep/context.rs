//! Context (`-A`, `-B`, `-C`) as a merge of ranges: each selected range is widened by its context, and ranges that touch
//! are one group.

use std::ops::Range;

use super::selection::{skip_lines, Selection};
use crate::Refusal;

/// Whole lines that are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) lines: Range<usize>,
    /// They are selected, and not context.
    pub(super) selected: bool,
    /// A group begins with them.
    pub(super) opens: bool,
}

/// Gives all that is shown of `bytes` to `show`, in order, a group in as many pieces as it comes in.
pub(super) fn merge(
    bytes: &[u8],
    selection: &mut Selection<'_, '_>,
    (before, after): (u64, u64),
    mut show: impl FnMut(Piece) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut piece = |lines: Range<usize>, selected, opens| match lines.is_empty() {
        true => Ok(()),
        false => show(Piece {
            lines,
            selected,
            opens,
        }),
    };
    // Where the selected lines before end.
    let mut last = None;
    while let Some(lines) = selection.next()? {
        let trailing = match last {
            Some(end) => end..skip_lines(&bytes[..lines.start], end, after),
            None => 0..0,
        };
        let leading = back_lines(&bytes[trailing.end..lines.start], before);
        let leading = trailing.end + leading..lines.start;
        let opens = last.is_none() || leading.start > trailing.end;
        let opens_alone = opens && leading.is_empty();
        last = Some(lines.end);
        piece(trailing, false, false)?;
        piece(leading, false, opens)?;
        piece(lines, true, opens_alone)?;
    }
    match last {
        Some(end) => piece(end..skip_lines(bytes, end, after), false, false),
        None => Ok(()),
    }
}

/// Where the last so many of these whole lines begin.
fn back_lines(bytes: &[u8], lines: u64) -> usize {
    let Ok(lines) = usize::try_from(lines) else {
        return 0;
    };
    if lines == 0 || bytes.is_empty() {
        return bytes.len();
    }
    // The last newline ends the last line; the one that ends the line before them is so many further back.
    let mut ends = memchr::memrchr_iter(b'\n', bytes);
    ends.nth(lines).map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grep::finder::{By, Finder};
    use crate::grep::strings::Strings;
    use crate::Deadline;

    /// The lines shown of the digits 1 to 9, a line each, with `*` behind what is selected and `|` before a group.
    fn shown(select: &str, invert: bool, most: Option<u64>, context: (u64, u64)) -> String {
        let text: String = (1..=9).map(|digit| format!("{digit}\n")).collect();
        let wanted: Vec<Vec<u8>> = select.chars().map(|c| c.to_string().into_bytes()).collect();
        let strings = Strings::any(&wanted).unwrap();
        let finder = Finder::new(By::Strings(&strings), None);
        let mut selection =
            Selection::new(finder, text.as_bytes(), invert, most, Deadline::default());
        let mut out = String::new();
        merge(text.as_bytes(), &mut selection, context, |piece| {
            out += if piece.opens { "|" } else { "" };
            for line in text[piece.lines].lines() {
                out += line;
                out += if piece.selected { "*" } else { "" };
            }
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn context_that_touches_is_one_group() {
        assert_eq!(shown("37", false, None, (1, 1)), "|23*4|67*8");
        assert_eq!(shown("37", false, None, (1, 2)), "|23*4567*89");
        assert_eq!(shown("36", false, None, (0, 0)), "|3*|6*");
        assert_eq!(shown("34", false, None, (9, 0)), "|123*4*");
        assert_eq!(shown("34", true, None, (1, 0)), "|1*2*|45*6*7*8*9*");
    }

    #[test]
    fn after_the_last_that_may_be_selected_all_is_context() {
        assert_eq!(shown("357", false, Some(2), (0, 3)), "|3*45*678");
        assert_eq!(shown("3", true, Some(1), (0, 2)), "|1*23");
        assert_eq!(shown("3", false, Some(0), (2, 2)), "");
    }
}
