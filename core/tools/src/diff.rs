//! `diff` of files that are not there, and of files that are the same; how a difference is shown is left to the real one.

use crate::input::{self, Operand};
use crate::{Call, Reason, Refusal};

/// Runs `diff`.
///
/// # Errors
/// Where the files differ, unless only that is asked; for folders, odd names and other options.
pub fn diff(call: &mut Call) -> Result<i32, Refusal> {
    let mut operands = Vec::new();
    let mut brief = false;
    for arg in input::args(call) {
        match arg {
            b"-u" => {}
            b"-q" | b"--brief" => brief = true,
            [b'-', ..] => return Err(Refusal::new("an option of diff, or standard input")),
            operand => operands.push(operand),
        }
    }
    let [one, two] = operands[..] else {
        return Err(Refusal::new("diff of one file, or of many"));
    };
    // What messages quote was tried with such names alone.
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || b"/._-+,@=".contains(b);
    if !one.iter().chain(two).all(is_plain) || one.is_empty() || two.is_empty() {
        return Err(Refusal::new("diff of a file with an odd name"));
    }
    let mut contents = Vec::new();
    for operand in [one, two] {
        match input::open(call, operand)? {
            Operand::Content(content) => contents.push(content),
            Operand::Directory => return Err(Refusal::new("diff of a folder")),
            Operand::Failed(reason @ (Reason::NOT_FOUND | Reason::NOT_DIRECTORY)) => {
                call.complain(&reason.complaint("diff: ", operand));
            }
            Operand::Failed(_) => return Err(Refusal::new("diff of a file that cannot be read")),
        }
    }
    match contents[..] {
        [one_has, two_has] if one_has == two_has => Ok(0),
        [_, _] if brief => {
            let parts: [&[u8]; 5] = [b"Files ", one, b" and ", two, b" differ\n"];
            call.out.write(&parts.concat());
            Ok(1)
        }
        [_, _] => Err(Refusal::new("diff of files that differ")),
        _ => Ok(2),
    }
}
