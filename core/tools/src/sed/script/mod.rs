//! The parser of scripts: commands one after another, each with its addresses, until the text ends.
//!
//! What GNU sed would complain about is refused, and so is what it reads in more than one way.

mod address;
mod links;
mod reader;
mod substitute;

use super::command::{Action, Address, Command, End};
use crate::Refusal;
use links::Links;
use reader::{refuse, Reader};

/// Parses a script; the pieces given with several `-e` are joined with newlines.
///
/// # Errors
/// Where sed would complain of it, or it has what is not done here.
pub fn parse(text: &[u8], extended: bool) -> Result<Vec<Command>, Refusal> {
    if text.starts_with(b"#n\n") || text == b"#n" {
        return refuse("#n in the first line");
    }
    let mut r = Reader::new(text, extended);
    let mut commands: Vec<Command> = Vec::new();
    let mut links = Links::default();
    while has_command(&mut r) {
        let (start, end) = addresses(&mut r)?;
        let negated = negation(&mut r);
        let Some(letter) = r.take() else {
            return refuse("a missing command");
        };
        let action = match letter {
            b'{' => {
                links.open(commands.len());
                Action::Block(0)
            }
            b'}' => {
                let open = links.close()?;
                if start.is_some() {
                    return refuse("an address before a brace");
                }
                commands[open].action = Action::Block(commands.len());
                Action::Nothing
            }
            b':' => {
                let name = r.label();
                if start.is_some() || name.is_empty() {
                    return refuse("a label not known here");
                }
                links.label(commands.len(), name);
                Action::Nothing
            }
            b'b' | b't' | b'T' => {
                links.branch(commands.len(), r.label());
                match letter {
                    b'b' => Action::Branch(usize::MAX),
                    b't' => Action::BranchIf(usize::MAX),
                    _ => Action::BranchUnless(usize::MAX),
                }
            }
            b'q' | b'Q' if end.is_some() => return refuse("q with a range"),
            b'q' => Action::Quit(status(&mut r)?),
            b'Q' => Action::QuitSilently(status(&mut r)?),
            b'a' => Action::After(r.text()?),
            b'i' => Action::Before(r.text()?),
            b'c' if !negated => Action::Change(r.text()?),
            b's' => Action::Substitute(substitute::substitute(&mut r)?),
            b'y' => Action::Map(substitute::map(&mut r)?),
            b'p' => Action::Print,
            b'P' => Action::PrintFirst,
            b'd' => Action::Delete,
            b'D' => Action::DeleteFirst,
            b'=' => Action::Number,
            b'n' => Action::Next,
            b'N' => Action::Append,
            b'h' => Action::Hold,
            b'H' => Action::HoldAppend,
            b'g' => Action::Get,
            b'G' => Action::GetAppend,
            b'x' => Action::Exchange,
            _ => return refuse("a command not known here"),
        };
        // The first command of a block follows its brace at once; a text takes its newline with it.
        let needs_end = !matches!(
            action,
            Action::Block(_) | Action::After(_) | Action::Before(_) | Action::Change(_)
        );
        commands.push(Command {
            start,
            end,
            negated,
            action,
        });
        if needs_end {
            r.finish()?;
        }
    }
    links.resolve(&mut commands)?;
    Ok(commands)
}

/// Goes past what may stand between commands, comments too; whether a command follows.
fn has_command(r: &mut Reader) -> bool {
    loop {
        match r.peek() {
            None => return false,
            Some(b' ' | b'\t' | b'\n' | b';') => r.skip(),
            Some(b'#') => {
                while r.peek().is_some_and(|b| b != b'\n') {
                    r.skip();
                }
            }
            Some(_) => return true,
        }
    }
}

/// The addresses before a command: where it begins to apply, and where a range ends.
fn addresses(r: &mut Reader) -> Result<(Option<Address>, Option<End>), Refusal> {
    let start = address::address(r)?;
    r.spaces();
    let mut end = None;
    if start.is_some() && r.peek() == Some(b',') {
        r.skip();
        end = Some(address::end(r)?);
    }
    if matches!(end, Some(End::At(Address::Zero)))
        || matches!(start, Some(Address::Zero))
            && !matches!(end, Some(End::At(Address::Regex(_) | Address::LastRegex)))
    {
        return refuse("line 0");
    }
    Ok((start, end))
}

/// Whether `!` stands before a command; more than one are one.
fn negation(r: &mut Reader) -> bool {
    r.spaces();
    let mut negated = false;
    while r.peek() == Some(b'!') {
        negated = true;
        r.skip();
        r.spaces();
    }
    negated
}

/// The exit status behind `q` and `Q`.
fn status(r: &mut Reader) -> Result<i32, Refusal> {
    r.spaces();
    let status = r.number()?.unwrap_or(0);
    match i32::try_from(status) {
        Ok(status) if status < 256 => Ok(status),
        _ => refuse("an exit status"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branches(script: &str) -> Option<Vec<usize>> {
        let commands = parse(script.as_bytes(), false).ok()?;
        let to = |command: &Command| match command.action {
            Action::Branch(to) | Action::BranchIf(to) | Action::Block(to) => Some(to),
            _ => None,
        };
        Some(commands.iter().filter_map(to).collect())
    }

    #[test]
    fn branches_and_blocks_know_where_they_lead() {
        assert_eq!(branches(":a;s/x/y/;ta;b"), Some(vec![0, 4]));
        assert_eq!(branches("/x/{p;d};p"), Some(vec![3]));
        for broken in ["ba", ":a;:a;ba", "{p", "p}", "1}"] {
            assert_eq!(branches(broken), None, "{broken}");
        }
    }
}
