//! `sed -i`: each file is a text of its own, and what the script prints takes its place under the same name.

use super::command::Command;
use super::run::run;
use super::How as Lines;
use crate::{input, Call, How, Out, Refusal};

/// What a file edited in place may grow to.
const EDITED: usize = 64 << 20;

/// Plans the edit of every operand; the exit status.
///
/// Only plain files that are all there: what GNU sed does to links and folders, and on errors, is left to it.
///
/// # Errors
/// Where an operand is none of these, nothing may be written, or the script outlasts a file.
pub fn edit(
    call: &mut Call,
    commands: &[Command],
    operands: &[&[u8]],
    quiet: bool,
) -> Result<i32, Refusal> {
    if commands.iter().any(Command::outlasts_a_file) {
        return Err(Refusal::new("sed -i with a hold space or q"));
    }
    let Some(writes) = call.writes else {
        return Err(Refusal::new("sed -i where nothing may be written"));
    };
    for &operand in operands {
        if operand == b"-" {
            return Err(Refusal::new("sed -i of standard input"));
        }
        let target = writes.target(call.snapshot, call.cwd, operand)?;
        let Some(node) = target.there else {
            return Err(Refusal::new("sed -i of a file that is not there"));
        };
        let content = match input::bytes(node)? {
            Ok(content) => content,
            Err(_) => return Err(Refusal::new("sed -i of a file that cannot be read")),
        };
        let mut edited = Out::within(EDITED, call.memory);
        let mut inner = call.again();
        inner.out = &mut edited;
        let lines = Lines {
            quiet,
            separate: true,
            end: b'\n',
        };
        run(&mut inner, commands, &[content], lines)?;
        if edited.overflowed() {
            return Err(Refusal::new("sed -i that makes a file very long"));
        }
        let how = How::Replace(*node.meta());
        let edited = edited.into_bytes();
        call.memory.take(edited.capacity())?; // until the line has ended
        writes.plan(target.path, edited, how)?;
    }
    Ok(0)
}
