//! What is known of a part of a pipeline before it runs: its program, and how far that reads.

use brush_parser::ast::{
    Command, CommandPrefixOrSuffixItem as Item, IoFileRedirectKind, IoFileRedirectTarget,
    IoRedirect, SimpleCommand,
};
use curserve_tools::headtail;

use crate::named::named;

/// How far a part of a pipeline reads its input.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reads {
    /// To the end.
    All,
    /// So many lines; `head`.
    Lines(u64),
    /// Perhaps not to the end.
    Unknown,
}

/// What is known of a part before it runs, where its words need no expansion.
pub struct Part {
    /// The name of its program.
    pub name: Vec<u8>,
    /// How far it reads.
    pub reads: Reads,
    /// It starts programs of its own, and reports their deaths where that is seen.
    pub reports: bool,
}

/// Its words without their quotes, as they are before expansion.
fn static_words(command: &Command) -> Option<Vec<Vec<u8>>> {
    let Command::Simple(simple) = command else {
        return None;
    };
    let mut words = vec![simple.word_or_name.as_ref()?.value.as_str()];
    for item in simple.suffix.iter().flat_map(|s| &s.0) {
        match item {
            Item::Word(word) | Item::AssignmentWord(_, word) => words.push(&word.value),
            Item::IoRedirect(_) => {}
            Item::ProcessSubstitution(..) => return None,
        }
    }
    Some(
        words
            .into_iter()
            .map(|w| w.trim_matches(['\'', '"']).as_bytes().to_vec())
            .collect(),
    )
}

/// Whether its standard input is not the pipe.
fn is_redirected(command: &SimpleCommand) -> bool {
    let prefix = command.prefix.iter().flat_map(|p| &p.0);
    let suffix = command.suffix.iter().flat_map(|s| &s.0);
    prefix.chain(suffix).any(|item| match item {
        Item::IoRedirect(IoRedirect::HereDocument(..) | IoRedirect::HereString(..)) => true,
        Item::IoRedirect(IoRedirect::File(fd, kind, _)) => {
            *fd == Some(0) || matches!(kind, IoFileRedirectKind::Read)
        }
        _ => false,
    })
}

/// Whether nobody sees its standard error once its reader has gone: the last redirection of it is to `/dev/null`, or into
/// the pipe.
fn is_silent(command: &SimpleCommand) -> bool {
    let prefix = command.prefix.iter().flat_map(|p| &p.0);
    let suffix = command.suffix.iter().flat_map(|s| &s.0);
    let redirects = || {
        let items = prefix.clone().chain(suffix.clone());
        items.filter_map(|item| match item {
            Item::IoRedirect(redirect) => Some(redirect),
            Item::Word(_) | Item::AssignmentWord(..) | Item::ProcessSubstitution(..) => None,
        })
    };
    let moves_output = redirects().any(|redirect| match redirect {
        IoRedirect::File(fd, kind, _) => {
            !matches!(fd, Some(0 | 2)) && !matches!(kind, IoFileRedirectKind::Read)
        }
        IoRedirect::OutputAndError(..) => true,
        IoRedirect::HereDocument(..) | IoRedirect::HereString(..) => false,
    });
    let mut errors = redirects().filter_map(|redirect| match redirect {
        IoRedirect::File(Some(2), kind, target) => Some(match (kind, target) {
            (
                IoFileRedirectKind::Write | IoFileRedirectKind::Append,
                IoFileRedirectTarget::Filename(name),
            ) => name.value == "/dev/null",
            (IoFileRedirectKind::DuplicateOutput, IoFileRedirectTarget::Fd(1)) => !moves_output,
            (IoFileRedirectKind::DuplicateOutput, IoFileRedirectTarget::Duplicate(word)) => {
                word.value == "1" && !moves_output
            }
            _ => false,
        }),
        IoRedirect::OutputAndError(..) => Some(false),
        IoRedirect::File(..) | IoRedirect::HereDocument(..) | IoRedirect::HereString(..) => None,
    });
    errors.next_back().unwrap_or(false)
}

/// What its words say of `command`.
pub fn describe(command: &Command) -> Part {
    let Some(words) = static_words(command) else {
        let text = command.to_string();
        return Part {
            name: Vec::new(),
            reads: Reads::Unknown,
            reports: text.contains("xargs") || text.contains("-exec"),
        };
    };
    let redirected = matches!(command, Command::Simple(simple) if is_redirected(simple));
    let named = named(&words);
    let args: Vec<&[u8]> = words[named.at + 1..].iter().map(Vec::as_slice).collect();
    let name = named.name.to_vec();
    let short = |letters: &[u8]| {
        args.iter().any(|a| {
            a.starts_with(b"-")
                && !a.starts_with(b"--")
                && a[1..].iter().any(|b| letters.contains(b))
        })
    };
    let long = args.iter().any(|a| {
        a.starts_with(b"--") && !a.starts_with(b"--color") && !a.starts_with(b"--include")
    });
    // A file named among the arguments means that standard input is not read. A value after an option may look like
    // one, which only makes the answer more careful; plain numbers are counts.
    let operands = args
        .iter()
        .filter(|a| !a.starts_with(b"-") && !a.iter().all(u8::is_ascii_digit))
        .count();
    let reads = match name.as_slice() {
        _ if redirected => Reads::Unknown,
        b"head" => match headtail::lines_wanted(&args) {
            Some(n) => Reads::Lines(n),
            None => Reads::Unknown,
        },
        b"xargs" => Reads::All,
        b"grep" | b"egrep" | b"fgrep" if !short(b"qmlLref") && !long && operands <= 1 => Reads::All,
        b"tr" if operands <= 2 => Reads::All,
        b"cat" | b"sort" | b"wc" | b"tail" | b"uniq" | b"cut" | b"nl" | b"tac" if operands == 0 => {
            Reads::All
        }
        b"sed" if operands <= 1 && !args.iter().any(|a| a.contains(&b'q') || a.contains(&b'Q')) => {
            Reads::All
        }
        _ => Reads::Unknown,
    };
    let starts =
        name == b"xargs" || name == b"find" && args.iter().any(|a| a.starts_with(b"-exec"));
    let silent = matches!(command, Command::Simple(simple) if is_silent(simple));
    Part {
        name,
        reads,
        reports: starts && !silent,
    }
}
