//! What is known of a part of a pipeline before it runs: its program, and how far that reads.

use brush_parser::ast::{
    Command, CommandPrefixOrSuffixItem as Item, IoFileRedirectKind, IoFileRedirectTarget,
    IoRedirect, SimpleCommand,
};
use curserve_tools::Intake;

use crate::named::named;

/// What is known of a part before it runs, where its words need no expansion.
pub struct Part {
    /// The name of its program.
    pub name: Vec<u8>,
    /// How far it reads.
    pub reads: Intake,
    /// It starts programs of its own, and reports their deaths where that is seen.
    pub reports: bool,
    /// It may complain amid its output, and somebody sees that.
    pub complains: bool,
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
            reads: Intake::Unknown,
            reports: text.contains("xargs") || text.contains("-exec"),
            complains: true,
        };
    };
    let redirected = matches!(command, Command::Simple(simple) if is_redirected(simple));
    let named = named(&words);
    let name = named.name.to_vec();
    let line: Vec<&[u8]> = [named.name]
        .into_iter()
        .chain(words[named.at + 1..].iter().map(Vec::as_slice))
        .collect();
    let reads = match Intake::of(&line) {
        // Its words are not expanded yet: what looks like the name of a file may be an option, or nothing.
        Intake::Nothing => Intake::Unknown,
        _ if redirected => Intake::Unknown,
        reads => reads,
    };
    let starts =
        name == b"xargs" || name == b"find" && line.iter().any(|a| a.starts_with(b"-exec"));
    let silent = matches!(command, Command::Simple(simple) if is_silent(simple));
    // These complain of what they were given before they write, or not at all.
    let early: [&[u8]; 8] = [
        b"echo", b"printf", b"seq", b"find", b"ls", b"tree", b"rg", b"pwd",
    ];
    Part {
        complains: !silent && !early.contains(&name.as_slice()),
        name,
        reads,
        reports: starts && !silent,
    }
}
