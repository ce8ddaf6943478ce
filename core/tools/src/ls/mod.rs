//! `ls`, as it prints where standard output is no terminal: one name a line, nothing quoted.
//!
//! The way of a call: its options become [`flags`], its operands an [`entry`] each; [`rows`] prints those that are no
//! folders, [`folder`] then what is in the others.

mod entry;
mod flags;
mod folder;
mod rows;

use curserve_corpus::{Kind, Node};
use curserve_text::quote;

use crate::{input, Call, Reason, Refusal};
use entry::{sort, Entry};
use flags::Flags;
pub(crate) use flags::{Key, TABLE};
use folder::Folders;
use rows::{list, Widths};

/// Runs `ls`.
///
/// # Errors
/// Where an option is not done here, an operand lies outside the root, or a name does not print.
pub fn ls(call: &mut Call) -> Result<i32, Refusal> {
    let args = input::args(call);
    let parsed = flags::TABLE.parse(&args)?;
    let flags = Flags::parse(&parsed)?;
    if call.snapshot.is_copy()
        && (flags.long || flags.blocks || flags.inode || flags.sort == flags::Sort::Size)
    {
        return Err(Refusal::new(
            "ls: owners, links and blocks, which a copy does not have",
        ));
    }
    let mut operands = parsed.operands;
    if operands.is_empty() {
        operands.push(b".");
    }
    let several = operands.len() > 1;
    let (mut status, mut files, mut folders) = (0, Vec::new(), Vec::new());
    for operand in operands {
        match look(call, operand, &flags)? {
            Err(reason) => {
                let name = quote::always(operand)?;
                call.complain(&reason.complaint("ls: cannot access ", &name));
                status = 2;
            }
            Ok(node) => {
                let entry = Entry::new(call, node, operand.to_vec(), &flags)?;
                match node.kind() {
                    Kind::Folder if !flags.directory => folders.push((entry, node)),
                    _ => files.push(entry),
                }
            }
        }
    }
    let had_files = !files.is_empty();
    sort(&mut files, &flags, |e| e);
    // The columns of the files are as wide as the folders among the operands need, too.
    let all = files.iter().chain(folders.iter().map(|f| &f.0));
    let widths = Widths::of(call, all, &flags)?;
    list(call, &files, &widths, &flags);
    sort(&mut folders, &flags, |f| &f.0);
    let mut listing = Folders {
        call,
        flags: &flags,
        headers: several || flags.recursive,
        first: !had_files,
        listed: Vec::new(),
    };
    for (entry, node) in folders {
        listing.list(&entry.name, node)?;
    }
    Ok(status)
}

/// What an operand names: the node, or the kernel's reason.
fn look<'a>(
    call: &Call<'a>,
    operand: &[u8],
    flags: &Flags,
) -> Result<Result<Node<'a>, Reason>, Refusal> {
    let node = input::look(call, operand, flags.follow)?;
    // Without -l, -d and -F a link that leads to a folder is listed as that folder.
    if !(flags.follow || flags.long || flags.directory || flags.classify) {
        match input::look(call, operand, true)? {
            Ok(followed) if followed.kind() == Kind::Folder => return Ok(Ok(followed)),
            Ok(_) | Err(Reason::NOT_FOUND) => {}
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(node)
}
