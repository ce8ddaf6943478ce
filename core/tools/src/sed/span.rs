//! `sed -n 'A,Bp'`, the most frequent read of all: a piece of one file, cut out without a run.

use super::command::{Action, Address, Command, End};

/// The lines that a sole command prints, when it is a `p` on line numbers.
pub fn printed(command: &Command) -> Option<(u64, u64)> {
    if command.negated || !matches!(command.action, Action::Print) {
        return None;
    }
    match (&command.start, &command.end) {
        (None, None) => Some((1, u64::MAX)),
        (Some(Address::Line(a)), None) => Some((*a, *a)),
        (Some(Address::Line(a)), Some(End::At(Address::Line(b)))) => Some((*a, (*b).max(*a))),
        (Some(Address::Line(a)), Some(End::At(Address::Last))) => Some((*a, u64::MAX)),
        (Some(Address::Line(a)), Some(End::Plus(n))) => Some((*a, a.checked_add(*n)?)),
        _ => None,
    }
}

/// The bytes of the lines `first..=last`, counted from one.
pub fn cut(text: &[u8], first: u64, last: u64) -> &[u8] {
    let skip = |text: &[u8], n: u64| -> usize {
        match n.checked_sub(1) {
            None => 0,
            Some(n) => memchr::memchr_iter(b'\n', text)
                .nth(n as usize)
                .map_or(text.len(), |i| i + 1),
        }
    };
    let rest = &text[skip(text, first - 1)..];
    if last == u64::MAX {
        return rest;
    }
    &rest[..skip(rest, last - first + 1)]
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn ranges_of_lines_are_cut_out() {
        assert_eq!(cut(b"a\nb\nc", 2, 2), b"b\n");
        assert_eq!(cut(b"a\nb\nc", 2, u64::MAX), b"b\nc");
        assert_eq!(cut(b"a\nb\nc", 4, 9), b"");
        assert_eq!(cut(b"a\nb\nc", 1, 1), b"a\n");
    }
}
