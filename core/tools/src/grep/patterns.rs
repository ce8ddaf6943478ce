//! Where the patterns of a call come from: `-e`, `-f`, the first operand.

use curserve_corpus::{Errno, Kind, Unreadable};

use super::errors::{refuse, strerror};
use super::options::{Options, Source};
use crate::{Call, Refusal};

/// All patterns, joined by newlines; None where there are none. Err: the exit code after an unreadable `-f`.
pub(super) fn patterns(
    call: &mut Call<'_>,
    options: &Options,
) -> Result<Result<Option<Vec<u8>>, i32>, Refusal> {
    let mut keys = Vec::new();
    for source in &options.sources {
        match source {
            Source::Given(pattern) => {
                keys.extend_from_slice(pattern);
                keys.push(b'\n');
            }
            Source::File(path) if path == b"-" => return refuse("patterns from standard input"),
            Source::File(path) => match read(call, path)? {
                Ok(bytes) => {
                    keys.extend_from_slice(bytes);
                    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
                        keys.push(b'\n');
                    }
                }
                Err(reason) => {
                    let line = [b"grep: ", path.as_slice(), b": ", reason.as_bytes(), b"\n"];
                    call.complain(&line.concat());
                    return Ok(Err(2));
                }
            },
        }
    }
    Ok(Ok(keys.pop().map(|_| keys)))
}

/// What is in a file of patterns, or why it cannot be read.
fn read<'c>(call: &Call<'c>, path: &[u8]) -> Result<Result<&'c [u8], String>, Refusal> {
    match call.snapshot.resolve(call.cwd, path, true) {
        Ok(node) if node.kind() == Kind::File => match node.bytes() {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(Unreadable::Errno(errno)) => Ok(Err(strerror(errno))),
            Err(_) => refuse("a pattern file that is not in memory"),
        },
        Ok(_) => refuse("patterns from what is no file"),
        Err(Errno::Outside) => refuse("patterns from outside the root"),
        Err(errno) => Ok(Err(errno.to_string())),
    }
}
