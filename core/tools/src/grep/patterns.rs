//! Where the patterns of a call come from: `-e`, `-f`, the first operand.

use curserve_corpus::{Errno, Kind, Unreadable};

use super::errors::refuse;
use super::options::{Options, Source};
use crate::{Call, Reason, Refusal};

/// All patterns, a line each; none of them where every `-f` is empty. Err: the exit code after an unreadable `-f`.
pub(super) fn patterns<'p, 'c: 'p>(
    call: &mut Call<'c>,
    options: &'p Options,
) -> Result<Result<Vec<&'p [u8]>, i32>, Refusal> {
    let mut all = Vec::new();
    for source in &options.sources {
        match source {
            Source::Given(text) => all.extend(text.split(|byte| *byte == b'\n')),
            Source::File(path) if path == b"-" => return refuse("patterns from standard input"),
            Source::File(path) => match read(call, path)? {
                Ok([]) => {}
                Ok(text) => all.extend(
                    text.strip_suffix(b"\n")
                        .unwrap_or(text)
                        .split(|byte| *byte == b'\n'),
                ),
                Err(reason) => {
                    call.complain(&reason.complaint("grep: ", path));
                    return Ok(Err(2));
                }
            },
        }
    }
    Ok(Ok(all))
}

/// What is in a file of patterns, or why it cannot be read.
fn read<'c>(call: &Call<'c>, path: &[u8]) -> Result<Result<&'c [u8], Reason>, Refusal> {
    match call.snapshot.resolve(call.cwd, path, true) {
        Ok(node) if node.kind() == Kind::File => match node.bytes() {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(Unreadable::Errno(errno)) => Ok(Err(Reason(errno))),
            Err(_) => Err(Refusal::NotInMemory("a file of patterns".into())),
        },
        Ok(_) => refuse("patterns from what is no file"),
        Err(Errno::Outside) => Err(Refusal::Outside("patterns from outside the root".into())),
        Err(errno) => Reason::of(errno, path).map(Err),
    }
}
