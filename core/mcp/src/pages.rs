//! Pages of a long answer: cut at ends of lines, and gone on from by a cursor.
//!
//! A cursor says where the page before ended and what stood before that: nothing is kept from call to call, the daemon
//! gives the whole answer again in well under a millisecond, and an answer that has changed is seen.

/// A part of an answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<'t> {
    /// What to show.
    pub text: &'t [u8],
    /// The numbers of its first and last lines, from 1, and of the whole answer's last.
    pub lines: (usize, usize, usize),
    /// What brings the next page; None: there is none.
    pub next: Option<String>,
}

/// The page of `whole` that `cursor` leads to, of at most `most` bytes (or one character).
///
/// # Errors
/// Where the cursor is none of ours, or the answer has changed since.
pub fn page<'t>(whole: &'t [u8], cursor: Option<&str>, most: usize) -> Result<Page<'t>, String> {
    let start = match cursor {
        None => 0,
        Some(cursor) => start(whole, cursor)?,
    };
    let rest = &whole[start..];
    let end = start + cut(rest, most);
    let before = lines(&whole[..start]);
    Ok(Page {
        text: &whole[start..end],
        lines: (before + 1, ended(&whole[..end]), ended(whole)),
        next: (end < whole.len()).then(|| format!("{end}-{:016x}", digest(&whole[..end]))),
    })
}

fn start(whole: &[u8], cursor: &str) -> Result<usize, String> {
    let parts = cursor.split_once('-').and_then(|(at, digest)| {
        Some((
            at.parse::<usize>().ok()?,
            u64::from_str_radix(digest, 16).ok()?,
        ))
    });
    let (at, known) = parts.ok_or_else(|| {
        format!("cursor {cursor:?}: expected one that an answer has given; leave it out to begin at the first page")
    })?;
    match whole.get(..at).map(digest) {
        Some(now) if now == known => Ok(at),
        _ => Err("the answer has changed since the page before; ask again without `cursor`".into()),
    }
}

/// How much of `rest` is a page: whole lines, if there is one, else whole characters.
fn cut(rest: &[u8], most: usize) -> usize {
    if rest.len() <= most {
        return rest.len();
    }
    let within = &rest[..most];
    if let Some(end) = within.iter().rposition(|&byte| byte == b'\n') {
        return end + 1;
    }
    let is_start = |at: &usize| rest[*at] & 0xc0 != 0x80;
    let from = most.saturating_sub(3);
    (from.max(1)..=most).rev().find(is_start).unwrap_or(most)
}

fn lines(text: &[u8]) -> usize {
    text.iter().filter(|&&byte| byte == b'\n').count()
}

/// How many lines have begun.
fn ended(text: &[u8]) -> usize {
    lines(text) + usize::from(text.last().is_some_and(|&byte| byte != b'\n'))
}

/// FNV-1a.
fn digest(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All pages of `whole`, put together; how many there were.
    fn read(whole: &[u8], most: usize) -> (Vec<u8>, usize) {
        let (mut all, mut cursor, mut count) = (Vec::new(), None, 0);
        loop {
            let page = page(whole, cursor.as_deref(), most).unwrap();
            all.extend_from_slice(page.text);
            count += 1;
            assert!(page.text.len() <= most.max(4));
            match page.next {
                None => return (all, count),
                next => cursor = next,
            }
        }
    }

    #[test]
    fn pages_make_the_whole_again() {
        let long = "ä€🦀".repeat(100);
        for whole in ["", "a", "a\n", "a\nbb\nccc\n", "a\n\n\nb", &long] {
            for most in [1, 2, 3, 4, 5, 7, 1000] {
                let (all, count) = read(whole.as_bytes(), most);
                assert_eq!(all, whole.as_bytes());
                assert_eq!(count == 1, whole.len() <= most, "{whole:?} {most}");
            }
        }
    }

    #[test]
    fn a_page_ends_with_a_line_or_a_character() {
        let first = page(b"one\ntwo\nthree\n", None, 10).unwrap();
        assert_eq!((first.text, first.lines), (&b"one\ntwo\n"[..], (1, 2, 3)));
        let second = page(b"one\ntwo\nthree\n", first.next.as_deref(), 10).unwrap();
        assert_eq!((second.text, second.lines), (&b"three\n"[..], (3, 3, 3)));
        assert_eq!(second.next, None);
        assert_eq!(page("ä€".as_bytes(), None, 4).unwrap().text, "ä".as_bytes());
    }

    #[test]
    fn an_answer_that_has_changed_is_seen() {
        let next = page(b"one\ntwo\n", None, 4).unwrap().next;
        assert!(
            page(b"one\n2\n", next.as_deref(), 4).is_ok(),
            "what follows may change"
        );
        for whole in [&b"ONE\ntwo\n"[..], b"on", b""] {
            let why = page(whole, next.as_deref(), 4).unwrap_err();
            assert!(why.contains("has changed"), "{why}");
        }
        for cursor in [
            "",
            "-",
            "4",
            "4-",
            "-1-0",
            "99999999999999999999-0",
            "nonsense",
        ] {
            assert!(page(b"one\n", Some(cursor), 4)
                .unwrap_err()
                .contains("leave it out"));
        }
    }
}
