//! A line's fields.

use super::pattern::Matcher;
use super::refuse::refuse;
use crate::Refusal;

/// What stands between fields.
pub(super) enum Separator {
    /// Blanks, those at the ends aside.
    Blanks,
    /// This byte.
    Byte(u8),
    /// What matches.
    Matching(Matcher),
}

impl Separator {
    /// As `-F` and `FS` have it.
    pub(super) fn of(text: &[u8]) -> Result<Separator, Refusal> {
        Ok(match text {
            b" " => Separator::Blanks,
            b"\\t" | b"\t" => Separator::Byte(b'\t'),
            [byte] if byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'^' | b'$') => {
                Separator::Byte(*byte)
            }
            [] | [_] => return refuse("an unusual separator"),
            // Where there is a choice, mawk takes the longest match, and an automaton the first.
            longer
                if longer
                    .iter()
                    .any(|b| matches!(b, b'|' | b'?' | b'*' | b'^' | b'$' | b'\\')) =>
            {
                return refuse("a separator with a choice, an anchor or a backslash")
            }
            longer => Separator::Matching(Matcher::new(longer)?),
        })
    }

    /// Where the fields of `line` begin and end.
    pub(super) fn split(&self, line: &[u8], fields: &mut Vec<(usize, usize)>) {
        fields.clear();
        if line.is_empty() {
            return;
        }
        let mut start = 0;
        match self {
            Separator::Blanks => {
                let blank = |b: &u8| matches!(b, b' ' | b'\t');
                while let Some(skip) = line[start..].iter().position(|b| !blank(b)) {
                    start += skip;
                    let length = line[start..].iter().position(blank);
                    let end = length.map_or(line.len(), |length| start + length);
                    fields.push((start, end));
                    start = end;
                }
                return;
            }
            Separator::Byte(byte) => {
                for at in memchr::memchr_iter(*byte, line) {
                    fields.push((start, at));
                    start = at + 1;
                }
            }
            Separator::Matching(matcher) => {
                for (from, to) in matcher.find_iter(line) {
                    fields.push((start, from));
                    start = to;
                }
            }
        }
        fields.push((start, line.len()));
    }
}
