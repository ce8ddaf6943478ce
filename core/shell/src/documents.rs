//! Which here-documents may go to the parser: it never comes to the end of some that are not closed, or that an empty word closes.

/// Whether it is clear where each here-document of a command line begins, and each has its end.
pub fn are_clear(command: &str) -> bool {
    !stand_beside_commands(command) && all_end(command.replace("<<<", "---").as_bytes())
}

/// Whether the body of a here-document may begin in one command and end in another: only one is clear, and only where no
/// substitution stands before its body.
fn stand_beside_commands(command: &str) -> bool {
    let text = command.replace("<<<", "---");
    let Some(first) = text.find("<<") else {
        return false;
    };
    let substitutes = |text: &str| text.contains("$(") || text.contains('`');
    let body = text[first..]
        .find('\n')
        .map_or(text.len(), |end| first + end);
    substitutes(&text[..body]) || substitutes(&text) && text[first + 2..].contains("<<")
}

fn all_end(text: &[u8]) -> bool {
    let mut at = 0;
    while memchr::memmem::find(&text[at..], b"<<").is_some() {
        let next = match text[at..].starts_with(b"<<") {
            true => behind_document(text, at),
            false => behind(text, at),
        };
        match next {
            Some(next) if next <= text.len() => at = next,
            _ => return false,
        }
    }
    true
}

/// The place behind the character, the escape or the quoted string at `at`; `None` where it begins what is not read here: a
/// comment, a substitution, a quotation of another kind, one that nothing closes.
fn behind(text: &[u8], at: usize) -> Option<usize> {
    let opens = |at: usize| matches!(text.get(at), Some(b'(' | b'{' | b'[' | b'\'' | b'"'));
    let begins_word = at == 0 || b" \t\n;|&()<>".contains(&text[at - 1]);
    match text[at] {
        b'\\' => Some(at + 2),
        b'\'' => Some(at + 2 + memchr::memchr(b'\'', &text[at + 1..])?),
        b'"' => {
            let mut at = at + 1;
            while *text.get(at)? != b'"' {
                at += match text[at] {
                    b'\\' => 2,
                    b'`' => return None,
                    b'$' if opens(at + 1) && text.get(at + 1) != Some(&b'"') => return None,
                    _ => 1,
                };
            }
            Some(at + 1)
        }
        b'`' => None,
        b'$' if opens(at + 1) => None,
        b'#' if begins_word => None,
        _ => Some(at + 1),
    }
}

/// The place behind the last line of the here-document whose `<<` stands at `at`; `None` where its word is not plain, its line has
/// another, or nothing closes it.
fn behind_document(text: &[u8], at: usize) -> Option<usize> {
    let drops_tabs = text.get(at + 2) == Some(&b'-');
    let mut from = at + 2 + usize::from(drops_tabs);
    from += text[from..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let quote = text.get(from).filter(|b| matches!(b, b'\'' | b'"'));
    from += usize::from(quote.is_some());
    let plain = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
    let word = &text[from..][..text[from..].iter().take_while(plain).count()];
    let mut at = from + word.len();
    if let Some(quote) = quote {
        at += usize::from(text.get(at)? == quote);
        if text[at - 1] != *quote {
            return None;
        }
    }
    if word.is_empty() || !b" \t\n;|&()<>".contains(text.get(at)?) {
        return None;
    }
    while *text.get(at)? != b'\n' {
        if text[at..].starts_with(b"<<") {
            return None;
        }
        let next = behind(text, at)?;
        if text.get(at..next)?.contains(&b'\n') {
            return None;
        }
        at = next;
    }
    for line in text[at + 1..].split_inclusive(|b| *b == b'\n') {
        at += line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let tabs = line
            .iter()
            .take_while(|b| drops_tabs && **b == b'\t')
            .count();
        if line[tabs..] == *word {
            return Some(at + 1);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::are_clear;

    #[test]
    fn what_begins_plainly_and_ends_is_clear() {
        for text in [
            "cat <<E\nx\nE",
            "cat <<-'E' > \"a b\"\nx '\n\tE\necho",
            "cat <<\"E\" | head\nx <<\nE\ncat <<F\nF\n",
            "grep 'a << b' f",
            "grep \"a << \\\" b\" f",
            "cat <<< x",
            "echo a#b $HOME; cat <<E\n# it's\nE\n",
        ] {
            assert!(are_clear(text), "{text:?}");
        }
    }

    #[test]
    fn what_has_no_end_or_an_odd_beginning_is_not() {
        for text in [
            "$(a<<  2 ",
            "\n <<\"\"  \"\"  ",
            "cat <<E",
            "cat <<E\nx",
            "cat <<\nx\n",
            "cat <<E'F'\nx\nEF\n",
            "cat <<E <<F\nE\nF\n",
            "cat <<E \"\nE\n\"",
            "echo # it's\ncat <<\"\"  \n",
            "echo $'\\'' <<\"\"  ",
            "echo ${x#'} <<\"\"  ",
            "cat <<E\\\nx\nE\n",
            "'<<",
        ] {
            assert!(!are_clear(text), "{text:?}");
        }
    }
}
