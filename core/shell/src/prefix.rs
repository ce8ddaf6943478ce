//! `find | grep | head`: how far a search has to go for the lines that `head` takes.
//!
//! What a `grep` prints of the first lines of its input is the beginning of what it prints of all of them. So `find` is
//! asked for its first lines, and for all only where `head` did not get enough of these. In the real pipeline it would
//! have been killed somewhere behind them, in silence: that is why it must be sure to have no message.

use brush_parser::ast::{
    Command, CommandPrefixOrSuffixItem as Item, IoFileRedirectKind, IoFileRedirectTarget,
    IoRedirect, SimpleCommand,
};
use curserve_tools::{GrepFacts, Intake, Out};

use crate::part::Part;
use crate::state::Shell;

/// The part of a pipeline that takes lines, and how far the first one goes for them.
#[derive(Clone, Copy)]
pub struct Prefix {
    /// Which part is `head`.
    pub reader: usize,
    /// So many lines does it take.
    pub wanted: usize,
    /// So many lines is the first part asked for.
    pub asked: usize,
}

/// Fewer lines are not worth a second run.
const LEAST: usize = 512;
/// So many lines of a search hold one that a filter lets pass, as agents' filters are.
const SHARE: usize = 16;

impl Prefix {
    /// The prefix that may do for `commands`, which `parts` describes.
    pub fn of(shell: &Shell<'_>, commands: &[Command], parts: &[Part]) -> Option<Prefix> {
        let reader = parts.iter().position(|p| p.name == b"head")?;
        let Intake::Lines(wanted) = parts[reader].reads else {
            return None;
        };
        let wanted = usize::try_from(wanted).ok()?;
        // A folder that cannot be read gives `find` a message, and a name that is no text gives `grep` one.
        let silent = shell.snapshot.is_readable() && shell.snapshot.is_named_in_utf8();
        if reader < 2 || wanted > 1000 || !silent {
            return None;
        }
        let (first, filters) = commands[..reader].split_first()?;
        let sure = is_search(first) && filters.iter().all(is_filter);
        let whole = parts[1..reader].iter().all(|p| p.reads == Intake::All);
        (sure && whole).then_some(Prefix {
            reader,
            wanted,
            asked: LEAST.max(wanted * SHARE),
        })
    }

    /// Whether the run has to begin anew, without a limit: `outs` and `errs` are those of all parts before the reader.
    pub fn falls_short(&self, outs: &[Out], errs: &[Out]) -> bool {
        let lines = |out: &Out| memchr::memchr_iter(b'\n', out.as_bytes()).count();
        let cut = outs.first().is_some_and(Out::full);
        let silent = errs.iter().all(|err| err.as_bytes().is_empty());
        cut && !(silent && outs.last().is_some_and(|out| lines(out) >= self.wanted))
    }
}

/// The words of a command that nothing expands, without their quotes; None where it does more than run a program,
/// whose messages may go to `/dev/null`.
fn words(command: &Command) -> Option<Vec<&str>> {
    let Command::Simple(simple) = command else {
        return None;
    };
    let SimpleCommand {
        prefix: None,
        word_or_name: Some(name),
        suffix,
        ..
    } = simple
    else {
        return None;
    };
    let mut words = vec![constant(&name.value)?];
    for item in suffix.iter().flat_map(|s| &s.0) {
        match item {
            Item::Word(word) => words.push(constant(&word.value)?),
            Item::IoRedirect(IoRedirect::File(
                Some(2),
                IoFileRedirectKind::Write,
                IoFileRedirectTarget::Filename(file),
            )) if file.value == "/dev/null" => {}
            _ => return None,
        }
    }
    Some(words)
}

/// What a word stands for, where that is plain to see.
fn constant(word: &str) -> Option<&str> {
    let inner = |quote| word.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(inner) = inner('\'') {
        return (!inner.contains('\'')).then_some(inner);
    }
    if let Some(inner) = inner('"') {
        let expands = |(at, _)| {
            let next = inner.as_bytes().get(at + 1);
            next.is_some_and(|b| !matches!(b, b'|' | b')' | b' '))
        };
        let plain = !inner.contains(['"', '`']) && !inner.match_indices('$').any(expands);
        return plain.then_some(inner);
    }
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./,:=@%+!".contains(&b);
    match word {
        "\\(" => Some("("),
        "\\)" => Some(")"),
        "\\!" => Some("!"),
        _ => word.bytes().all(plain).then_some(word),
    }
}

/// A `find` from one place that prints paths, and starts no program.
fn is_search(command: &Command) -> bool {
    let Some(words) = words(command) else {
        return false;
    };
    let Some(("find", words)) = words.split_first().map(|(name, rest)| (*name, rest)) else {
        return false;
    };
    let begins = |word: &&str| word.starts_with(['-', '(', '!']);
    let starts = words.iter().position(begins);
    let acts = |word: &&str| {
        [
            "-exec", "-ok", "-print0", "-fprint", "-printf", "-ls", "-delete", "-quit",
        ]
        .iter()
        .any(|action| word.starts_with(action))
    };
    starts.unwrap_or(words.len()) <= 1 && !words.iter().any(acts)
}

/// A `grep` that passes some lines of its input on as they come.
fn is_filter(command: &Command) -> bool {
    let Some(words) = words(command) else {
        return false;
    };
    GrepFacts::of(&words).is_some_and(|facts| facts.by_line)
}

#[cfg(test)]
mod tests {
    use brush_parser::ast::Pipeline;

    use super::*;

    fn parts(line: &str, test: impl Fn(&[Command]) -> bool) -> bool {
        let program = crate::check::parse(line).unwrap();
        let Pipeline { seq, .. } = &program.complete_commands[0].0[0].0.first;
        test(seq)
    }

    #[test]
    fn only_searches_that_are_silent_and_filters_by_line_are_cut_short() {
        for line in [
            "find . -type f -name \"*.py\" | grep -E \"(a|b)$\" | grep -v 'x' | head -3",
            "find src 2>/dev/null | grep -i a 2>/dev/null | head -3",
            "find | grep a | head -3",
            "find . \\( -name a -o -name b \\) | grep -v \"$|x\" | head",
        ] {
            let sure =
                |seq: &[Command]| is_search(&seq[0]) && seq[1..seq.len() - 1].iter().all(is_filter);
            assert!(parts(line, sure), "{line}");
        }
        for line in [
            "find a b | grep x",
            "find a* | grep x",
            "find $A | grep x",
            "find . -print0 | grep x",
            "find . -exec grep -l a {} + | grep x",
            "find . >a | grep x",
            "find . 2>&1 | grep x",
            "ls | grep x",
        ] {
            assert!(!parts(line, |seq| is_search(&seq[0])), "{line}");
        }
        for line in [
            "find . | grep -c x",
            "find . | grep -z x",
            "find . | grep -m1 x",
            "find . | grep -A3 x",
            "find . | grep $A",
            "find . | grep \"$A\"",
            "find . | grep a 2>&1",
            "find . | sort",
        ] {
            assert!(!parts(line, |seq| is_filter(&seq[1])), "{line}");
        }
    }
}
