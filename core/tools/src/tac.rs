//! `tac`: files from their last line to their first.

use curserve_text::quote;

use crate::deadline::Watch;
use crate::{input, Call, Refusal};

/// Runs `tac`.
///
/// # Errors
/// Where there is an option, a folder, or an operand that is not in memory.
pub fn tac(call: &mut Call) -> Result<i32, Refusal> {
    let mut operands = input::args(call);
    if operands.iter().any(|o| o.len() > 1 && o.starts_with(b"-")) {
        return Err(Refusal::new("an option of tac"));
    }
    if operands.is_empty() {
        operands.push(b"-");
    }
    let mut status = 0;
    for operand in operands {
        match input::open_once(call, operand)? {
            input::Operand::Content(content) => {
                let mut end = content.len();
                let mut watch = Watch::new(call.deadline);
                while end > 0 {
                    let start = memchr::memrchr(b'\n', &content[..end - 1]).map_or(0, |i| i + 1);
                    watch.pass(end - start)?;
                    call.out.write(&content[start..end]);
                    end = start;
                }
            }
            input::Operand::Directory => return Err(Refusal::new("tac of a folder")),
            input::Operand::Failed(reason) => {
                let name = quote::always(operand)?;
                let name = [&name[..], b" for reading"].concat();
                // Its output so far is still to come.
                call.complain_early(&reason.complaint("tac: failed to open ", &name));
                status = 1;
            }
        }
    }
    Ok(status)
}
